//! The cgroups that were there before us. Takes the version 2 tree; gives the containers in it, by the same rule as the kernel
//! programs use for new ones: 64 hexadecimal digits, alone or behind a runtime's prefix, or below a named parent, or below a
//! container. Reads folder names only.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

/// Deeper trees are not listed: no runtime makes them, and a container could.
const MAX_DEPTH: usize = 16;
/// As many as the kernel programs' table holds.
const MAX_CGROUPS: usize = 16_384;
const DIGITS: usize = 64;
const PREFIXES: [&[u8]; 4] = [b"docker-", b"cri-containerd-", b"crio-", b"libpod-"];

/// Where the version 2 tree is not to be found.
#[derive(Debug, thiserror::Error)]
pub enum CgroupTreeError {
    /// The list of mounts could not be read.
    #[error("read /proc/self/mounts")]
    Mounts(#[source] io::Error),
    /// None is mounted.
    #[error("no cgroup2 is mounted")]
    None,
}

/// Stands for the tree where there is none.
pub(super) const NO_TREE: &str = "/nonexistent/cgroup2";

/// Where the version 2 tree is mounted: `/sys/fs/cgroup`, or `unified` below it on hybrid hosts.
pub fn cgroup_root() -> Result<PathBuf, CgroupTreeError> {
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(CgroupTreeError::Mounts)?;
    mounts.lines().find_map(tree).ok_or(CgroupTreeError::None)
}

fn tree(line: &str) -> Option<PathBuf> {
    let mut words = line.split(' ');
    let place = words.nth(1)?;
    (words.next()? == "cgroup2").then(|| PathBuf::from(place.replace("\\040", " ")))
}

/// A container's cgroup, or one below it.
pub(super) struct Found {
    /// Its number.
    pub(super) id: u64,
    /// The container's, where it is below it.
    pub(super) payer: Option<u64>,
}

/// Containers that are in the tree now, and what is below them.
pub(super) fn containers(root: &Path, parents: &[String]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_path_buf(), 0, None)];
    while let Some((folder, depth, inside)) = open.pop() {
        let named = folder.file_name().is_some_and(|name| parents.iter().any(|parent| name == parent.as_str()));
        // A folder that is gone meanwhile has no containers.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let id = entry.ino();
            let is_container = inside.is_some() || named || is_container(entry.file_name().as_bytes());
            if is_container {
                found.push(Found { id, payer: inside });
            }
            if depth < MAX_DEPTH && found.len() < MAX_CGROUPS {
                open.push((entry.path(), depth + 1, inside.or(is_container.then_some(id))));
            }
        }
    }
    found
}

/// A cgroup's name that only a container has.
fn is_container(name: &[u8]) -> bool {
    digits(name) || PREFIXES.iter().any(|prefix| name.strip_prefix(*prefix).is_some_and(digits))
}

fn digits(name: &[u8]) -> bool {
    name.get(..DIGITS).is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit))
        && !name.get(DIGITS).is_some_and(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_name_is_its_digits_alone_or_behind_its_runtime() {
        let id = "0123456789abcdef".repeat(4);
        let names = [
            (id.clone(), true),
            (format!("docker-{id}.scope"), true),
            (format!("cri-containerd-{id}.scope"), true),
            (format!("crio-{id}"), true),
            (format!("libpod-{id}.scope"), true),
            (format!("crio-conmon-{id}.scope"), false),
            (format!("libpod-conmon-{id}.scope"), false),
            (format!("{id}0"), false),
            ("system.slice".to_owned(), false),
            (String::new(), false),
        ];
        for (name, expected) in names {
            assert_eq!(is_container(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn the_tree_is_found_on_pure_and_hybrid_hosts() {
        assert_eq!(tree("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(tree("cgroup2 /a\\040b cgroup2 rw 0 0"), Some(PathBuf::from("/a b")));
        assert_eq!(tree("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0"), None);
        assert_eq!(tree(""), None);
    }
}

//! Hosts where only version 1 of cgroups is mounted: there the kernel's records name no cgroup, so that of a process is read in `/proc`.
//!
//! Takes a process; gives a number that stands for its cgroup, and the path that it has in one of the version 1 trees. What it gives is true
//! of a moment after the record, of the same process; of one that has ended it gives nothing. Bounded; never writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use proto::v1::actor::Origin as WireOrigin;
use proto::v1::{Actor, ContainerSeen, ProcessKey, UnknownOrigin};

use super::cgroup_path::{self, Meaning};
use super::process::TICK_NS;
use super::{Origin, Subject, seed};

/// Numbers of the kernel's are inode numbers, which never come so far.
const NOT_THE_KERNELS: u64 = 1 << 63;
/// The number of a cgroup that could not be read.
pub(super) const NOBODY_KNOWS: u64 = NOT_THE_KERNELS;

/// The paths that were met, by number.
#[derive(Debug)]
pub(super) struct VersionOne {
    proc: PathBuf,
    numbers: HashMap<Vec<u8>, u64>,
    limit: usize,
}

impl VersionOne {
    /// Whether this is such a host, as its mounts say: version 1 and no version 2.
    pub(super) fn here(proc: &Path, limit: usize) -> Option<Self> {
        let mounts = std::fs::read_to_string(proc.join("self/mounts")).ok()?;
        let kinds: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(2)).collect();
        let only_one = kinds.contains(&"cgroup") && !kinds.contains(&"cgroup2");
        only_one.then(|| Self { proc: proc.to_path_buf(), numbers: HashMap::new(), limit })
    }

    /// The number and the path of a process's cgroup now.
    pub(super) fn of(&mut self, process: ProcessKey) -> Option<(u64, Vec<u8>)> {
        let text = seed::bounded(&self.proc.join(process.pid.to_string()).join("cgroup"), seed::FILE_BYTES)?;
        // Asked after the file was read: it was the file of whoever has the number now.
        if seed::start_tick(&self.proc, process.pid)? != process.start_ns / TICK_NS {
            return None;
        }
        let path = path(&text)?;
        if self.numbers.len() >= self.limit && !self.numbers.contains_key(&path) {
            // The table of cgroups keeps what it has; a path that comes back is another cgroup of the same container.
            self.numbers.clear();
        }
        let next = NOT_THE_KERNELS | (self.numbers.len() as u64 + 1);
        Some((*self.numbers.entry(path.clone()).or_insert(next), path))
    }
}

impl Origin {
    /// The subject in the cgroup that its record names, or, on a host with version 1 alone, in the one that `/proc` names. Until its first
    /// program began a runtime may still move it: then it is asked for at each record.
    pub(super) fn in_its_cgroup(&mut self, subject: &Subject, now_ns: u64, said: &mut Vec<ContainerSeen>) -> Subject {
        if self.version_one.is_none() || subject.cgroup_id & NOT_THE_KERNELS != 0 {
            return *subject;
        }
        let known = self.processes.get(subject.process).map(|process| process.cgroup_id);
        let known = known.filter(|id| id & NOT_THE_KERNELS != 0);
        let cgroup_id = match known {
            Some(id) if self.processes.has_executed(subject.process) => id,
            _ => self.read_now(subject.process, now_ns, said).or(known).unwrap_or(NOBODY_KNOWS),
        };
        Subject { cgroup_id, ..*subject }
    }

    /// The number of the cgroup that a process is in at this moment.
    pub(super) fn read_now(&mut self, process: ProcessKey, now_ns: u64, said: &mut Vec<ContainerSeen>) -> Option<u64> {
        let (id, path) = self.version_one.as_mut()?.of(process)?;
        if !self.containers.has(id) {
            said.extend(self.containers.made(id, &path, now_ns));
        }
        Some(id)
    }

    /// A process in other mounts than the host's, and in a cgroup that it only inherited, is not the host's for sure.
    pub(super) fn doubt(&self, actor: &mut Actor, mounts: u32) {
        let elsewhere = mounts != 0 && Some(mounts) != self.host_mount_namespace;
        if self.version_one.is_some() && elsewhere && matches!(actor.origin, Some(WireOrigin::Host(_))) {
            actor.origin = Some(WireOrigin::Unknown(i32::from(UnknownOrigin::CgroupVersion1)));
        }
    }
}

/// The path in the tree that tells most: one of a container, else that of systemd, else the first. A controller that a runtime does
/// not use says the root.
fn path(text: &[u8]) -> Option<Vec<u8>> {
    let line = |line: &[u8]| {
        let mut fields = line.splitn(3, |&byte| byte == b':');
        let (_, controllers, path) = (fields.next()?, fields.next()?.to_vec(), fields.next()?.to_vec());
        Some((controllers, path))
    };
    let lines: Vec<(Vec<u8>, Vec<u8>)> = text.split(|&byte| byte == b'\n').filter_map(line).collect();
    let of_container = lines.iter().find(|(_, path)| matches!(cgroup_path::read(path), Meaning::Container { .. }));
    let of_systemd = || lines.iter().find(|(controllers, _)| controllers == b"name=systemd");
    Some(of_container.or_else(of_systemd).or(lines.first())?.1.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_that_names_a_container_is_taken_then_systemds() {
        let id = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
        let text = format!("12:cpuset:/\n5:memory:/docker/{id}\n1:name=systemd:/docker/{id}\n");
        assert_eq!(path(text.as_bytes()), Some(format!("/docker/{id}").into_bytes()));
        let host = b"12:cpuset:/\n5:memory:/user.slice\n1:name=systemd:/user.slice/session-2.scope\n";
        assert_eq!(path(host), Some(b"/user.slice/session-2.scope".to_vec()));
        assert_eq!(path(b"no colon at all"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
            path(&bytes);
        }
    }
}

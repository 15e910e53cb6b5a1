//! Processes that began before the agent did, or whose fork was lost: from `/proc`.
//!
//! Takes the mount of `/proc`; gives what it says of one process, with the start cut to a tick. A process that ends while it
//! is read is simply not there. Bounded reads of each file; never writes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

use proto::v1::ProcessKey;

use super::image::{COMMAND_LINE_KEPT, Image};
use super::process::TICK_NS;

/// `stat` and `status` are about one and two kilobytes.
pub(crate) const FILE_BYTES: u64 = 16 << 10;
/// The users of a node are few; those of a directory service are not in the file.
const PASSWD_BYTES: u64 = 1 << 20;
/// A pid cannot be larger: `PID_MAX_LIMIT` on 64-bit machines.
const PID_LIMIT: u32 = 1 << 22;

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Pid and start, the latter cut to a tick.
    pub key: ProcessKey,
    /// Pid of the parent; 0: none that this namespace sees.
    pub parent: u32,
    /// What it runs.
    pub image: Arc<Image>,
}

/// Every process of `proc`, without kernel threads.
pub fn all(proc: &Path) -> Vec<Seed> {
    let Ok(entries) = fs::read_dir(proc) else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| one(proc, pid)).filter(|seed| seed.parent != 2 && seed.key.pid != 2).collect()
}

/// One process; `None` where it has ended, or where a file of it is not what the kernel writes.
pub fn one(proc: &Path, pid: u32) -> Option<Seed> {
    let folder = proc.join(pid.to_string());
    let (parent, start_ns) = parse_stat(&bounded(&folder.join("stat"), FILE_BYTES)?)?;
    let status = bounded(&folder.join("status"), FILE_BYTES).unwrap_or_default();
    let uid = parse_status(&status).unwrap_or(u32::MAX);
    let link = |name: &str| fs::read_link(folder.join(name)).map(|path| path.into_os_string().into_vec());
    let executable = link("exe").unwrap_or_default();
    let arguments = bounded(&folder.join("cmdline"), COMMAND_LINE_KEPT as u64).unwrap_or_default();
    let mut image = Image::new(&executable, &arguments, &link("cwd").unwrap_or_default(), uid);
    image.mount_namespace = mount_namespace(proc, pid).unwrap_or_default();
    Some(Seed { key: ProcessKey { pid, start_ns }, parent, image: Arc::new(image) })
}

/// The start of a process that has this pid now, cut to a tick: to tell it from another with the same pid.
pub fn start_tick(proc: &Path, pid: u32) -> Option<u64> {
    parse_stat(&bounded(&proc.join(pid.to_string()).join("stat"), FILE_BYTES)?).map(|(_, start_ns)| start_ns / TICK_NS)
}

/// Whether a process still has this pid.
pub fn is_alive(proc: &Path, pid: u32) -> bool {
    proc.join(pid.to_string()).exists()
}

/// Inode number of a process's mount namespace.
pub fn mount_namespace(proc: &Path, pid: u32) -> Option<u32> {
    namespace(proc, pid, "mnt")
}

/// Inode number of one of a process's namespaces, by its name in `/proc`.
pub(crate) fn namespace(proc: &Path, pid: u32, name: &str) -> Option<u32> {
    let link = fs::read_link(proc.join(pid.to_string()).join("ns").join(name)).ok()?;
    link.to_str()?.strip_prefix(name)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// The names of users in a `passwd` file; nobody where it cannot be read.
pub fn users(passwd: &Path) -> HashMap<u32, String> {
    let bytes = bounded(passwd, PASSWD_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let user = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?.parse().ok()?);
        Some((uid, name.to_owned()))
    };
    text.lines().filter_map(user).collect()
}

/// Parent and start. The name stands in brackets and may hold brackets and spaces, so the fields are counted after the last.
fn parse_stat(stat: &[u8]) -> Option<(u32, u64)> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let text = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = text.split_ascii_whitespace();
    // Field 3 is the state, 4 the parent, 22 the start.
    let parent = fields.nth(1)?.parse().ok().filter(|&pid| pid <= PID_LIMIT)?;
    let ticks: u64 = fields.nth(17)?.parse().ok()?;
    Some((parent, ticks.checked_mul(TICK_NS)?))
}

/// Real user.
fn parse_status(status: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(status);
    text.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().next()?.parse().ok()
}

pub(crate) fn bounded(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_move_the_fields() {
        let stat = b"77 (a) 1 (b)) S 5 77 1 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 1 0 88925 3133440 377";
        assert_eq!(parse_stat(stat), Some((5, 889_250_000_000)));
        for broken in [&b""[..], b"77 (a", b"77 (a) S", b"77 (a) S x 1", b"77 (a) S 99999999999 1"] {
            assert_eq!(parse_stat(broken), None);
        }
    }

    #[test]
    fn this_process_is_in_proc() {
        let seed = one(Path::new("/proc"), std::process::id()).expect("the test runs");
        assert_eq!(seed.key.pid, std::process::id());
        assert!(seed.key.start_ns > 0);
        assert!(!seed.image.executable.is_empty());
        assert_eq!(start_tick(Path::new("/proc"), seed.key.pid), Some(seed.key.start_ns / TICK_NS));
        assert!(one(Path::new("/proc"), PID_LIMIT + 1).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_stat_is_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..256)) {
            parse_stat(&bytes);
            parse_status(&bytes);
        }
    }
}

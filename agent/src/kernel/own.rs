//! What the agent itself is and has in the kernel: its cgroup, its programs and maps. Takes what `/proc` says of this process; gives the
//! numbers by which the kernel programs know that somebody reaches for them.

use std::fs;
use std::path::Path;

use ebpf_common::config::own;

/// As many as the kernel programs' table holds.
const MAX_OWN: usize = 1024;

/// The version 2 cgroup of this process; 0: not known.
pub(super) fn cgroup(root: &Path) -> u64 {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
    path.and_then(|path| super::cgroup_id(&root.join(path)).ok()).unwrap_or(0)
}

/// Keys of the table of what is the agent's own: each program and map of which this process holds a descriptor.
pub(super) fn keys() -> Vec<u64> {
    let mut keys = Vec::new();
    // A descriptor that is gone meanwhile is of nothing that stays.
    for entry in fs::read_dir("/proc/self/fdinfo").into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        keys.extend(text.lines().filter_map(key));
    }
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(MAX_OWN);
    keys
}

fn key(line: &str) -> Option<u64> {
    let (name, number) = line.split_once(':')?;
    let what = match name {
        "prog_id" => own::PROGRAM,
        "map_id" => own::MAP,
        _ => return None,
    };
    let number: u32 = number.trim().parse().ok()?;
    Some(what << 32 | u64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_program_or_a_map_is_a_key() {
        let lines = ["prog_id:\t7", "map_id:\t9", "link_id:\t3", "pos:\t0", "map_id:\tx", ""];
        assert_eq!(lines.map(key), [Some(1 << 32 | 7), Some(2 << 32 | 9), None, None, None, None]);
    }
}

//! Arguments that are longer than a record holds: the hash of all of them, from `/proc`, where what stands there is what the kernel saw.
//!
//! Takes an exec whose arguments were cut; gives a hash, or nothing where the process is gone, has another image by now, or shows
//! other arguments than it was started with: their length, begin and end must be those of the record. Bytes in between may have been
//! changed meanwhile; nobody can tell. Bounded in the bytes of one process, and in those of all in a second: who starts programs with long
//! arguments by the thousand must not have the agent do nothing else.

use std::path::{Path, PathBuf};

use ebpf_common::header::flag;
use sha2::{Digest, Sha256};

use crate::decode::{Exec, Record};
use crate::origin::process::TICK_NS;
use crate::origin::seed;

/// The kernel lets nobody give more, where the stack may be eight megabytes.
const LONGEST: u64 = 2 << 20;
/// Of all processes that are started in a second.
const A_SECOND: u64 = 8 << 20;
const SECOND_NS: u64 = 1_000_000_000;

/// Reads them.
#[derive(Debug)]
pub(super) struct Arguments {
    proc: PathBuf,
    second: u64,
    left: u64,
}

impl Arguments {
    /// `proc`: the mount of `/proc` of the host's pid namespace.
    pub(super) fn new(proc: &Path) -> Self {
        Self { proc: proc.to_owned(), second: 0, left: A_SECOND }
    }

    /// The hash of all arguments.
    pub(super) fn hash(&mut self, record: &Record<'_>, exec: &Exec<'_>) -> Option<[u8; 32]> {
        let length = u64::from(exec.fixed.argument_bytes);
        if !record.has(flag::ARGUMENTS_TRUNCATED) || exec.arguments_end.is_empty() || !self.affords(record, length) {
            return None;
        }
        let header = &record.header;
        // One byte more, so that longer ones are seen to be longer.
        let found = seed::bounded(&self.proc.join(header.pid.to_string()).join("cmdline"), length + 1)?;
        let same = found.len() as u64 == length
            && found.starts_with(exec.arguments)
            && found.ends_with(exec.arguments_end)
            && seed::start_tick(&self.proc, header.pid)? == header.start_ns / TICK_NS;
        same.then(|| Sha256::digest(&found).into())
    }

    fn affords(&mut self, record: &Record<'_>, length: u64) -> bool {
        let second = record.header.boot_ns / SECOND_NS;
        if second != self.second {
            (self.second, self.left) = (second, A_SECOND);
        }
        let affords = length <= LONGEST.min(self.left);
        self.left -= if affords { length } else { 0 };
        affords
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ebpf_common::header::{Header, Kind};
    use ebpf_common::record;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::decode::Body;

    const PID: u32 = 77;
    const START: u64 = 88925;

    /// Whether the arguments `found` in `/proc` are hashed, where the kernel saw "aaaa…zz", of `length` bytes in all.
    fn check(found: &[u8], length: u32, start: u64) -> bool {
        let proc = tempfile::tempdir().expect("make a folder");
        let folder = proc.path().join(PID.to_string());
        fs::create_dir(&folder).expect("make a process");
        fs::write(folder.join("cmdline"), found).expect("write");
        let line = format!("77 (a) S 5 77 1 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 1 0 {start} 3133440 377");
        fs::write(folder.join("stat"), line).expect("write");
        let mut header = Header::new_zeroed();
        (header.pid, header.start_ns) = (PID, START * TICK_NS + 5);
        (header.kind, header.flags) = (Kind::Exec as u16, flag::ARGUMENTS_TRUNCATED);
        let fixed = record::Exec { argument_bytes: length, ..record::Exec::new_zeroed() };
        let exec = Exec { fixed, path: b"", directory: b"", script: b"", arguments: b"aaaa", arguments_end: b"zz" };
        let record = Record { header, body: Body::Exec(exec) };
        let hash = Arguments::new(proc.path()).hash(&record, &exec);
        assert!(hash.is_none_or(|hash| hash[..] == Sha256::digest(found)[..]));
        hash.is_some()
    }

    #[test]
    fn arguments_are_hashed_that_are_still_those_of_the_start() {
        assert!(check(b"aaaammmmzz", 10, START));
    }

    #[test]
    fn other_arguments_and_other_processes_are_not_hashed() {
        for changed in [&b"aaxammmmzz"[..], b"aaaammmmzx", b"aaaammmzz", b"aaaammmmmzz", b""] {
            assert!(!check(changed, 10, START), "{changed:?}");
        }
        assert!(!check(b"aaaammmmzz", 10, START + 1), "the number was given to another process");
    }

    #[test]
    fn long_arguments_are_read_up_to_a_bound_for_each_second() {
        let mut arguments = Arguments::new(Path::new("/nowhere"));
        let mut header = Header::new_zeroed();
        let mut affords = |boot_ns, length| {
            header.boot_ns = boot_ns;
            let exec = Exec {
                fixed: record::Exec::new_zeroed(),
                path: b"",
                directory: b"",
                script: b"",
                arguments: b"",
                arguments_end: b"",
            };
            arguments.affords(&Record { header, body: Body::Exec(exec) }, length)
        };
        assert!(!affords(0, LONGEST + 1), "too long at once");
        assert!((0..4).all(|_| affords(5, LONGEST)));
        assert!(!affords(6, 1), "the second is used up");
        assert!(affords(SECOND_NS, LONGEST));
    }
}

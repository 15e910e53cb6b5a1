//! The canary: a process of our own that makes known calls every few seconds, so that a hook that fell silent is noticed before
//! somebody needs it. Takes the records of the ring, picks out the canary's, and says which of them came. What the canary does is
//! no event, meets no rule and alarms nobody: it is told as coverage.
//!
//! The canary is known by its pid and the moment of its fork, and its children by theirs: no name, path or cgroup that somebody else
//! could take makes a process invisible.

mod calls;
mod child;
mod ground;
mod rounds;
mod sight;
mod untried;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ebpf_common::header::Header;

pub use child::run;
pub use rounds::{CanaryError, Round, Rounds, Tried};
pub use sight::number;
pub use untried::why;

/// The word with which the agent's binary becomes the canary.
pub const SUBCOMMAND: &str = "canary";

/// What came of the canary. Cheap to clone; shared by the reader of the rings and whoever asks.
#[derive(Clone, Debug)]
pub struct Sighted(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// 0: there is none.
    pid: AtomicU32,
    /// 0: not known before its first record, since `/proc` does not tell it exactly.
    start_ns: AtomicU64,
    /// By the number of the sight.
    seen: [AtomicU64; sight::NUMBERS],
}

impl Default for Sighted {
    fn default() -> Self {
        let seen = [const { AtomicU64::new(0) }; sight::NUMBERS];
        Self(Arc::new(Shared { pid: AtomicU32::new(0), start_ns: AtomicU64::new(0), seen }))
    }
}

impl Sighted {
    /// From here on this process is the canary. It must be there, and wait: else its pid could be another's by now. 0: nobody is.
    pub fn adopt(&self, pid: u32) {
        self.0.pid.store(0, Ordering::Release);
        self.0.start_ns.store(0, Ordering::Release);
        self.0.pid.store(pid, Ordering::Release);
    }

    /// Whether a record, which shows this [`number`], is the canary's or of a child of its. It is noted then, and tells nothing else.
    pub fn takes(&self, header: &Header, number: u16) -> bool {
        let pid = self.0.pid.load(Ordering::Acquire);
        if pid == 0 {
            return false;
        }
        let is_own = header.pid == pid && self.is_start(header.start_ns)
            || header.parent_pid == pid && self.is_start(header.parent_start_ns);
        if is_own && let Some(count) = self.0.seen.get(usize::from(number)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        is_own
    }

    /// How many records that show this number came so far.
    pub fn count(&self, number: u16) -> u64 {
        self.0.seen.get(usize::from(number)).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// All counts, by number.
    fn counts(&self) -> Vec<u64> {
        self.0.seen.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    fn is_start(&self, start_ns: u64) -> bool {
        let known = self.0.start_ns.compare_exchange(0, start_ns, Ordering::AcqRel, Ordering::Acquire);
        known.map_or_else(|known| known == start_ns, |_| start_ns != 0)
    }
}

#[cfg(test)]
mod tests {
    use ebpf_common::Kind;
    use zerocopy::FromZeros;

    use super::*;

    const EXEC: u16 = Kind::Exec as u16;

    fn header(pid: u32, start_ns: u64, parent: (u32, u64)) -> Header {
        Header { kind: EXEC, pid, start_ns, parent_pid: parent.0, parent_start_ns: parent.1, ..Header::new_zeroed() }
    }

    #[test]
    fn only_the_canary_and_its_children_are_taken() {
        let sighted = Sighted::default();
        assert!(!sighted.takes(&header(7, 100, (1, 1)), EXEC), "there is none yet");
        sighted.adopt(7);
        let records = [
            (header(8, 200, (7, 100)), true, "its child, from which its start is learned"),
            (header(7, 100, (1, 1)), true, "itself"),
            (header(7, 300, (1, 1)), false, "another process with its number"),
            (header(9, 400, (7, 300)), false, "a child of that one"),
            (header(10, 500, (8, 200)), false, "a grandchild"),
        ];
        for (record, expected, who) in records {
            assert_eq!(sighted.takes(&record, EXEC), expected, "{who}");
        }
        assert_eq!(sighted.count(EXEC), 2);
    }

    #[test]
    fn a_record_without_a_start_is_nobodys() {
        let sighted = Sighted::default();
        sighted.adopt(7);
        assert!(!sighted.takes(&header(7, 0, (1, 1)), EXEC));
        assert!(sighted.takes(&header(7, 100, (1, 1)), EXEC), "and teaches nothing");
    }
}

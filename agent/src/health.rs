//! How the agent is. Takes counts from its parts; gives one picture for people and for a readiness probe. Evidence is never here
//! only: what was lost is in `Loss` events.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::origin::runtime::standing::{Standing, Standings};

/// Counters that the parts raise. Cheap to clone; shared.
#[derive(Debug, Clone, Default)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    connected: AtomicBool,
    /// `None`: not known yet.
    lacks: Mutex<Option<Vec<String>>>,
    not_kept: Mutex<Vec<String>>,
    counters: [AtomicU64; Counter::COUNT],
    runtimes: Standings,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Records read from the kernel or a recording.
    Records,
    /// Records that were not what the kernel programs write.
    Malformed,
    /// Rules that matched on the node.
    Triggers,
    /// Triggers that found the responder busy.
    TriggersDropped,
    /// Sessions with the collector that were welcomed.
    Sessions,
    /// Attempts that ended before a welcome.
    SessionsFailed,
    /// Messages that the collector refused.
    Refused,
    /// Blocks sent, repeated ones included.
    BlocksSent,
    /// Orders taken.
    Orders,
    /// Orders answered as refused because too many waited.
    OrdersRefused,
    /// Captures that the collector has completely.
    CapturesDelivered,
    /// Jumps of the wall clock.
    ClockJumps,
    /// Processes that the kernel had stopped and whose record was lost.
    StopsFound,
    /// Records of the agent's own canary, of which no event is made.
    Canary,
}

impl Counter {
    const COUNT: usize = 14;
}

/// The agent at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// A session with the collector is open.
    pub connected: bool,
    /// Every hook that is needed works; false also where that is not known yet.
    pub ready: bool,
    /// What is missing for that.
    pub lacks: Vec<String>,
    /// What is not recorded while the agent is away, and why; empty: all is.
    #[serde(default)]
    pub not_kept: Vec<String>,
    /// See [`Counter`].
    pub records: u64,
    /// See [`Counter`].
    pub malformed: u64,
    /// See [`Counter`].
    pub triggers: u64,
    /// See [`Counter`].
    pub triggers_dropped: u64,
    /// See [`Counter`].
    pub sessions: u64,
    /// See [`Counter`].
    pub sessions_failed: u64,
    /// See [`Counter`].
    pub refused: u64,
    /// See [`Counter`].
    pub blocks_sent: u64,
    /// See [`Counter`].
    pub orders: u64,
    /// See [`Counter`].
    pub orders_refused: u64,
    /// See [`Counter`].
    pub captures_delivered: u64,
    /// See [`Counter`].
    pub clock_jumps: u64,
    /// See [`Counter`].
    pub stops_found: u64,
    /// See [`Counter`].
    pub canary: u64,
    /// The container runtimes that are asked for names.
    pub runtimes: Vec<Standing>,
}

impl Health {
    /// Raises a counter by one.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Raises a counter.
    pub fn add(&self, counter: Counter, by: u64) {
        self.shared.counters[counter as usize].fetch_add(by, Ordering::Relaxed);
    }

    /// Says whether a session is open.
    pub fn set_connected(&self, connected: bool) {
        self.shared.connected.store(connected, Ordering::Relaxed);
    }

    /// Says what keeps the node from being ready; empty: nothing.
    pub fn set_lacks(&self, lacks: Vec<String>) {
        *self.shared.lacks.lock().unwrap_or_else(PoisonError::into_inner) = Some(lacks);
    }

    /// Says what is not recorded while the agent is away.
    pub fn set_not_kept(&self, what: Vec<String>) {
        *self.shared.not_kept.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// How the container runtimes do: for those who talk with them.
    pub fn runtimes(&self) -> &Standings {
        &self.shared.runtimes
    }

    /// A counter's value.
    pub fn get(&self, counter: Counter) -> u64 {
        self.shared.counters[counter as usize].load(Ordering::Relaxed)
    }

    /// Everything at once.
    pub fn picture(&self) -> Picture {
        let lacks = self.shared.lacks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Picture {
            ready: lacks.as_ref().is_some_and(Vec::is_empty),
            lacks: lacks.unwrap_or_else(|| vec!["the first round of the canary is not over".to_owned()]),
            not_kept: self.shared.not_kept.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            connected: self.shared.connected.load(Ordering::Relaxed),
            records: self.get(Counter::Records),
            malformed: self.get(Counter::Malformed),
            triggers: self.get(Counter::Triggers),
            triggers_dropped: self.get(Counter::TriggersDropped),
            sessions: self.get(Counter::Sessions),
            sessions_failed: self.get(Counter::SessionsFailed),
            refused: self.get(Counter::Refused),
            blocks_sent: self.get(Counter::BlocksSent),
            orders: self.get(Counter::Orders),
            orders_refused: self.get(Counter::OrdersRefused),
            captures_delivered: self.get(Counter::CapturesDelivered),
            clock_jumps: self.get(Counter::ClockJumps),
            stops_found: self.get(Counter::StopsFound),
            canary: self.get(Counter::Canary),
            runtimes: self.shared.runtimes.picture(),
        }
    }

    /// Replaces a file by the picture of this moment, as JSON.
    pub fn show(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(&self.picture())?)?;
        std::fs::rename(beside, path)
    }
}

/// Resident memory and processor time of this process.
pub fn usage() -> (u64, u64) {
    let Ok(stat) = procfs::process::Process::myself().and_then(|process| process.stat()) else { return (0, 0) };
    let per_second = procfs::ticks_per_second().max(1);
    (stat.rss * procfs::page_size(), (stat.utime + stat.stime).saturating_mul(1_000_000_000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_part_counts_the_picture_shows() {
        let health = Health::default();
        health.clone().count(Counter::ClockJumps);
        health.add(Counter::Records, 5);
        let picture = health.picture();
        assert_eq!((picture.records, picture.clock_jumps, picture.connected), (5, 1, false));
    }

    #[test]
    fn the_picture_can_be_read_from_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("health.json");
        Health::default().show(&path).expect("writable");
        let text = std::fs::read_to_string(path).expect("there");
        assert!(text.contains("\"connected\":false"), "{text}");
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage().0 > 0);
    }
}

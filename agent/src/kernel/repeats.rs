//! The kernel's table of what is done again and again. Takes the time; gives the entries whose windows are over, each once, and takes them
//! out. An entry is taken long after anybody could still count into it, so no count is lost on the way.

use std::time::Duration;

use aya::maps::{HashMap, MapData, MapError};
use ebpf_common::repeats::{Repeated, Repeats};
use zerocopy::FromBytes;

use crate::clock::nanoseconds;

/// One thing that was done again after it was told, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// What.
    pub of: Repeated,
    /// How often.
    pub repeats: Repeats,
}

/// What is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Over {
    /// Each that was done again.
    pub repeats: Vec<Repeat>,
    /// Of what was told before this moment nothing more will come.
    pub before_ns: u64,
}

/// A kernel program that read the clock at the end of a window is done with its entry so long after.
const GRACE: Duration = Duration::from_secs(2);

type Key = [u8; size_of::<Repeated>()];
type Value = [u8; size_of::<Repeats>()];

/// The table.
pub(super) struct Table {
    entries: HashMap<MapData, Key, Value>,
    window_ns: u64,
    /// Windows below this one were looked for.
    looked: u64,
}

impl Table {
    pub(super) fn new(entries: HashMap<MapData, Key, Value>, window: Duration) -> Self {
        Self { entries, window_ns: nanoseconds(window), looked: 0 }
    }

    /// What is over at this moment; nothing new within a window.
    pub(super) fn over(&mut self, now_ns: u64) -> Result<Over, MapError> {
        let graced_ns = now_ns.saturating_sub(nanoseconds(GRACE));
        let Some(first_open) = graced_ns.checked_div(self.window_ns).filter(|window| *window > self.looked) else {
            return Ok(Over::default());
        };
        let over = self.take(first_open)?;
        self.looked = first_open;
        Ok(over)
    }

    /// Everything, also of the window that is not over.
    pub(super) fn all(&mut self) -> Result<Over, MapError> {
        self.take(u64::MAX)
    }

    fn take(&mut self, first_open: u64) -> Result<Over, MapError> {
        let keys: Vec<Key> = self.entries.keys().collect::<Result<_, _>>()?;
        let mut repeats = Vec::new();
        for key in keys {
            let of = Repeated::read_from_bytes(&key).expect("a key is as large as its type");
            if u64::from(of.window) >= first_open {
                continue;
            }
            let value = self.entries.get(&key, 0)?;
            self.entries.remove(&key)?;
            let counted = Repeats::read_from_bytes(&value).expect("an entry is as large as its type");
            if counted.count > 0 {
                repeats.push(Repeat { of, repeats: counted });
            }
        }
        Ok(Over { repeats, before_ns: first_open.saturating_mul(self.window_ns) })
    }
}

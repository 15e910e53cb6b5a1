//! Where each node's log stands at the collector. Takes what became durable; gives the position to resume after and what the next
//! block must be linked to. Never ahead of the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::{Kind, Meta};

/// Gaps that are remembered per log, to tell a late block from a repeated one. Older ones are only in the loss history.
pub const GAPS: usize = 1024;

/// One log of one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The node's name.
    pub node: String,
    /// The log's id.
    pub log_id: String,
}

/// Where one log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The position that is expected next.
    pub next: u64,
    /// Link of the last block; empty before the first.
    pub link: Vec<u8>,
    /// Boot of the last event.
    pub boot_id: String,
    /// Time of the last event.
    pub time_ns: u64,
    /// Positions that never arrived, first and last, in order.
    pub gaps: Vec<(u64, u64)>,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { next: 1, link: Vec::new(), boot_id: String::new(), time_ns: 0, gaps: Vec::new() }
    }
}

impl Cursor {
    /// Takes note of a frame of this log.
    pub fn advance(&mut self, meta: &Meta) {
        let last = meta.last_position();
        match meta.kind() {
            Kind::Block => {
                self.next = last.saturating_add(1);
                self.link.clone_from(&meta.link);
                self.boot_id.clone_from(&meta.last_boot_id);
                self.time_ns = self.time_ns.max(meta.to_ns);
            }
            Kind::Gap => {
                self.next = last.saturating_add(1);
                if self.gaps.len() == GAPS {
                    self.gaps.remove(0);
                }
                self.gaps.push((meta.first_position, last));
            }
            Kind::Audit | Kind::Unspecified => {}
        }
    }

    /// Whether a position of this range is known to have never arrived.
    pub fn is_missing(&self, first: u64, last: u64) -> bool {
        self.gaps.iter().any(|(from, to)| *from <= last && first <= *to)
    }
}

/// All logs, as far as they are durable. Shared: the landing writer advances it, sessions read it.
#[derive(Clone, Debug, Default)]
pub struct Cursors {
    logs: Arc<Mutex<HashMap<LogKey, Cursor>>>,
}

impl Cursors {
    /// Where a log stands; a log that was never seen stands at its beginning.
    pub fn get(&self, key: &LogKey) -> Cursor {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    /// Puts a stored cursor in place, at start.
    pub fn restore(&self, key: LogKey, cursor: Cursor) {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, cursor);
    }

    /// Takes note of frames that are durable.
    pub fn advance<'a>(&self, metas: impl Iterator<Item = &'a Meta>) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        for meta in metas.filter(|meta| matches!(meta.kind(), Kind::Block | Kind::Gap)) {
            logs.entry(LogKey::of(meta)).or_default().advance(meta);
        }
    }

    /// Every log with its cursor, sorted.
    pub fn all(&self) -> Vec<(LogKey, Cursor)> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = logs.iter().map(|(key, cursor)| (key.clone(), cursor.clone())).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }
}

impl LogKey {
    /// The log that a frame is of.
    pub fn of(meta: &Meta) -> Self {
        Self { node: meta.node.clone(), log_id: meta.log_id.clone() }
    }
}

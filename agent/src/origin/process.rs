//! The process table: who runs what, who started it, and whether it belongs to its container's init.
//!
//! Takes forks, execs and exits in the order in which they arrive, which need not be the order in which they happened;
//! gives a process by its key. Bounded: a full table refuses newcomers and counts them. Never reads `/proc`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use proto::v1::{Entry, ProcessKey};

use super::image::Image;

/// `/proc/<pid>/stat` counts the start in hundredths of a second (`USER_HZ`, fixed by the kernel's ABI).
pub const TICK_NS: u64 = 10_000_000;

/// How exactly the start of a process is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// As the kernel stamped it.
    Exact,
    /// From `/proc`: cut to a whole tick.
    Tick,
}

/// One process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its name for the life of this boot. While only `/proc` has spoken of it, the start is cut to a tick.
    pub key: ProcessKey,
    /// Who started it, where known.
    pub parent: Option<ProcessKey>,
    /// What it runs.
    pub image: Arc<Image>,
    /// What its parent ran when it was last seen; outlives the parent.
    pub parent_image: Option<Arc<Image>>,
    /// The cgroup it was last seen in.
    pub cgroup_id: u64,
    /// How it came into its container; unspecified where it is in none, or while nobody could say.
    pub entry: Entry,
    start: Start,
    executed: bool,
    exited: bool,
}

impl Process {
    /// A process that was born by a fork.
    pub fn forked(key: ProcessKey, parent: Option<ProcessKey>, image: Arc<Image>, cgroup_id: u64) -> Self {
        Self {
            key,
            parent,
            image,
            parent_image: None,
            cgroup_id,
            entry: Entry::Unspecified,
            start: Start::Exact,
            executed: false,
            exited: false,
        }
    }

    /// A process that `/proc` tells of: its start is known to the tick only.
    pub fn seeded(key: ProcessKey, parent: Option<ProcessKey>, image: Arc<Image>, cgroup_id: u64) -> Self {
        Self { start: Start::Tick, executed: true, ..Self::forked(key, parent, image, cgroup_id) }
    }

    fn is(&self, key: ProcessKey) -> bool {
        self.key.pid == key.pid
            && match self.start {
                Start::Exact => self.key.start_ns == key.start_ns,
                Start::Tick => self.key.start_ns / TICK_NS == key.start_ns / TICK_NS,
            }
    }
}

/// All processes that live, and those that ended a moment ago.
#[derive(Debug)]
pub struct ProcessTable {
    current: HashMap<u32, Process>,
    // A process whose pid was taken by another within the time the dead are kept.
    replaced: HashMap<ProcessKey, Process>,
    // The dead with the time at which they are forgotten, in order.
    dead: VecDeque<(u64, ProcessKey)>,
    limit: usize,
    keep_dead_ns: u64,
    refused: u64,
}

impl ProcessTable {
    /// A table of at most `limit` processes, the dead of the last `keep_dead_ns` included.
    pub fn new(limit: usize, keep_dead_ns: u64) -> Self {
        Self {
            current: HashMap::new(),
            replaced: HashMap::new(),
            dead: VecDeque::new(),
            limit,
            keep_dead_ns,
            refused: 0,
        }
    }

    /// How many processes did not fit.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many processes are in the table.
    pub fn len(&self) -> usize {
        self.current.len() + self.replaced.len()
    }

    /// Whether nobody is in the table.
    pub fn is_empty(&self) -> bool {
        self.current.is_empty() && self.replaced.is_empty()
    }

    /// The process of that key, living or lately dead.
    pub fn get(&self, key: ProcessKey) -> Option<&Process> {
        match self.current.get(&key.pid) {
            Some(process) if process.is(key) => Some(process),
            _ => self.replaced.get(&key),
        }
    }

    /// The process of that key, to change. A start that was known to the tick becomes exact here.
    pub fn get_mut(&mut self, key: ProcessKey) -> Option<&mut Process> {
        match self.current.get_mut(&key.pid) {
            Some(process) if process.is(key) => {
                process.key = key;
                process.start = Start::Exact;
                Some(process)
            }
            _ => self.replaced.get_mut(&key),
        }
    }

    /// The process that has a pid now, by the pid alone: for `/proc`, which knows nothing else.
    pub fn by_pid(&self, pid: u32) -> Option<&Process> {
        self.current.get(&pid)
    }

    /// The process that has a pid now, to change, without making its start exact.
    pub fn get_seeded(&mut self, pid: u32) -> Option<&mut Process> {
        self.current.get_mut(&pid)
    }

    /// Every process that has not ended.
    pub fn living(&self) -> impl Iterator<Item = &Process> {
        self.current.values().filter(|process| !process.exited)
    }

    /// Puts a process in. One of the same key that is already there stays: it knows more. False where the table is full.
    pub fn insert(&mut self, process: Process, now_ns: u64) -> bool {
        if let Some(known) = self.get_mut(process.key) {
            known.parent = known.parent.or(process.parent);
            return true;
        }
        if self.len() >= self.limit {
            self.forget_dead(now_ns);
        }
        // A storm of short processes fills the table with its dead: those go first, before a living one is refused.
        while self.len() >= self.limit
            && let Some(&(until_ns, _)) = self.dead.front()
        {
            self.forget_dead(until_ns);
        }
        if self.len() >= self.limit {
            self.refused += 1;
            return false;
        }
        if let Some(earlier) = self.current.insert(process.key.pid, process) {
            if !earlier.exited {
                // Its exit was lost, or is still on its way from another CPU.
                self.dead.push_back((now_ns.saturating_add(self.keep_dead_ns), earlier.key));
            }
            self.replaced.insert(earlier.key, earlier);
        }
        true
    }

    /// A new image is in place in a process of the table.
    pub fn execute(&mut self, key: ProcessKey, image: Arc<Image>) {
        if let Some(process) = self.get_mut(key) {
            process.image = image;
            process.executed = true;
        }
    }

    /// A process ended. It stays for a while: its exec may still arrive from another CPU.
    pub fn exit(&mut self, key: ProcessKey, now_ns: u64) {
        if let Some(process) = self.get_mut(key)
            && !process.exited
        {
            process.exited = true;
            self.dead.push_back((now_ns.saturating_add(self.keep_dead_ns), key));
        }
    }

    /// Forgets the dead whose time is over. Cheap when there are none: called for every record.
    pub fn forget_dead(&mut self, now_ns: u64) {
        while let Some(&(until_ns, key)) = self.dead.front() {
            if until_ns > now_ns {
                return;
            }
            self.dead.pop_front();
            if self.replaced.remove(&key).is_none()
                && self.current.get(&key.pid).is_some_and(|process| process.exited && process.key == key)
            {
                self.current.remove(&key.pid);
            }
        }
    }

    /// Takes out every process for which `alive` answers no: exits can be lost, and the table must not fill with ghosts.
    pub fn sweep(&mut self, alive: impl Fn(u32) -> bool) {
        self.current.retain(|&pid, process| process.exited || alive(pid));
    }

    /// Whether a process has had an image of its own since its fork.
    pub fn has_executed(&self, key: ProcessKey) -> bool {
        self.get(key).is_some_and(|process| process.executed)
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;

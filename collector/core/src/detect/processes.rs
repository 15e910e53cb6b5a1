//! Which program each process of one node runs, and which its parent ran when it began. Takes forks, execs and exits in the order of
//! the node's log; gives the program behind a later event. Bounded: what it forgets is missing in later answers, never wrong.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use crate::model::ProcessKey;
use crate::model::event::Exec;

/// A map whose hashing has no random state: judgement gives the same bytes for the same input.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Living processes kept for one node: twice the default `pid_max` of a small machine. Beyond it the oldest are forgotten.
const LIVING: usize = 65_536;

/// The dead kept for one node: an exit may overtake the last events of its process on another CPU.
const DEAD: usize = 4_096;

/// A program image with what it was started with. Shared between a process, its forks and their children.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) image: Vec<u8>,
    pub(crate) command_line: Vec<u8>,
    pub(crate) directory: Vec<u8>,
    pub(crate) inode: u64,
    pub(crate) memfd: bool,
    pub(crate) deleted: bool,
    pub(crate) upper_layer: bool,
    pub(crate) capabilities: u64,
}

/// Between the begin and the end of arguments of which the middle is missing: as the node writes it.
const GAP: &[u8] = " … ".as_bytes();

impl Program {
    pub(crate) fn of(exec: &Exec) -> Self {
        let length = exec.arguments.iter().map(|argument| argument.0.len() + 1).sum();
        let mut command_line = Vec::with_capacity(length);
        for argument in &exec.arguments {
            if !command_line.is_empty() {
                command_line.push(b' ');
            }
            command_line.extend_from_slice(&argument.0);
        }
        if !exec.arguments_end.0.is_empty() {
            command_line.extend_from_slice(GAP);
            command_line.extend(exec.arguments_end.0.iter().map(|&byte| if byte == 0 { b' ' } else { byte }));
        }
        Self {
            image: exec.path.0.clone(),
            command_line,
            directory: exec.directory.0.clone(),
            inode: exec.inode,
            memfd: exec.memfd,
            // Without an inode the file could not be read, and its links are not known.
            deleted: exec.links == 0 && exec.inode != 0,
            upper_layer: exec.upper_layer,
            capabilities: exec.capabilities,
        }
    }
}

/// What is known of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// What it runs.
    pub(crate) program: Option<Arc<Program>>,
    /// What its parent ran when this process began.
    pub(crate) parent: Option<Arc<Program>>,
}

/// Pid and start time: unique within one boot.
type Key = (u32, u64);

const fn key(process: &ProcessKey) -> Key {
    (process.pid, process.start_ns)
}

/// The processes of one boot of one node.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    boot_id: String,
    known: Map<Key, Known>,
    // Invariant: every key of `known` stands in `born` or in `dead` at least once, so that eviction reaches it.
    born: VecDeque<Key>,
    dead: VecDeque<Key>,
}

impl Processes {
    /// A new boot begins with nothing: its pids and times are of another count.
    fn same_boot(&mut self, process: &ProcessKey) {
        if self.boot_id != process.boot_id {
            self.known.clear();
            self.born.clear();
            self.dead.clear();
            self.boot_id.clone_from(&process.boot_id);
        }
    }

    /// A child runs what its parent runs until it executes something else.
    pub(crate) fn fork(&mut self, parent: &ProcessKey, child: &ProcessKey) {
        self.same_boot(parent);
        let program = self.known.get(&key(parent)).and_then(|known| known.program.clone());
        self.insert(key(child), Known { program: program.clone(), parent: program });
    }

    /// A new image. The parent's program is the one it ran at the fork, or runs now where the fork was not seen.
    pub(crate) fn exec(&mut self, process: &ProcessKey, parent: Option<&ProcessKey>, exec: &Exec) {
        self.same_boot(process);
        let program = Some(Arc::new(Program::of(exec)));
        if let Some(known) = self.known.get_mut(&key(process)) {
            known.program = program;
            return;
        }
        let parent = parent.and_then(|parent| self.known.get(&key(parent))?.program.clone());
        self.insert(key(process), Known { program, parent });
    }

    /// The process ended; it stays for a while.
    pub(crate) fn exit(&mut self, process: &ProcessKey) {
        if self.known.contains_key(&key(process)) {
            self.dead.push_back(key(process));
        }
        if self.dead.len() > DEAD
            && let Some(oldest) = self.dead.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// What is known of a process.
    pub(crate) fn get(&self, process: &ProcessKey) -> Option<&Known> {
        if self.boot_id == process.boot_id { self.known.get(&key(process)) } else { None }
    }

    fn insert(&mut self, process: Key, known: Known) {
        if self.known.insert(process, known).is_none() {
            self.born.push_back(process);
        }
        // Keys of the dead stay in `born` until they come to its front; both bounds hold all the same.
        while self.born.len() > LIVING {
            if let Some(oldest) = self.born.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Raw;

    fn process(pid: u32, start_ns: u64) -> ProcessKey {
        ProcessKey { node: "node-1".into(), boot_id: "boot".into(), pid, start_ns }
    }

    fn run(path: &str) -> Exec {
        Exec { path: Raw(path.into()), arguments: vec![Raw(path.into()), Raw(b"-x".to_vec())], ..Exec::default() }
    }

    fn image(known: Option<&Arc<Program>>) -> String {
        known.map_or_else(|| "?".into(), |program| String::from_utf8_lossy(&program.command_line).into_owned())
    }

    #[test]
    fn a_fork_runs_its_parents_program_until_it_executes_another() {
        let mut table = Processes::default();
        table.exec(&process(1, 1), None, &run("/bin/sh"));
        table.fork(&process(1, 1), &process(2, 5));
        assert_eq!(image(table.get(&process(2, 5)).expect("forked").program.as_ref()), "/bin/sh -x");
        table.exec(&process(2, 5), None, &run("/bin/id"));
        let known = table.get(&process(2, 5)).expect("forked");
        assert_eq!(
            (image(known.program.as_ref()), image(known.parent.as_ref())),
            ("/bin/id -x".into(), "/bin/sh -x".into())
        );
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = Processes::default();
        table.exec(&process(7, 1), None, &run("/bin/sh"));
        table.exit(&process(7, 1));
        assert!(table.get(&process(7, 1)).is_some(), "late events of the dead are still answered");
        assert!(table.get(&process(7, 2)).is_none());
    }

    #[test]
    fn the_table_stays_bounded() {
        let mut table = Processes::default();
        for pid in 0..200_000 {
            table.fork(&process(1, 1), &process(pid + 2, 9));
            table.exit(&process(pid + 2, 9));
        }
        assert!(table.known.len() <= LIVING, "{}", table.known.len());
        assert!(table.born.len() <= LIVING && table.dead.len() <= DEAD);
    }
}

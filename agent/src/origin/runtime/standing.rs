//! How each container runtime does, for people: whether it answers, what it said, what of that was refused. Takes words of the sessions
//! and of the container table; gives a picture. Decides nothing.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its socket.
    pub socket: String,
    /// What it calls itself, with its version; empty where it never answered.
    pub runtime: String,
    /// `asked`: it answers. Else why it is not asked.
    pub state: String,
    /// Containers that it named.
    pub named: u64,
    /// Ids that it does not know.
    pub unknown: u64,
    /// Calls that failed or took too long.
    pub failed: u64,
    /// Questions that were given up because too many waited.
    pub dropped: u64,
    /// Answers that contradict the kernel or the question, and were not taken.
    pub refused: u64,
    /// The last of these, in words.
    pub last_refused: String,
}

impl Standing {
    /// One that was not asked yet.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.display().to_string(), state: "not asked yet".to_owned(), ..Self::default() }
    }
}

/// All of them. Cheap to clone; shared.
#[derive(Debug, Clone, Default)]
pub struct Standings(Arc<Mutex<Vec<Standing>>>);

impl Standings {
    pub(super) fn set(&self, standings: Vec<Standing>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standings;
    }

    pub(super) fn change(&self, runtime: usize, change: impl FnOnce(&mut Standing)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(runtime).map(change);
    }

    /// The state of one runtime, said in the log where it is another than before.
    pub(super) fn state(&self, runtime: usize, state: &str) {
        self.change(runtime, |standing| {
            if standing.state != state {
                state.clone_into(&mut standing.state);
                tracing::info!(socket = standing.socket, state, "container runtime");
            }
        });
    }

    /// An answer was refused. Only the first of a runtime is worth a line in the log: a lying one would fill it.
    pub(super) fn refuse(&self, runtime: usize, why: String) {
        self.change(runtime, |standing| {
            if standing.refused == 0 {
                tracing::warn!(socket = standing.socket, why, "a container runtime contradicts the kernel");
            }
            standing.refused += 1;
            standing.last_refused = why;
        });
    }

    /// Everything at this moment.
    pub fn picture(&self) -> Vec<Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

//! The talks with container runtimes, a task each. Takes the configuration; gives the observer its link to them, and ends them all.

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use super::{Ground, parts};
use crate::config::Config;
use crate::health::Health;
use crate::observe::Observer;

/// The tasks, and what stops them.
pub(super) struct Talks {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Talks {
    /// Starts them; none for a replay, whose containers are another machine's.
    pub(super) fn begin(
        config: &Config,
        ground: &Ground,
        runtime: &Runtime,
        health: &Health,
        observer: &mut Observer,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let sessions = match ground.kernel {
            Some(_) => parts::runtimes(config, health, observer),
            None => Vec::new(),
        };
        let tasks = sessions.into_iter().map(|session| runtime.spawn(session.run(stopped.clone()))).collect();
        Self { stop, tasks }
    }

    /// Ends them; an error is a panic of one.
    pub(super) fn end(self, runtime: &Runtime) -> Result<(), JoinError> {
        self.stop.send_replace(true);
        self.tasks.into_iter().try_for_each(|task| runtime.block_on(task))
    }
}

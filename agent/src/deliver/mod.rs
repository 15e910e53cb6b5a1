//! Delivery: from the log on this node to the collector, at least once, in order. Takes synced blocks, captures and order
//! results; moves the cursor as the collector acknowledges. While the collector is away nothing is held in memory: the blocks lie
//! on disk, and the log's bounds decide how long.

pub(crate) mod backoff;
mod connect;
pub mod hello;
pub mod orders;
mod session;
pub mod spool;
mod upload;
mod window;

use proto::v1::{Hello, OrderResult};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

pub use backoff::Backoff;
pub use connect::ConnectError;

use crate::config::Collector;
use crate::health::{Counter, Health};
use crate::log::Log;
use hello::NodeFacts;
use orders::OrderDesk;
use session::{Session, SessionEnd, shut_down};
use spool::Spool;

/// The sender and what it works with.
#[derive(Debug)]
pub struct Delivery {
    /// Where to, and how patiently.
    pub settings: Collector,
    /// What it says of the node.
    pub facts: NodeFacts,
    /// What it sends.
    pub log: Log,
    /// What it sends beside.
    pub spool: Spool,
    /// Where orders go.
    pub desk: OrderDesk,
    /// Where it counts.
    pub health: Health,
}

/// What wakes the sender from outside.
#[derive(Debug)]
pub struct Ends {
    /// Results of orders, from the responder.
    pub results: mpsc::Receiver<OrderResult>,
    /// True when the agent shuts down: the tail of the log is sent, within `timeout`.
    pub shutdown: watch::Receiver<bool>,
}

impl Delivery {
    /// Delivers until the agent shuts down.
    pub async fn run(mut self, mut ends: Ends) {
        let mut backoff = Backoff::new(self.settings.backoff_min, self.settings.backoff_max, self.facts.seed());
        let mut last_failure = String::new();
        loop {
            let (end, progress) = self.attempt(&mut ends).await;
            self.health.set_connected(false);
            if matches!(end, SessionEnd::Shutdown) {
                return;
            }
            if progress {
                backoff.reset();
            }
            let failure = describe(&end);
            // The same failure is said once, not each time.
            if failure != last_failure {
                tracing::warn!(%failure, "no session with the collector; events stay in the log");
                last_failure = failure;
            }
            if !self.rest(backoff.wait(), &mut ends).await {
                return;
            }
        }
    }

    /// One attempt, from connecting to the end of the session; and whether something was acknowledged in it.
    async fn attempt(&mut self, ends: &mut Ends) -> (SessionEnd, bool) {
        let connecting = connect::connect(&self.settings);
        let channel = tokio::select! {
            channel = connecting => channel,
            () = shut_down(&mut ends.shutdown) => return (SessionEnd::Shutdown, false),
        };
        let opened = match channel {
            Ok(channel) => {
                let health = self.health.clone();
                match Session::open(self, channel).await {
                    Ok(mut session) => {
                        health.set_connected(true);
                        let end = session.run(ends).await;
                        return (end, session.made_progress());
                    }
                    Err(end) => end,
                }
            }
            Err(error) => SessionEnd::Closed(chain(&error)),
        };
        self.health.count(Counter::SessionsFailed);
        (opened, false)
    }

    /// Waits before the next attempt; results of that time are told when a session begins. False: the agent shuts down.
    async fn rest(&mut self, wait: std::time::Duration, ends: &mut Ends) -> bool {
        let until = sleep(wait);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return true,
                () = shut_down(&mut ends.shutdown) => return false,
                Some(result) = ends.results.recv() => self.desk.answered(&result),
            }
        }
    }

    fn hello(&self) -> Hello {
        self.facts.hello(&self.log)
    }
}

fn describe(end: &SessionEnd) -> String {
    end.to_string()
}

/// An error and its causes in one line: the transport's own text is only "transport error".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;

//! The small tasks between the parts: what the responder says goes to the log and the sender, what the sender is ordered goes to the
//! responder. Takes and gives through channels; decides nothing. Spawned by `run` alone.

use std::time::Duration;

use proto::v1::{Order, OrderResult};
use tokio::sync::{mpsc, watch};

use super::Wake;
use crate::deliver::spool::Spool;
use crate::log::Log;
use crate::respond::Said;

/// How long a replay waits until the collector has all of it.
const REPLAY_PATIENCE: Duration = Duration::from_mins(2);

/// The responder's words: events into the log, results to the sender. Without a collector nobody ordered anything.
pub(super) async fn pass_on_said(mut said: mpsc::Receiver<Said>, log: Log, results: mpsc::Sender<OrderResult>) {
    while let Some(word) = said.recv().await {
        match word {
            Said::Event(mut event) => {
                log.append(&mut event);
            }
            Said::Result(result) => {
                if results.send(*result).await.is_err() {
                    tracing::debug!("a result has no reader: it is told again to the next session");
                }
            }
        }
    }
}

/// The sender's orders to the responder, until the agent ends: the responder ends when nobody can order anything any more.
pub(super) async fn pass_on_orders(
    mut from: mpsc::Receiver<Order>,
    to: mpsc::Sender<Order>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut open = true;
    loop {
        tokio::select! {
            () = end(&mut stopped) => return,
            order = from.recv(), if open => match order {
                Some(order) => if to.send(order).await.is_err() { return; },
                // No collector: no orders. The channel to the responder stays open until the end all the same.
                None => open = false,
            },
        }
    }
}

async fn end(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("nobody is left to say when to stop");
    }
}

/// Does the work, then wakes the main loop.
pub(super) async fn then(work: impl Future<Output = ()>, wake: mpsc::Sender<Wake>, with: Wake) {
    work.await;
    if wake.send(with).await.is_err() {
        tracing::debug!("the main loop has ended already");
    }
}

/// A replay ends when the collector has all of it, or when somebody has waited long enough.
pub(super) async fn all_delivered(log: &Log, spool: &Spool, wakes: &mut mpsc::Receiver<Wake>) {
    let delivered = async {
        while log.acknowledged() < log.newest() || !spool.waiting().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = delivered => {}
        () = tokio::time::sleep(REPLAY_PATIENCE) => tracing::warn!("the collector does not have all of the replay"),
        () = terminated(wakes) => {}
    }
}

async fn terminated(wakes: &mut mpsc::Receiver<Wake>) {
    while let Some(wake) = wakes.recv().await {
        if matches!(wake, Wake::Terminate | Wake::Sender) {
            return;
        }
    }
}

//! From what is durable to cases. Reads frames in the order in which they arrived, folds them, and some time after something new draws
//! findings, edges and cases anew. Takes nothing from sessions directly: what is not on disk is not judged, and what waits to be
//! judged waits on disk. Says which cases changed; what to do about them is the response's.

mod cases;
pub mod fold;
mod keys;

use std::time::Duration;

use collector_core::correlate::NodeFacts;
use collector_core::model::{CaseId, Edge, Finding};
use proto::hash_secret::HashSecret;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::health::Health;
use crate::store::Store;
use crate::store::events::frame::Frame;
use crate::store::events::reader::{ReadError, Reader};
use crate::store::journal::JournalError;
use crate::store::state::StateError;
use fold::{Drawn, Fold};
use keys::Keys;

/// A drawing may take this share of the time: with many findings cases are drawn less often.
const DRAW_SHARE: u32 = 10;

/// How often cases are drawn although nothing arrived: edges that were awaited are given up.
const IDLE: Duration = Duration::from_mins(1);

/// Wait after a failure: the disk may be full.
const RETRY: Duration = Duration::from_secs(2);

/// Why judgement stands still for now.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The event log cannot be read.
    #[error("read what arrived")]
    Read(#[from] ReadError),
    /// State cannot be read or written.
    #[error("keep cases")]
    State(#[from] StateError),
    /// The journal cannot be written.
    #[error("journal cases")]
    Journal(#[from] JournalError),
}

/// All that can wake the pipeline.
enum Wake {
    /// Frames arrived; none: the landing log is closed.
    Frames(Option<Vec<Frame>>),
    /// They have settled, or it is time to look again.
    Draw,
    /// The collector stops.
    Stop,
}

/// The pipeline.
#[derive(Debug)]
pub struct Pipeline {
    store: Store,
    clock: Clock,
    health: Health,
    reader: Reader,
    /// Taken out while a thread for computing works on it.
    fold: Option<Fold>,
    settle: Duration,
    changed: mpsc::Sender<CaseId>,
    /// Findings that are not in the state yet.
    unkept: Vec<Finding>,
    edges: Vec<Edge>,
    keys: Keys,
    draw_at: Instant,
    rest: Duration,
}

impl Pipeline {
    /// Reads the store from its beginning. Names of changed cases go into `changed`; when it is full the pipeline waits, and what
    /// arrives waits on disk. `secret` is what nodes of this deployment hash access keys with.
    pub fn new(
        store: Store,
        clock: Clock,
        health: Health,
        fold: Fold,
        secret: Option<&HashSecret>,
        settle: Duration,
        changed: mpsc::Sender<CaseId>,
    ) -> Self {
        let reader = store.events.reader(0);
        let draw_at = Instant::now() + IDLE;
        Self {
            store,
            clock,
            health,
            reader,
            fold: Some(fold),
            settle,
            changed,
            unkept: Vec::new(),
            edges: Vec::new(),
            keys: Keys::new(secret),
            draw_at,
            rest: settle,
        }
    }

    /// Runs until `stop` says so.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            match self.step(&mut stop).await {
                Ok(true) => self.health.well("pipeline"),
                Ok(false) => return,
                Err(cause) => {
                    self.health.ill("pipeline", &crate::say(&cause));
                    tokio::select! {
                        _ = stop.wait_for(|stop| *stop) => return,
                        () = tokio::time::sleep(RETRY) => self.draw_at = Instant::now(),
                    }
                }
            }
        }
    }

    async fn step(&mut self, stop: &mut watch::Receiver<bool>) -> Result<bool, PipelineError> {
        let wake = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Wake::Stop,
            () = tokio::time::sleep_until(self.draw_at), if self.is_caught_up() => Wake::Draw,
            frames = self.reader.next() => Wake::Frames(frames?),
        };
        match wake {
            Wake::Stop | Wake::Frames(None) => Ok(false),
            Wake::Draw => self.draw().await.map(|()| true),
            Wake::Frames(Some(frames)) => self.take(frames).await.map(|()| true),
        }
    }

    /// After a start the whole store is read before anything is drawn: half of it would be another case. After that, drawing does not
    /// wait for a quiet moment.
    fn is_caught_up(&self) -> bool {
        self.reader.sequence() >= self.store.events.sequence_at_open()
    }

    async fn take(&mut self, frames: Vec<Frame>) -> Result<(), PipelineError> {
        let mut fold = self.fold.take().expect("put back after each use");
        let fold = tokio::task::spawn_blocking(move || {
            for frame in &frames {
                fold.take(frame);
            }
            fold
        });
        let fold = self.fold.insert(fold.await.expect("judgement does not panic"));
        let losses = fold.take_losses();
        if fold.is_changed() {
            self.draw_at = self.draw_at.min(Instant::now() + self.rest);
        }
        for loss in losses {
            self.store.state.put_loss(&loss).await?;
        }
        Ok(())
    }

    async fn draw(&mut self) -> Result<(), PipelineError> {
        let began = Instant::now();
        self.draw_at = began + IDLE;
        let nodes = self.store.state.nodes().await?;
        let captures = self.store.state.captures().await?;
        let mut fold = self.fold.take().expect("put back after each use");
        for node in nodes {
            fold.correlator().node_facts(NodeFacts {
                node: node.name,
                instance_id: Some(node.instance_id).filter(|id| !id.is_empty()),
                addresses: node.addresses.iter().filter_map(|address| address.parse().ok()).collect(),
            });
        }
        self.keys.tell(&captures, fold.correlator());
        let now = self.clock.now();
        let drawn = tokio::task::spawn_blocking(move || {
            let drawn = fold.draw(now);
            (fold, drawn)
        });
        let (fold, drawn): (Fold, Drawn) = drawn.await.expect("judgement does not panic");
        self.fold = Some(fold);
        self.unkept.extend(drawn.fresh.iter().cloned());
        cases::keep_findings(&self.store, &self.unkept).await?;
        self.unkept.clear();
        if drawn.edges != self.edges {
            self.store.state.put_edges(&drawn.edges).await?;
            self.edges.clone_from(&drawn.edges);
        }
        for id in cases::keep(&self.store, &self.clock, &drawn).await? {
            // Nobody listens any more: the collector stops.
            drop(self.changed.send(id).await);
        }
        self.rest = self.settle.max(began.elapsed() * DRAW_SHARE);
        Ok(())
    }
}

//! The collector as a process: builds the parts, starts every task that there is, and joins them. Takes the data directory and the
//! configuration; runs until SIGTERM or SIGINT. The only place that spawns.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use collector_core::correlate::Site;
use collector_core::custody::Kind;
use collector_core::model::CaseId;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;

use crate::clock::Clock;
use crate::config::Config;
use crate::health::Health;
use crate::ingest::orders::NodeOrders;
use crate::ingest::server::Service;
use crate::pipeline::Pipeline;
use crate::pipeline::fold::Fold;
use crate::pki::{Pki, PkiError};
use crate::store::{OpenError, Store};

/// Cases that changed and were not looked at yet. When full, judgement waits for the response.
const CHANGED: usize = 64;

/// How long sessions get to end by themselves.
const GRACE: Duration = Duration::from_secs(5);

/// Why the collector does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store cannot be opened.
    #[error("open the store")]
    Store(#[from] OpenError),
    /// There are no certificates.
    #[error("open the certificates")]
    Pki(#[from] PkiError),
    /// The address is taken, or not ours.
    #[error("listen on {address}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The service cannot be built or broke.
    #[error("serve nodes")]
    Serve(#[from] tonic::transport::Error),
    /// Signals cannot be received.
    #[error("receive signals")]
    Signal(#[source] std::io::Error),
    /// The start cannot be journalled.
    #[error("journal the start")]
    Journal(#[from] crate::store::journal::JournalError),
    /// A configured part cannot start.
    #[error("{part}")]
    Part {
        /// Which one, and what it was doing.
        part: &'static str,
        /// Why not.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a running collector is reached by.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Where nodes connect.
    pub listen: SocketAddr,
    /// The store.
    pub store: Store,
    /// The way to the nodes.
    pub orders: NodeOrders,
    /// What ails it.
    pub health: Health,
    /// Who may connect.
    pub pki: Pki,
}

/// Runs until SIGTERM or SIGINT.
pub async fn serve(data: &Path, config: Config) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signal)?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let (ready, is_ready) = oneshot::channel();
    let announce = async move {
        if let Ok(Ready { listen, .. }) = is_ready.await {
            tracing::info!(%listen, "ready");
        }
    };
    let (outcome, ()) = tokio::join!(serve_until(data, config, Clock::system(), stop, ready), announce);
    outcome
}

/// Runs until `stop` resolves; says by `ready` how it is reached.
pub async fn serve_until(
    data: &Path,
    config: Config,
    clock: Clock,
    stop: impl Future<Output = ()>,
    ready: oneshot::Sender<Ready>,
) -> Result<(), RunError> {
    let health = Health::default();
    let (store, writer) = Store::open(data, &config.store, &clock, &health).await?;
    let pki = Pki::open(&data.join("pki"), clock.clone())?;
    let credentials = pki.server(&config.names)?;
    let listen = |cause| RunError::Listen { address: config.listen, cause };
    let incoming = TcpIncoming::bind(config.listen).map_err(listen)?;
    let address = incoming.local_addr().map_err(listen)?;
    store.journal.note(
        "collector",
        Kind::Started,
        None,
        json!({"version": env!("CARGO_PKG_VERSION"), "listen": address.to_string()}),
    )?;
    let orders = NodeOrders::new(store.state.clone(), clock.clone());
    let router = Service::new(store.clone(), clock.clone(), orders.clone()).router(&credentials)?;
    let (stopping, stopped) = watch::channel(false);
    let (changed, to_answer) = mpsc::channel(CHANGED);

    let mut tasks: JoinSet<()> = JoinSet::new();
    let writer = tokio::task::spawn_blocking(move || writer.run());
    tasks.spawn(store.events.compactor(&config.store).run(stopped.clone()));
    tasks.spawn(pipeline(&store, &clock, &health, &config, changed).run(stopped.clone()));
    let mut until = stopped.clone();
    let sessions = orders.clone();
    tasks.spawn(async move {
        let end = async {
            // The sender is held until the end of this function.
            drop(until.wait_for(|stop| *stop).await);
            sessions.close();
        };
        if let Err(cause) = router.serve_with_incoming_shutdown(incoming, end).await {
            tracing::error!(cause = crate::say(&cause), "the node service broke");
        }
    });
    let parts = Ready { listen: address, store: store.clone(), orders, health, pki };
    answer(&mut tasks, to_answer);
    // Whoever started us may not care.
    drop(ready.send(parts));

    stop.await;
    tracing::info!("stops");
    stopping.send_replace(true);
    join(&mut tasks).await;
    store.state.close().await;
    drop(store);
    // The last way to the landing log is gone: the writer has written all and ends.
    writer.await.expect("the landing writer does not panic");
    Ok(())
}

/// Judgement with the embedded rules. A rule that cannot be read is said and left out.
fn pipeline(store: &Store, clock: &Clock, health: &Health, config: &Config, changed: mpsc::Sender<CaseId>) -> Pipeline {
    let (engine, refused) = rules::Engine::load(rules::content().iter().copied());
    for error in refused {
        tracing::error!(cause = crate::say(&error), "a rule is left out");
    }
    let fold = Fold::new(engine, Site::default());
    Pipeline::new(store.clone(), clock.clone(), health.clone(), fold, config.pipeline.settle, changed)
}

/// Waits for all tasks; those that do not end in time are ended.
async fn join(tasks: &mut JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("a task did not end in time and is ended");
        tasks.shutdown().await;
    }
}

/// Says which cases changed.
fn answer(tasks: &mut JoinSet<()>, mut changed: mpsc::Receiver<CaseId>) {
    tasks.spawn(async move {
        while let Some(id) = changed.recv().await {
            tracing::info!(case = %id, "case changed");
        }
    });
}

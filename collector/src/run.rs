//! The collector as a process: builds the parts, starts every task that there is, and joins them. Takes the data directory and the
//! configuration; runs until SIGTERM or SIGINT. The only place that spawns.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use collector_core::correlate::Site;
use collector_core::custody::Kind;
use collector_core::model::CaseId;
use proto::hash_secret::HashSecret;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tonic::transport::server::{Router, TcpIncoming};

use crate::clock::Clock;
use crate::config::Config;
use crate::connect::audit::Intake;
use crate::connect::aws::client::Iam;
use crate::connect::aws::contain::AwsContain;
use crate::connect::node::contain::NodeContain;
use crate::connect::watch as audit_logs;
use crate::health::Health;
use crate::ingest::orders::NodeOrders;
use crate::ingest::server::Service;
use crate::pipeline::Pipeline;
use crate::pipeline::fold::Fold;
use crate::pki::{Pki, PkiError};
use crate::respond::answer::Answers;
use crate::respond::execute::Hands;
use crate::rule_files::{Loaded, RuleFiles};
use crate::store::{OpenError, Store};
use crate::web::{self, Context};

/// Where the responder's commands connect, in the data directory.
pub const SOCKET: &str = "control.sock";

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
    let orders = NodeOrders::new(store.state.clone(), clock.clone());
    let parts = Parts { config, clock, store, orders, health, pki };
    let (stopping, stopped) = watch::channel(false);
    let mut tasks: JoinSet<()> = JoinSet::new();
    let writer = tokio::task::spawn_blocking(move || writer.run());

    let listen = parts.start(&mut tasks, &stopped)?;
    let Parts { store, orders, health, pki, .. } = parts;
    // Whoever started us may not care.
    drop(ready.send(Ready { listen, store: store.clone(), orders, health, pki }));
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

/// What every task is made of.
struct Parts {
    config: Config,
    clock: Clock,
    store: Store,
    orders: NodeOrders,
    health: Health,
    pki: Pki,
}

impl Parts {
    /// Starts every task; gives the address where nodes connect.
    fn start(&self, tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) -> Result<SocketAddr, RunError> {
        let credentials = self.pki.server(&self.config.names)?;
        let listen = |cause| RunError::Listen { address: self.config.listen, cause };
        let incoming = TcpIncoming::bind(self.config.listen).map_err(listen)?;
        let address = incoming.local_addr().map_err(listen)?;
        let body = json!({"version": env!("CARGO_PKG_VERSION"), "listen": address.to_string()});
        self.store.journal.note("collector", Kind::Started, None, body)?;

        tasks.spawn(self.store.events.compactor(&self.config.store).run(stopped.clone()));
        let (changed, to_answer) = mpsc::channel(CHANGED);
        tasks.spawn(self.pipeline(changed)?.run(stopped.clone()));
        let answers = self.answers()?;
        tasks.spawn(answer(answers.clone(), self.health.clone(), to_answer));
        let intake = Intake::new(self.store.clone(), self.clock.clone());
        let sources = audit_logs::sources(&self.config, &credentials, &intake, &self.health, stopped);
        for source in sources.map_err(|cause| RunError::Part { part: "read audit logs", cause: Box::new(cause) })? {
            tasks.spawn(source);
        }
        tasks.spawn(control(self.context(answers), self.store.directory.join(SOCKET), stopped.clone()));
        let service = Service::new(self.store.clone(), self.clock.clone(), self.orders.clone());
        let router = service.router(&credentials)?;
        tasks.spawn(nodes(router, incoming, self.orders.clone(), self.health.clone(), stopped.clone()));
        Ok(address)
    }

    /// Judgement with the embedded rules and those of the configured folders. A rule that cannot be used is said and left out.
    fn pipeline(&self, changed: mpsc::Sender<CaseId>) -> Result<Pipeline, RunError> {
        let secret = self.config.respond.hash_secret.as_deref().map(HashSecret::read).transpose();
        let secret = secret.map_err(|cause| RunError::Part { part: "respond.hash_secret", cause: Box::new(cause) })?;
        let files = RuleFiles::read(&self.config.rules.folders);
        for problem in &files.problems {
            tracing::error!(cause = crate::say(problem), "rules are left out");
        }
        let Loaded { engine, errors, .. } = files.load_over_embedded();
        for error in errors {
            tracing::error!(cause = crate::say(&error), "a rule is left out");
        }
        tracing::info!(rules = engine.rules().len(), "judges");
        let api_servers = self.config.site.api_servers.iter().map(|server| (server.ip(), server.port())).collect();
        let site = Site { api_servers, egress: self.config.site.egress.clone() };
        let indicators = crate::indicators::read(&self.config.rules.indicators);
        let indicators =
            indicators.map_err(|cause| RunError::Part { part: "read indicators", cause: Box::new(cause) })?;
        let fold = Fold::new(engine, site).with_indicators(indicators);
        let settle = self.config.pipeline.settle;
        let (store, clock, health) = (self.store.clone(), self.clock.clone(), self.health.clone());
        Ok(Pipeline::new(store, clock, health, fold, secret.as_ref(), settle, changed))
    }

    /// The response with all the hands that we have.
    fn answers(&self) -> Result<Answers, RunError> {
        let mut hands = Hands::default().with(NodeContain::new(self.orders.clone()));
        if let Some(iam) = Iam::from_environment(&self.config.respond.aws) {
            hands = hands.with(AwsContain::new(iam));
        } else {
            tracing::info!("no AWS credentials in the environment: nothing can be done in AWS");
        }
        let respond = self.config.respond.clone();
        let playbooks = respond.all_playbooks();
        let playbooks = playbooks.map_err(|cause| RunError::Part { part: "read playbooks", cause: Box::new(cause) })?;
        Ok(Answers::new(self.store.clone(), self.clock.clone(), hands, playbooks, respond))
    }

    fn context(&self, answers: Answers) -> Context {
        Context {
            answers,
            store: self.store.clone(),
            orders: self.orders.clone(),
            health: self.health.clone(),
            pki: self.pki.clone(),
        }
    }
}

/// Answers each case that changed. One that cannot be answered is said; it is answered when it changes again.
async fn answer(answers: Answers, health: Health, mut changed: mpsc::Receiver<CaseId>) {
    while let Some(id) = changed.recv().await {
        tracing::info!(case = %id, "case changed");
        match answers.case_changed(&id).await {
            Ok(()) => health.well("response"),
            Err(cause) => health.ill("response", &format!("{id}: {}", crate::say(&cause))),
        }
    }
}

async fn control(context: Context, socket: PathBuf, mut stopped: watch::Receiver<bool>) {
    let health = context.health.clone();
    let end = async move { drop(stopped.wait_for(|stop| *stop).await) };
    if let Err(cause) = web::serve(context, &socket, end).await {
        health.ill("control socket", &crate::say(&cause));
    }
}

async fn nodes(
    router: Router,
    incoming: TcpIncoming,
    orders: NodeOrders,
    health: Health,
    mut stopped: watch::Receiver<bool>,
) {
    let end = async move {
        drop(stopped.wait_for(|stop| *stop).await);
        orders.close();
    };
    if let Err(cause) = router.serve_with_incoming_shutdown(incoming, end).await {
        health.ill("node service", &crate::say(&cause));
    }
}

/// Waits for all tasks; those that do not end in time are ended.
async fn join(tasks: &mut JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("a task did not end in time and is ended");
        tasks.shutdown().await;
    }
}

//! Starting, running and ending the agent. Takes the configuration; builds the parts (`parts`), gives each its thread or task (here
//! and nowhere else), waits for a closed set of things that can wake it, and ends them in the order in which nothing is lost: the
//! records first, then the responder, then the log, then the sender with the tail.
//!
//! | thread or task | what it does | its channel, and what happens when that is full |
//! |---|---|---|
//! | `pipeline` | records → events → log → rules | `fired`: the match is told, nothing is captured, who was stopped goes on |
//! | `canary` | makes known calls, and says which hooks work | |
//! | `log` | closes aged blocks, syncs | |
//! | `respond` | stops, captures, obeys | `said`: it waits |
//! | `said` | the responder's words → log, sender | `results`: it waits |
//! | `orders` | the sender's orders → responder | `orders`: the order is refused and may come again |
//! | `runtimes`, one a socket | ids → names, asked of container runtimes | ids: dropped, counted, asked again; names: it waits |
//! | `deliver` | log → collector | gRPC's own window; then blocks stay on disk |

mod canary;
mod check;
mod indicators;
mod parts;
mod ready;
mod source;
mod stops;
mod talks;
mod tasks;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle as Task;

pub use check::{Check, check};
pub use ready::{NotReady, ready};
pub use source::record;

use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::Ends;
use crate::deliver::spool::{Spool, SpoolError};
use crate::health::Health;
use crate::kernel::Kernel;
use crate::log::{Log, LogError};
use crate::memory;
use crate::recording::RecordingError;
use crate::respond::{Fired, Responder, Said};
use source::Source;
use talks::Talks;
use tasks::{all_delivered, pass_on_orders, pass_on_said, then};

/// Between two looks at the log's open block.
const LOG_TICK: Duration = Duration::from_millis(20);

/// Between two pictures of the agent in `health.json`.
const SHOW: Duration = Duration::from_secs(5);

/// The nice value of those who stop programs: the most urgent that there is.
const FIRST: i32 = -20;

/// Why the agent did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kernel programs.
    #[error("load the kernel programs")]
    Kernel(#[source] crate::kernel::LoadError),
    /// The rings were taken before.
    #[error("read the kernel's rings")]
    Rings(#[source] io::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Rules that cannot be used.
    #[error("{} rules cannot be used:\n  {}", .0.len(), .0.join("\n  "))]
    Rules(Vec<String>),
    /// The list of sensitive paths.
    #[error("files.sensitive: {0}")]
    Sensitive(String),
    /// The secret that the deployment shares.
    #[error("respond.hash_secret")]
    HashSecret(#[source] proto::hash_secret::SecretError),
    /// A file or folder.
    #[error("{doing} {path}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// A thread, a runtime, a signal handler.
    #[error("start {0}")]
    Start(&'static str, #[source] io::Error),
    /// A part ended that should not have.
    #[error("{0} ended by itself")]
    Ended(&'static str),
}

/// All that can wake the main loop.
enum Wake {
    /// SIGTERM or SIGINT.
    Terminate,
    /// The source has no more records: the end of a recording, or an error.
    Source(Result<(), RunError>),
    /// The responder is gone.
    Responder,
    /// The sender is gone.
    Sender,
}

/// Runs the agent until SIGTERM.
pub fn agent(config: &Config) -> Result<(), RunError> {
    let engine = Arc::new(parts::engine(config)?);
    let sensitive = parts::sensitive(config)?;
    let kernel = Kernel::load(&parts::kept_kernel_config(config, &sensitive, &engine)).map_err(RunError::Kernel)?;
    let kernel = Arc::new(kernel);
    let observer = parts::observer(config, sensitive, &kernel).with_api_servers(config.kubernetes.api_servers());
    let (boot_text, boot_id) = parts::boot_id()?;
    let ground = Ground { clock: Clock::system(), boot_text, boot_id, kernel: Some(Arc::clone(&kernel)) };
    let source = Source::kernel(kernel)?;
    let running = Running::start(config, &ground, engine, observer, source)?;
    memory::give_back();
    running.until_the_end(config)
}

/// Plays a recording through the same parts; nothing on this machine is touched.
pub fn replay(config: &Config, file: &Path) -> Result<(), RunError> {
    let engine = Arc::new(parts::engine(config)?);
    let observer = parts::stranger(parts::sensitive(config)?);
    let (source, start) = Source::recording(file)?;
    let clock = Clock::standing(start.wall_ns, start.boot_ns);
    let ground = Ground { clock, boot_text: uuid(start.boot_id), boot_id: start.boot_id, kernel: None };
    Running::start(config, &ground, engine, observer, source)?.until_the_end(config)
}

/// What the parts stand on. Without a kernel it is a replay.
struct Ground {
    clock: Clock,
    boot_text: String,
    boot_id: [u8; 16],
    kernel: Option<Arc<Kernel>>,
}

impl Ground {
    /// How the agent is, at its begin.
    fn health(&self) -> Health {
        let health = Health::default();
        let not_kept = self.kernel.as_ref().map_or_else(Vec::new, |kernel| kernel.not_kept().to_vec());
        for what in &not_kept {
            tracing::warn!(what, "not recorded while the agent is away");
        }
        health.set_not_kept(not_kept);
        health
    }
}

/// The agent, started.
struct Running {
    runtime: Runtime,
    log: Log,
    spool: Spool,
    is_replay: bool,
    wakes: mpsc::Receiver<Wake>,
    /// Ends the source and the log's thread.
    stop: Arc<AtomicBool>,
    stop_log: Arc<AtomicBool>,
    stop_orders: watch::Sender<bool>,
    stop_sender: watch::Sender<bool>,
    pipeline: JoinHandle<()>,
    canary: Option<JoinHandle<()>>,
    keeper: JoinHandle<()>,
    responder: JoinHandle<()>,
    said: Task<()>,
    orders: Task<()>,
    talks: Talks,
    sender: Option<Task<()>>,
}

impl Running {
    fn start(
        config: &Config,
        ground: &Ground,
        engine: Arc<rules::Engine>,
        mut observer: crate::observe::Observer,
        source: Source,
    ) -> Result<Self, RunError> {
        parts::own_folder(config)?;
        let log = parts::log(config, ground.boot_id, &ground.clock)?;
        let spool = Spool::open(config.data.join("captures"), config.respond.captures_max_bytes.0)?;
        let health = ground.health();
        let responder = parts::responder(config, ground, &log, &spool)?;
        let facts = parts::facts(config, ground, &responder);
        let waiting = config.respond.waiting;
        let (fired_in, fired_out) = mpsc::channel(waiting);
        let (ordered_in, ordered_out) = mpsc::channel(waiting);
        let (order_in, order_out) = mpsc::channel(1);
        let (said_in, said_out) = mpsc::channel(waiting);
        let (results_in, results_out) = mpsc::channel(waiting);
        let (wake, wakes) = mpsc::channel(8);
        let (stop, stop_log) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop_orders, orders_stopped) = watch::channel(false);
        let (stop_sender, sender_stopped) = watch::channel(false);

        let runtime = runtime(2)?;
        let delivery = parts::delivery(config, facts, &log, &spool, &health, responder.journal(), ordered_in);
        let ends = Ends { results: results_out, shutdown: sender_stopped };
        let sender = delivery.map(|delivery| runtime.spawn(then(delivery.run(ends), wake.clone(), Wake::Sender)));
        let talks = Talks::begin(config, ground, &runtime, &health, &mut observer);
        let (sighted, canary) = canary::start(config, ground, (&log, &health), &stop)?;
        let hot = source::Hot { config, ground, engine, observer, canary: sighted, log: &log, health: &health };
        let pipeline = hot.start(source, fired_in, Arc::clone(&stop), wake.clone())?;
        let picture = (health.clone(), config.data.join("health.json"));
        let keeper = keep_log(log.clone(), picture, config.log.sync, Arc::clone(&stop_log))?;
        let responder = respond(responder, fired_out, order_out, said_in, wake.clone())?;
        let said = runtime.spawn(pass_on_said(said_out, log.clone(), results_in));
        let orders = runtime.spawn(pass_on_orders(ordered_out, order_in, orders_stopped));
        runtime.block_on(async { listen(wake) }).map_err(|cause| RunError::Start("signal handlers", cause))?;
        tracing::info!(node = %config.node, log = %log.identity().log_id_text(), "the agent runs");
        Ok(Self {
            runtime,
            log,
            spool,
            is_replay: ground.kernel.is_none(),
            wakes,
            stop,
            stop_log,
            stop_orders,
            stop_sender,
            pipeline,
            canary,
            keeper,
            responder,
            said,
            orders,
            talks,
            sender,
        })
    }

    /// Waits for the first reason to end, and ends in order.
    fn until_the_end(mut self, config: &Config) -> Result<(), RunError> {
        let outcome = match self.runtime.block_on(self.wakes.recv()) {
            Some(Wake::Terminate) | None => Ok(()),
            Some(Wake::Source(outcome)) => outcome,
            Some(Wake::Responder) => Err(RunError::Ended("the responder")),
            Some(Wake::Sender) => Err(RunError::Ended("the sender")),
        };
        self.stop.store(true, Ordering::Relaxed);
        let mut panicked = self.pipeline.join().is_err();
        panicked |= self.canary.is_some_and(|canary| canary.join().is_err());
        self.stop_orders.send_replace(true);
        panicked |= self.talks.end(&self.runtime).is_err();
        panicked |= self.runtime.block_on(self.orders).is_err();
        panicked |= self.responder.join().is_err();
        panicked |= self.runtime.block_on(self.said).is_err();
        self.stop_log.store(true, Ordering::Relaxed);
        panicked |= self.keeper.join().is_err();
        self.log.finish();
        if let Some(sender) = self.sender {
            if self.is_replay {
                self.runtime.block_on(all_delivered(&self.log, &self.spool, &mut self.wakes));
            }
            self.stop_sender.send_replace(true);
            panicked |= self.runtime.block_on(sender).is_err();
        }
        let (newest, acknowledged) = (self.log.newest(), self.log.acknowledged());
        tracing::info!(newest, acknowledged, collector = config.collector.is_some(), "the agent ends");
        if panicked { Err(RunError::Ended("a part of the agent")) } else { outcome }
    }
}

/// A thread for the log's clockwork: syncing blocks for as long as the disk likes, and nobody else should wait for that. It also keeps
/// the agent's picture in a file, for a probe or a person.
fn keep_log(
    log: Log,
    (health, picture): (Health, PathBuf),
    sync: Duration,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, RunError> {
    let every = |time: Duration| u32::try_from(time.as_millis() / LOG_TICK.as_millis()).unwrap_or(u32::MAX).max(1);
    let (sync, show) = (every(sync), every(SHOW));
    let work = move || {
        let mut ticks = 0_u32;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOG_TICK);
            log.tick();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(sync) {
                log.sync();
            }
            if ticks.is_multiple_of(show)
                && let Err(error) = health.show(&picture)
            {
                tracing::debug!(%error, "the picture of the agent could not be written");
            }
        }
    };
    thread("log", work)
}

/// A thread for the responder: it blocks while it reads `/proc` and disks.
fn respond(
    responder: Responder,
    fired: mpsc::Receiver<Fired>,
    orders: mpsc::Receiver<proto::v1::Order>,
    said: mpsc::Sender<Said>,
    wake: mpsc::Sender<Wake>,
) -> Result<JoinHandle<()>, RunError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| RunError::Start("the responder's runtime", cause))?;
    urgent_thread("respond", move || runtime.block_on(then(responder.run(fired, orders, said), wake, Wake::Responder)))
}

/// A thread that goes before others: on a node where every processor is busy a program would run for milliseconds before it is stopped,
/// and records would be lost. Where a cgroup has a share of its own, it goes before others of that share only.
fn urgent_thread(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RunError> {
    thread(name, move || {
        // On Linux it is the thread's own, not the process's.
        if let Err(error) = rustix::process::setpriority_process(None, FIRST) {
            tracing::warn!(%error, thread = name, "the agent does not go before others: stops are late on a busy node");
        }
        work();
    })
}

fn runtime(threads: usize) -> Result<Runtime, RunError> {
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.map_err(|cause| RunError::Start("the runtime", cause))
}

fn thread(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RunError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|cause| RunError::Start(name, cause))
}

/// Waits for SIGTERM or SIGINT beside everything else.
fn listen(wake: mpsc::Sender<Wake>) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let either = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    drop(tokio::spawn(then(either, wake, Wake::Terminate)));
    Ok(())
}

/// Whether SIGTERM or SIGINT came, for a loop that waits for nothing else.
struct Signalled {
    came: Arc<AtomicBool>,
    /// Holds the task that waits for the signal.
    _runtime: Runtime,
}

impl Signalled {
    fn is_set(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }
}

fn stop_at_signal() -> Result<Signalled, RunError> {
    let runtime = runtime(1)?;
    let (wake, mut wakes) = mpsc::channel(1);
    runtime.block_on(async { listen(wake) }).map_err(|cause| RunError::Start("signal handlers", cause))?;
    let came = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&came);
    drop(runtime.spawn(async move { set.store(wakes.recv().await.is_some(), Ordering::Relaxed) }));
    Ok(Signalled { came, _runtime: runtime })
}

fn uuid(id: [u8; 16]) -> String {
    let text = hex::encode(id);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

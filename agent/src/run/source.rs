//! Where records come from, and the thread that takes them through the pipeline. Takes the kernel's rings or a recording; gives each
//! record to the pipeline and each match to the responder. The same loop for both: a replay is told from the kernel only by its
//! clock and by what is not touched.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ebpf_common::loss::Outcome;
use proto::v1::event::Body;
use proto::v1::{AgentStarted, Event, Hook, LossReason, Trigger};
use tokio::sync::mpsc;

use super::{Ground, RunError, Wake, parts, stops, urgent_thread};
use crate::accounting::Books;
use crate::canary::Sighted;
use crate::clock::{Clock, nanoseconds};
use crate::config::Config;
use crate::coverage;
use crate::decode::decode;
use crate::health::{Counter, Health};
use crate::kernel::{Kernel, KernelConfig, Rings};
use crate::log::Log;
use crate::loss::agent_event;
use crate::observe::Observer;
use crate::pipeline::{Lost, Pipeline};
use crate::recording::{Reader, Start, Writer};
use crate::respond::{Fired, Limits, Triggers};

/// Records of one ring between two looks at the others: an exec that is to be stopped waits for so many files at most.
const BATCH: usize = 64;

/// Between two settlements of losses and clock.
const SETTLE_NS: u64 = 1_000_000_000;

/// Where records come from.
pub(super) enum Source {
    /// This kernel.
    Kernel { kernel: Arc<Kernel>, rings: Box<Rings> },
    /// A file.
    Recording(Reader<BufReader<File>>),
}

impl Source {
    pub(super) fn kernel(kernel: Arc<Kernel>) -> Result<Self, RunError> {
        let rings = kernel.take_rings().ok_or_else(|| RunError::Rings(std::io::Error::other("taken before")))?;
        Ok(Self::Kernel { kernel, rings: Box::new(rings) })
    }

    pub(super) fn recording(path: &Path) -> Result<(Self, Start), RunError> {
        let file = File::open(path).map_err(|cause| RunError::File { doing: "open", path: path.to_owned(), cause })?;
        let reader = Reader::new(BufReader::new(file))?;
        let start = reader.start();
        Ok((Self::Recording(reader), start))
    }

    fn hooks(&self) -> Vec<Hook> {
        match self {
            Self::Kernel { kernel, .. } => kernel.hooks().iter().map(coverage::hook).collect(),
            Self::Recording(_) => Vec::new(),
        }
    }
}

/// What the hot path is made of.
pub(super) struct Hot<'a> {
    pub(super) config: &'a Config,
    pub(super) ground: &'a Ground,
    pub(super) engine: Arc<rules::Engine>,
    pub(super) observer: Observer,
    pub(super) canary: Sighted,
    pub(super) log: &'a Log,
    pub(super) health: &'a Health,
}

impl Hot<'_> {
    /// Starts the thread.
    pub(super) fn start(
        self,
        source: Source,
        fired: mpsc::Sender<Fired>,
        stop: Arc<AtomicBool>,
        wake: mpsc::Sender<Wake>,
    ) -> Result<JoinHandle<()>, RunError> {
        let Ground { clock, boot_text, kernel, .. } = self.ground;
        let mut limits = Limits::new(parts::guard(self.config), clock.clone());
        limits.acts = kernel.is_some();
        let watched = parts::watched_facts(&self.engine);
        let mut matches = Matches {
            triggers: Triggers::new(self.engine, limits).with_indicators(super::indicators::read(self.config)?),
            fired,
            log: self.log.clone(),
            clock: clock.clone(),
            health: self.health.clone(),
            kernel: kernel.clone(),
            watched,
        };
        let malformed = self.config.data.join("malformed.raw");
        let on_event = move |event: &Event, observer: &Observer| matches.event(event, observer);
        let mut pipeline =
            Pipeline::new(self.observer, self.log.clone(), clock.clone(), self.health.clone(), malformed, on_event)
                .with_canary(self.canary);
        let started = AgentStarted {
            version: String::from(env!("CARGO_PKG_VERSION")),
            boot_id: boot_text.clone(),
            kernel_release: parts::kernel_release(),
            hooks: source.hooks(),
            replay: kernel.is_none(),
        };
        pipeline.event(agent_event(clock, Body::AgentStarted(started)));
        if let Some(kernel) = kernel {
            pipeline.resume_accounts(kernel.told());
        }
        let (clock, health) = (clock.clone(), self.health.clone());
        urgent_thread("pipeline", move || {
            let outcome = match source {
                Source::Kernel { kernel, rings } => read_rings(&kernel, *rings, &mut pipeline, &clock, &health, &stop),
                Source::Recording(reader) => play(reader, &mut pipeline, &clock, &health, &stop),
            };
            pipeline.settle(&[], Books::NONE);
            // The matches' channel closes before the main loop is woken.
            drop(pipeline);
            if wake.blocking_send(Wake::Source(outcome)).is_err() {
                tracing::debug!("the main loop has ended already");
            }
        })
    }
}

fn read_rings<C: FnMut(&Event, &Observer)>(
    kernel: &Kernel,
    mut rings: Rings,
    pipeline: &mut Pipeline<C>,
    clock: &Clock,
    health: &Health,
    stop: &AtomicBool,
) -> Result<(), RunError> {
    pipeline.seed();
    let mut settled_ns = clock.now().boot_ns;
    let mut stopping = false;
    for mut earlier in kernel.take_earlier_rings() {
        // The records of agents that built their tables otherwise: what they meant is told before what this agent's mean.
        while earlier.drain(BATCH, |record| pipeline.record(record)) > 0 {}
        pipeline.numbers_begin_anew();
    }
    loop {
        rings.wait().map_err(RunError::Rings)?;
        let count = rings.drain(BATCH, |record| pipeline.record(record));
        health.add(Counter::Records, count as u64);
        let now_ns = clock.now().boot_ns;
        if stopping || now_ns.saturating_sub(settled_ns) >= SETTLE_NS {
            settled_ns = now_ns;
            repeated(kernel, pipeline, now_ns, stopping && count == 0);
            settle(kernel, pipeline, now_ns);
            stops::find_lost(kernel, pipeline, now_ns, health);
        }
        if stopping && count == 0 {
            return Ok(());
        }
        if !stopping && stop.load(Ordering::Relaxed) {
            stopping = true;
            // Whom the kernel stopped until here has its record in the rings, and they are read to the end.
            if let Err(error) = kernel.leave() {
                tracing::error!(%error, "the kernel could not be told that the agent ends");
            }
        }
    }
}

fn play<C: FnMut(&Event, &Observer)>(
    mut reader: Reader<BufReader<File>>,
    pipeline: &mut Pipeline<C>,
    clock: &Clock,
    health: &Health,
    stop: &AtomicBool,
) -> Result<(), RunError> {
    let mut settled_ns = clock.now().boot_ns;
    while !stop.load(Ordering::Relaxed) {
        let Some(record) = reader.next_record()? else { return Ok(()) };
        // The recording's own time: what waits for an age or a quiet time waits as it did then.
        let now_ns = clock.now().boot_ns;
        let boot_ns = decode(record).map_or(now_ns, |record| record.header.boot_ns);
        clock.advance(Duration::from_nanos(boot_ns.saturating_sub(now_ns)));
        pipeline.record(record);
        health.count(Counter::Records);
        if boot_ns.saturating_sub(settled_ns) >= SETTLE_NS {
            settled_ns = boot_ns;
            pipeline.settle(&[], Books::NONE);
        }
    }
    Ok(())
}

/// What the kernel counted of things that it had told becomes events: when their window is over, or at the end.
fn repeated<C: FnMut(&Event, &Observer)>(kernel: &Kernel, pipeline: &mut Pipeline<C>, now_ns: u64, is_end: bool) {
    match if is_end { kernel.repeats_so_far() } else { kernel.repeats_over(now_ns) } {
        Ok(over) => pipeline.repeated(&over),
        Err(error) => tracing::error!(%error, "the kernel's table of repeats cannot be read"),
    }
}

/// What the kernel counted since the last look becomes events.
fn settle<C: FnMut(&Event, &Observer)>(kernel: &Kernel, pipeline: &mut Pipeline<C>, now_ns: u64) {
    for id in pipeline.take_gone() {
        kernel.cgroup_gone(id, now_ns);
    }
    let accounts = kernel.accounts(now_ns).unwrap_or_else(|error| {
        tracing::error!(%error, "the kernel's accounts cannot be read");
        Vec::new()
    });
    for quiet in kernel.take_quiet() {
        tracing::warn!(
            from_ns = quiet.from_ns,
            to_ns = quiet.to_ns,
            "nothing was recorded: no agent had read for too long"
        );
        pipeline.away(quiet);
    }
    pipeline.settle(&losses(kernel), Books { accounts: &accounts, payer: &|id| kernel.payer(id) });
    if let Err(error) = kernel.keep_told(&pipeline.take_told()) {
        tracing::error!(%error, "what was told cannot be kept: the next agent tells it again");
    }
}

fn losses(kernel: &Kernel) -> Vec<Lost> {
    let losses = kernel.losses().unwrap_or_else(|error| {
        tracing::error!(%error, "the kernel's counters cannot be read");
        Vec::new()
    });
    losses.iter().map(|loss| Lost { class: loss.class, reason: reason(loss.reason), count: loss.count }).collect()
}

/// The counter's name on the wire. What is no loss never comes here; named unspecified, it would be seen.
fn reason(outcome: Outcome) -> LossReason {
    match outcome {
        Outcome::RingFull => LossReason::RingFull,
        Outcome::ScratchBusy => LossReason::ScratchBusy,
        Outcome::Oversize => LossReason::Oversize,
        Outcome::ReadFault => LossReason::ReadFault,
        Outcome::Sent | Outcome::Aggregated | Outcome::Excluded | Outcome::Throttled | Outcome::Unowned => {
            LossReason::Unspecified
        }
    }
}

/// What is done with each event after it has its position.
struct Matches {
    triggers: Triggers,
    fired: mpsc::Sender<Fired>,
    log: Log,
    clock: Clock,
    health: Health,
    kernel: Option<Arc<Kernel>>,
    watched: u32,
}

impl Matches {
    fn event(&mut self, event: &Event, observer: &Observer) {
        self.tell_kernel(event);
        let Some(fired) = self.triggers.check(event, observer) else { return };
        self.health.count(Counter::Triggers);
        // Full: captures take longer than matches come. Waiting here would lose records in the kernel, so the match is told, its
        // events are in the log, and whoever was stopped for it goes on.
        if let Err(mpsc::error::TrySendError::Full(fired) | mpsc::error::TrySendError::Closed(fired)) =
            self.fired.try_send(fired)
        {
            self.health.count(Counter::TriggersDropped);
            self.only_tell(&fired);
        }
    }

    /// The kernel programs know containers by the names of their cgroups; the agent knows some more.
    fn tell_kernel(&self, event: &Event) {
        let Some(kernel) = &self.kernel else { return };
        let told = match &event.body {
            Some(Body::ContainerSeen(seen)) if !kernel.is_container(seen.cgroup_id) => {
                kernel.watch_cgroup(seen.cgroup_id, self.watched)
            }
            Some(Body::ContainerGone(gone)) => kernel.unwatch_cgroup(gone.cgroup_id),
            Some(Body::Exec(exec)) if exec.stopped_in_kernel => {
                stops::has_record(kernel, event);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "the kernel programs could not be told of a container");
        }
    }

    fn only_tell(&self, fired: &Fired) {
        if let Some(process) = &fired.process
            && let Err(error) = process.resume()
        {
            tracing::error!(%error, pid = process.key().pid, "a stopped process could not be let go");
        }
        let Some(rule) = fired.rules.first() else { return };
        let mut trigger = Trigger {
            rule_id: rule.rule_id.clone(),
            rule_title: rule.title.clone(),
            level: rule.level.to_owned(),
            event_position: fired.event.position,
            techniques: rule.techniques.clone(),
            ..Trigger::default()
        };
        trigger.set_action(proto::v1::TriggerAction::Observed);
        self.log.append(&mut agent_event(&self.clock, Body::Trigger(trigger)));
    }
}

/// Writes the kernel's raw records to a file until a signal comes or the time is over; gives their number. Nothing is stopped: no
/// rule is asked.
pub fn record(config: &Config, out: &Path, longest: Option<Duration>) -> Result<u64, RunError> {
    let failed = |cause| RunError::File { doing: "write", path: out.to_owned(), cause };
    let sensitive = parts::sensitive(config)?;
    // Nobody would tell what was only counted.
    let kernel = KernelConfig {
        watch_containers: 0,
        repeat_window: Duration::ZERO,
        ..parts::kernel_config(config, &sensitive, &rules::Engine::default())
    };
    let kernel = Kernel::load(&kernel).map_err(RunError::Kernel)?;
    let mut rings = kernel.take_rings().ok_or_else(|| RunError::Rings(std::io::Error::other("taken before")))?;
    let clock = Clock::system();
    let (_, boot_id) = parts::boot_id()?;
    let file = BufWriter::new(File::create(out).map_err(failed)?);
    let mut writer = Writer::new(file, boot_id, clock.now()).map_err(failed)?;
    let stop = super::stop_at_signal()?;
    let until_ns = longest.map_or(u64::MAX, |longest| clock.now().boot_ns.saturating_add(nanoseconds(longest)));
    let (mut records, mut outcome) = (0, Ok(()));
    while outcome.is_ok() && !stop.is_set() && clock.now().boot_ns < until_ns {
        rings.wait().map_err(RunError::Rings)?;
        rings.drain(BATCH, |record| {
            records += 1;
            if outcome.is_ok() {
                outcome = writer.record(record);
            }
        });
    }
    outcome.and_then(|()| writer.finish()).map_err(failed)?;
    for lost in losses(&kernel) {
        tracing::warn!(
            class = lost.class.name(),
            reason = lost.reason.as_str_name(),
            count = lost.count,
            "records were lost"
        );
    }
    Ok(records)
}

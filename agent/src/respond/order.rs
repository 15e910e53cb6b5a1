//! Orders of the collector: each checked, carried out once, and looked at afterwards.
//!
//! Takes an order; gives its result with the state that was there before and what was seen after. A target is a process with
//! its start or a container with its cgroup, never a bare pid or a name. Never does what has expired, and nothing to who is
//! protected.

use std::fs;
use std::path::PathBuf;

use proto::v1::order::Action;
use proto::v1::{Capture, Order, OrderResult, OrderStatus, ProcessKey, ProcessTarget};

use super::fired::Request;
use super::held::{Held, NotHeld, State};
use super::journal::Standing;
use super::manifest::{Cause, ContainerFacts};
use super::{Responder, Said, trigger};
use crate::origin::bundle;
use crate::origin::cgroup_path::{self, Meaning, Runtime};
use crate::origin::container::Container;
use crate::origin::seed;

/// Processes of one container that a capture takes.
const PROCESSES: usize = 64;
const LONGEST_RECORDING_SECONDS: u32 = 86_400;

/// What came of an order, before it is a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) status: OrderStatus,
    pub(super) detail: String,
    verified: String,
    prior: String,
    capture_id: String,
}

impl Outcome {
    pub(super) fn new(status: OrderStatus, detail: &str) -> Self {
        let empty = String::new;
        Self { status, detail: detail.to_owned(), verified: empty(), prior: empty(), capture_id: empty() }
    }

    pub(super) fn refused(detail: &str) -> Self {
        Self::new(OrderStatus::Refused, detail)
    }

    pub(super) fn failed(detail: &str) -> Self {
        Self::new(OrderStatus::Failed, detail)
    }

    pub(super) fn verified(self, verified: &str) -> Self {
        Self { verified: verified.to_owned(), ..self }
    }

    pub(super) fn prior(self, prior: &str) -> Self {
        Self { prior: prior.to_owned(), ..self }
    }
}

/// A container's place in the tree.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) cgroup_id: u64,
    pub(super) folder: PathBuf,
    path: Vec<u8>,
    runtime: Runtime,
}

impl Place {
    /// Pids of its processes, those in cgroups inside of it included.
    pub(super) fn processes(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(procs.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|&pid| pid != 0));
            let inner = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(
                inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
            );
        }
        pids.sort_unstable();
        pids.truncate(PROCESSES);
        pids
    }
}

impl Responder {
    /// Carries an order out, or answers a repeated one with its first result.
    pub fn order(&mut self, order: &Order, said: &mut Vec<Said>) {
        let started_ns = self.outside.clock.now().wall_ns;
        let outcome = match self.journal.begin(&order.id) {
            Ok(Standing::Done(result)) => return said.push(Said::Result(result)),
            Ok(Standing::New) => self.carry_out(order, said),
            Ok(Standing::Begun) => {
                let outcome = self.carry_out(order, said);
                let detail = format!("{} (begun before by an agent that ended in it)", outcome.detail);
                Outcome { detail, ..outcome }
            }
            Err(error) => Outcome::failed(&format!("note the order: {error}")),
        };
        let result = OrderResult {
            order_id: order.id.clone(),
            status: outcome.status.into(),
            detail: outcome.detail,
            verified: outcome.verified,
            prior: outcome.prior,
            started_ns,
            finished_ns: self.outside.clock.now().wall_ns,
            capture_id: outcome.capture_id,
        };
        if let Err(error) = self.journal.finish(&result) {
            tracing::error!(%error, order = order.id, "the result of an order could not be kept");
        }
        said.push(Said::Result(Box::new(result)));
    }

    fn carry_out(&mut self, order: &Order, said: &mut Vec<Said>) -> Outcome {
        let now_ns = self.outside.clock.now().wall_ns;
        if order.not_after_ns != 0 && now_ns > order.not_after_ns {
            return Outcome::refused("the order has expired");
        }
        if self.settings.replay {
            return Outcome::refused("this node replays a recorded run: there is nothing to act on");
        }
        match &order.action {
            Some(Action::Stop(stop)) => self.stop(&order.id, stop.target.as_ref()),
            Some(Action::Resume(resume)) => self.resume(resume.target.as_ref()),
            Some(Action::Kill(kill)) => self.kill(kill.target.as_ref()),
            Some(Action::Quarantine(quarantine)) => self.quarantine(&order.id, quarantine),
            Some(Action::LiftQuarantine(lift)) => self.lift(lift),
            Some(Action::Capture(capture)) => self.capture_ordered(order, capture, said),
            None => Outcome::refused("the order has no action that this agent knows"),
        }
    }

    fn stop(&mut self, order_id: &str, target: Option<&ProcessTarget>) -> Outcome {
        let held = match self.hold_target(target) {
            Ok(held) => held,
            Err(outcome) => return outcome,
        };
        let now = self.outside.clock.now();
        let prior = held.state();
        let crowded = "as many processes are held as can be: let one go first";
        if prior == State::Stopped {
            if !self.hold(held.key(), order_id, now) {
                return Outcome::failed(crowded).verified(&seen(&held)).prior(prior.name());
            }
            return Outcome::new(OrderStatus::Already, "it was stopped before")
                .verified(&seen(&held))
                .prior(prior.name());
        }
        let outcome = match held.stop() {
            Ok(State::Stopped) if self.hold(held.key(), order_id, now) => Outcome::new(OrderStatus::Done, "stopped"),
            Ok(State::Stopped) => {
                let back = held.resume().map_or_else(|error| error.to_string(), |state| state.name().to_owned());
                Outcome::failed(&format!("{crowded}; the stop was taken back: {back}"))
            }
            Ok(State::Gone) => Outcome::failed("it ended before it could be stopped"),
            Ok(State::Running) => {
                // It sleeps in the kernel: the pending stop is taken back, so that it does not stop at some later time.
                let back = held.resume().map_or_else(|error| error.to_string(), |state| state.name().to_owned());
                Outcome::failed(&format!("it did not stop; the signal was taken back: {back}"))
            }
            Err(error) => Outcome::failed(&error.to_string()),
        };
        outcome.verified(&seen(&held)).prior(prior.name())
    }

    fn resume(&mut self, target: Option<&ProcessTarget>) -> Outcome {
        let held = match self.hold_target(target) {
            Ok(held) => held,
            Err(outcome) => return outcome,
        };
        let prior = held.state();
        let outcome = match prior {
            State::Stopped => match held.resume() {
                Ok(State::Running) => Outcome::new(OrderStatus::Done, "it goes on"),
                Ok(state) => Outcome::failed(&format!("it is {}", state.name())),
                Err(error) => Outcome::failed(&error.to_string()),
            },
            State::Running => Outcome::new(OrderStatus::Already, "it was not stopped"),
            State::Gone => Outcome::refused("it has ended"),
        };
        if let Err(error) = self.leases.release(held.key()) {
            tracing::error!(%error, "the end of a hold could not be kept on disk");
        }
        outcome.verified(&seen(&held)).prior(prior.name())
    }

    fn kill(&mut self, target: Option<&ProcessTarget>) -> Outcome {
        let held = match self.hold_target(target) {
            Ok(held) => held,
            // Whatever it was, it does not run any more: that is what was asked for.
            Err(outcome) if outcome.verified.starts_with("gone") => {
                return Outcome { status: OrderStatus::Already, ..outcome };
            }
            Err(outcome) => return outcome,
        };
        let prior = held.state();
        let outcome = match held.kill() {
            Ok(State::Gone) => Outcome::new(OrderStatus::Done, "ended with SIGKILL; this cannot be undone"),
            Ok(state) => Outcome::failed(&format!("it was sent SIGKILL and is {}", state.name())),
            Err(error) => Outcome::failed(&error.to_string()),
        };
        if let Err(error) = self.leases.release(held.key()) {
            tracing::error!(%error, "the end of a hold could not be kept on disk");
        }
        outcome.verified(&seen(&held)).prior(prior.name())
    }

    fn hold_target(&self, target: Option<&ProcessTarget>) -> Result<Held, Outcome> {
        let Some(key) = target.and_then(|target| target.process) else {
            return Err(Outcome::refused("the order names no process"));
        };
        Held::take_to_signal(&self.settings.guard, key).map_err(|why| match why {
            NotHeld::Gone { .. } | NotHeld::Another { .. } => {
                Outcome::refused(&why.to_string()).verified(&format!("gone: {why}"))
            }
            NotHeld::Protected { .. } => Outcome::refused(&why.to_string()),
            NotHeld::Kernel { ref cause, .. } => Outcome::failed(&format!("{why}: {cause}")),
        })
    }

    /// Captures a process, or every process of a container.
    fn capture_ordered(&mut self, order: &Order, capture: &Capture, said: &mut Vec<Said>) -> Outcome {
        let since = self.outside.clock.now();
        let mut keys: Vec<ProcessKey> = capture.target.iter().filter_map(|target| target.process).collect();
        let mut container = None;
        if !capture.container_id.is_empty() {
            match self.place(&capture.container_id, 0) {
                Ok(Some(place)) => {
                    let seeds =
                        place.processes().into_iter().filter_map(|pid| seed::one(&self.settings.guard.proc, pid));
                    keys.extend(seeds.map(|seed| seed.key));
                    container = Some(self.container_facts(&capture.container_id, &place));
                }
                // The recorder still has what it did.
                Ok(None) => tracing::info!(container = capture.container_id, "a container to capture is gone"),
                Err(why) => return Outcome::refused(&why),
            }
        } else if keys.is_empty() {
            return Outcome::refused("the order names neither a process nor a container");
        }
        let (mut processes, mut missing) = (Vec::new(), Vec::new());
        for key in keys {
            match Held::take(&self.settings.guard.proc, key) {
                Ok(held) => {
                    let executable = fs::read_link(held.folder().join("exe")).unwrap_or_default();
                    processes.push((held, executable.to_string_lossy().into_owned()));
                }
                Err(why) => missing.push(why.to_string()),
            }
        }
        let seconds = capture.recorder_seconds.min(LONGEST_RECORDING_SECONDS);
        let span = match seconds {
            0 => self.settings.bounds.before,
            seconds => std::time::Duration::from_secs(seconds.into()),
        };
        let capture_id = self.capture_id(since.boot_ns);
        let count = processes.len();
        let (case_id, plan_digest) = (order.case_id.clone(), order.plan_digest.clone());
        let cause = Cause::Order { order_id: order.id.clone(), case_id, plan_digest };
        let side_effects = Vec::new();
        let request =
            Request { capture_id: &capture_id, cause, processes, container, span, since, side_effects, missing };
        let Some(event) = self.take(request) else {
            return Outcome::failed("the capture could not be kept; the agent's own log says why");
        };
        said.push(Said::Event(Box::new(event)));
        let detail = format!("captured {count} processes and the last {} s of events", span.as_secs());
        let outcome = Outcome::new(OrderStatus::Done, &detail).verified("the manifest is signed and on disk");
        Outcome { capture_id, ..outcome }
    }

    fn container_facts(&self, id: &str, place: &Place) -> Box<ContainerFacts> {
        let told = bundle::look(&self.settings.host, id);
        let runtime = told.as_ref().map_or(place.runtime, |told| told.runtime);
        let container = Container {
            id: id.to_owned(),
            runtime,
            cgroup_id: place.cgroup_id,
            cgroup_path: place.path.clone(),
            names: told.map(|told| told.names).unwrap_or_default(),
            gone: false,
        };
        Box::new(trigger::facts(&container))
    }

    /// Where a container is. `None`: its cgroup is gone. An error: that cgroup is not that container's.
    pub(super) fn place(&self, container_id: &str, cgroup_id: u64) -> Result<Option<Place>, String> {
        if container_id.is_empty() {
            return Err("the order names no container".to_owned());
        }
        let tree = &self.outside.tree;
        let found = match cgroup_id {
            0 => tree.walk(usize::MAX).into_iter().find(|(_, path)| self.runtime_of(path, container_id).is_some()),
            id => tree.path_of(id).map(|path| (id, path)),
        };
        let Some((cgroup_id, path)) = found else { return Ok(None) };
        let runtime = self.runtime_of(&path, container_id);
        let runtime = runtime.ok_or_else(|| format!("cgroup {cgroup_id} is not of container {container_id:?}"))?;
        let own = tree.of_process(std::process::id()).unwrap_or_default();
        if own == path || own.starts_with(&[path.as_slice(), b"/"].concat()) {
            return Err("that is the container of this agent, which is protected".to_owned());
        }
        Ok(Some(Place { cgroup_id, folder: tree.folder(&path), path, runtime }))
    }

    /// The runtime of a path, where it is that container's.
    fn runtime_of(&self, path: &[u8], container_id: &str) -> Option<Runtime> {
        match cgroup_path::read(path) {
            Meaning::Container { id, runtime, .. } => {
                (id == container_id).then(|| runtime.unwrap_or(Runtime::Containerd))
            }
            Meaning::Host => None,
            Meaning::Unrecognised => {
                let (path, host) = (String::from_utf8_lossy(path), &self.settings.host);
                let is = |found: Option<String>| found.as_deref() == Some(container_id);
                if is(bundle::containerd_client(host, &path)) {
                    Some(Runtime::Containerd)
                } else {
                    is(bundle::plain_runc(host, &path)).then_some(Runtime::Runc)
                }
            }
        }
    }
}

fn seen(held: &Held) -> String {
    format!("process {} (start {}) is {}", held.key().pid, held.key().start_ns, held.state().name())
}

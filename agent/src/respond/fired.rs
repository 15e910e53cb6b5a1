//! A rule matched: tell it, capture, and hold or let go.
//!
//! Takes what the triggers gave; the process is stopped already where it was to be. Gives the trigger's events before the
//! capture begins, and the capture's event when its manifest is signed and on disk.

use proto::v1::event::Body;
use proto::v1::{CaptureSealed, Event, Trigger};
use sha2::{Digest, Sha256};

use super::artifact::Artifacts;
use super::capture::{Gathered, capture};
use super::held::{Held, State};
use super::lease::{AfterHold, Lease};
use super::manifest::{Cause, ContainerFacts, KeyedHash, Predicate, When, Whose, sign};
use super::trigger::{Fired, Stop};
use super::{Responder, Said};
use crate::clock::{Moment, nanoseconds};

/// Why, of whom and since when a capture is taken.
pub(super) struct Request<'a> {
    pub(super) capture_id: &'a str,
    pub(super) cause: Cause,
    pub(super) processes: Vec<(Held, String)>,
    pub(super) container: Option<Box<ContainerFacts>>,
    pub(super) span: std::time::Duration,
    /// When it was asked for: latencies count from here.
    pub(super) since: Moment,
    pub(super) side_effects: Vec<String>,
    /// What is known to be missing before it begins.
    pub(super) missing: Vec<String>,
}

impl Responder {
    /// Tells and captures one match.
    pub fn fired(&mut self, fired: Fired, said: &mut Vec<Said>) {
        let now = self.outside.clock.now();
        let capture_id = if fired.capture { self.capture_id(now.boot_ns) } else { String::new() };
        for event in self.triggers(&fired, &capture_id, now) {
            said.push(Said::Event(Box::new(event)));
        }
        if fired.repeats > 0 {
            tracing::info!(repeats = fired.repeats, "matches that were counted since the last one was told");
        }
        let stopped = matches!(fired.stop, Stop::InKernel | Stop::Stopped { .. });
        let key = fired.process.as_ref().map(Held::key);
        if fired.rules.is_empty() {
            // The kernel stopped it for a rule that is not, or no longer, one of ours.
            tracing::warn!("a process that the kernel stopped matches no rule; it goes on");
            return let_go(fired.process.as_ref());
        }
        let held = key.filter(|_| stopped);
        // Before the capture: an agent that dies in it leaves nobody stopped for ever.
        let cause = if capture_id.is_empty() { "trigger" } else { &capture_id };
        let without_end = held.filter(|key| !self.hold(*key, cause, now));
        if fired.capture {
            let request = request(fired, &capture_id, self.settings.bounds.before);
            if let Some(sealed) = self.take(request) {
                said.push(Said::Event(Box::new(sealed)));
            }
        }
        if let Some(key) = without_end {
            tracing::warn!(pid = key.pid, "as many processes are held as can be: this one goes on after its capture");
            let_go(Held::take_to_signal(&self.settings.guard, key).ok().as_ref());
        }
    }

    /// Takes a capture and puts it on the shelf. `None`: it could not even be begun, or kept.
    pub(super) fn take(&mut self, request: Request<'_>) -> Option<Event> {
        let folder = match self.outside.shelf.begin(request.capture_id) {
            Ok(folder) => folder,
            Err(error) => {
                tracing::error!(%error, capture = request.capture_id, "a capture has no folder");
                return None;
            }
        };
        let began = self.outside.clock.now();
        let mut artifacts = Artifacts::new(folder, self.settings.bounds.artifact_bytes);
        for what in &request.missing {
            artifacts.fail("process", what, "it had ended before it could be captured");
        }
        let (processes, executables): (Vec<Held>, Vec<String>) = request.processes.into_iter().unzip();
        let bounds = &self.settings.bounds;
        let recorder = self.outside.recorder.as_ref();
        let gathered = capture(&processes, recorder, request.span, bounds, &self.hash_key, &mut artifacts);
        let whose = processes.iter().zip(executables).map(|(process, executable)| {
            let key = process.key();
            Whose { pid: key.pid, start_ns: key.start_ns, executable }
        });
        let side_effects = [request.side_effects, gathered.side_effects.clone()].concat();
        let predicate = Predicate {
            capture_id: request.capture_id,
            node: &self.settings.node,
            boot_id: &self.settings.boot_id,
            replay: self.settings.replay,
            cause: request.cause,
            processes: whose.collect(),
            container: request.container,
            began: When::from(began),
            ended: When::from(self.outside.clock.now()),
            recorder: gathered.recording,
            artifacts: &artifacts.taken,
            failures: &artifacts.failures,
            side_effects: &side_effects,
            access_keys: &gathered.access_keys,
            keyed_hash: KeyedHash {
                algorithm: "HMAC-SHA256",
                key_id: self.hash_key.id(),
                key: self.hash_key.carried(),
            },
            tool: self.tool.clone(),
        };
        let manifest = sign(predicate, &self.node_key);
        if let Err(error) = self.outside.shelf.commit(request.capture_id, &manifest, &artifacts.taken) {
            tracing::error!(%error, capture = request.capture_id, "a capture could not be kept");
            return None;
        }
        Some(self.sealed(request.capture_id, &manifest, &artifacts, &gathered, request.since))
    }

    fn sealed(&self, id: &str, manifest: &[u8], artifacts: &Artifacts, gathered: &Gathered, since: Moment) -> Event {
        let now = self.outside.clock.now();
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        self.event(Body::CaptureSealed(CaptureSealed {
            capture_id: id.to_owned(),
            manifest_sha256: Sha256::digest(manifest).to_vec(),
            artifacts: count(artifacts.taken.len()),
            failed: count(artifacts.failures.len()),
            latency_ns: now.boot_ns.saturating_sub(since.boot_ns),
            recorder_first_position: gathered.recording.first_position,
            recorder_last_position: gathered.recording.last_position,
        }))
    }

    fn triggers(&self, fired: &Fired, capture_id: &str, now: Moment) -> Vec<Event> {
        let trigger = |rule: &super::trigger::Matched| Trigger {
            rule_id: rule.rule_id.clone(),
            rule_title: rule.title.clone(),
            level: rule.level.to_owned(),
            event_position: fired.event.position,
            action: fired.action().into(),
            capture_id: capture_id.to_owned(),
            stop_latency_ns: fired.stop_latency_ns(),
            seal_latency_ns: 0,
            techniques: rule.techniques.clone(),
        };
        let events = fired.rules.iter().map(|rule| {
            let mut event = self.event(Body::Trigger(trigger(rule)));
            // Who it is about, as the event that matched has it.
            event.actor.clone_from(&fired.event.actor);
            (event.time_ns, event.boot_ns) = (now.wall_ns, now.boot_ns);
            event
        });
        events.collect()
    }

    /// An event of the agent's own.
    pub(super) fn event(&self, body: Body) -> Event {
        let now = self.outside.clock.now();
        Event {
            position: 0,
            time_ns: now.wall_ns,
            boot_ns: now.boot_ns,
            uncertainty_us: now.uncertainty_us,
            cpu: 0,
            cpu_sequence: 0,
            attempt: false,
            actor: None,
            body: Some(body),
        }
    }

    /// Notes that a process is held, until when, and what happens then. False: too many are held, and nothing would ever end this hold.
    pub(super) fn hold(&mut self, key: proto::v1::ProcessKey, cause: &str, now: Moment) -> bool {
        let hold_ns = nanoseconds(self.settings.hold);
        let lease = Lease {
            pid: key.pid,
            start_ns: key.start_ns,
            until_ns: now.boot_ns.saturating_add(hold_ns),
            then: self.settings.after_hold,
            cause: cause.to_owned(),
        };
        self.leases.hold(lease).unwrap_or_else(|error| {
            tracing::error!(%error, pid = key.pid, "a hold could not be kept on disk");
            true
        })
    }

    /// Ends the holds that are over.
    pub(super) fn end_holds(&mut self, now_ns: u64) {
        for lease in self.leases.over(now_ns) {
            match Held::take_to_signal(&self.settings.guard, lease.key()) {
                Ok(held) => {
                    let outcome = match lease.then {
                        AfterHold::Resume => held.resume(),
                        AfterHold::Kill => held.kill(),
                    };
                    let state = outcome.map_or("not to be signalled", State::name);
                    tracing::info!(pid = lease.pid, cause = lease.cause, state, "a hold is over");
                }
                Err(why) => tracing::info!(pid = lease.pid, %why, "a hold is over"),
            }
            if let Err(error) = self.leases.release(lease.key()) {
                tracing::error!(%error, pid = lease.pid, "the end of a hold could not be kept on disk");
            }
        }
    }
}

fn let_go(process: Option<&Held>) {
    if let Some(Err(error)) = process.map(Held::resume) {
        tracing::error!(%error, "a process that the kernel stopped could not be let go");
    }
}

fn request(fired: Fired, capture_id: &str, span: std::time::Duration) -> Request<'_> {
    let side_effects = match &fired.stop {
        Stop::InKernel => vec!["the process was stopped with SIGSTOP by the kernel at its exec".to_owned()],
        Stop::Stopped { latency_ns } => {
            vec![format!("the process was stopped with SIGSTOP, {latency_ns} ns after the event")]
        }
        Stop::Failed(why) => vec![format!("the process was to be stopped and was not: {why}")],
        Stop::NotAsked | Stop::Gone => Vec::new(),
    };
    let event = &fired.event;
    let cause = Cause::Rule {
        rules: fired.rules.iter().map(|rule| rule.rule_id.clone()).collect(),
        event_position: event.position,
        event: When { time_ns: event.time_ns, boot_ns: event.boot_ns, uncertainty_us: event.uncertainty_us },
        repeats: fired.repeats,
    };
    let key = event.actor.as_ref().and_then(|actor| actor.process);
    let missing = match (&fired.process, key) {
        (None, Some(key)) => vec![format!("process {}", key.pid)],
        _ => Vec::new(),
    };
    let processes = fired.process.into_iter().map(|held| (held, fired.executable.clone())).collect();
    let (container, since) = (fired.container, fired.matched);
    Request { capture_id, cause, processes, container, span, since, side_effects, missing }
}

//! Rules and indicators on the node: an event that matches makes something happen at once.
//!
//! Takes events in order; gives [`Fired`] where a rule matched, with the process already stopped where the rule asks for it:
//! nothing is waited for before the stop. One process is captured once for one rule within a while; further matches are
//! counted and told with the next.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use proto::limits::NAME_BYTES;
use proto::v1::actor::Origin as WireOrigin;
use proto::v1::event::Body;
use proto::v1::{Event, ProcessKey, TriggerAction};
use rules::indicators::{Hit, Set};
use rules::{Engine, Response, RuleIndex};

use super::held::{Guard, Held, NotHeld, State};
use super::manifest::ContainerFacts;
use crate::clock::{Clock, Moment};
use crate::observe::Observer;
use crate::observe::node_event::{NodeEvent, command_line, sources};
use crate::origin::container::Container;

/// How much the triggers may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Whom they never touch.
    pub guard: Guard,
    /// How long the same rule is quiet about the same process.
    pub quiet_ns: u64,
    /// Pairs of rule and process that are remembered.
    pub remembered: usize,
    /// False: matches are told, and nothing is done. For a replay, whose processes are long gone.
    pub acts: bool,
    /// What time it is, for the latency.
    pub clock: Clock,
}

impl Limits {
    /// The default: a minute of quiet.
    pub fn new(guard: Guard, clock: Clock) -> Self {
        Self { guard, quiet_ns: 60_000_000_000, remembered: 8192, acts: true, clock }
    }
}

/// A rule, or an indicator, that matched, as the wire and the manifest name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// Its id.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// How grave it is.
    pub level: &'static str,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
}

/// What came of the stop.
#[derive(Debug)]
pub enum Stop {
    /// No rule asked for it.
    NotAsked,
    /// The kernel stopped it before its first instruction.
    InKernel,
    /// It was stopped, so many nanoseconds after the event.
    Stopped {
        /// From the event to the stop.
        latency_ns: u64,
    },
    /// It had ended.
    Gone,
    /// It was not stopped, for this reason.
    Failed(String),
}

/// A match, and what was done at once.
#[derive(Debug)]
pub struct Fired {
    /// The rules, the gravest first.
    pub rules: Vec<Matched>,
    /// The event.
    pub event: Event,
    /// Whether artifacts are to be captured.
    pub capture: bool,
    /// What came of the stop.
    pub stop: Stop,
    /// The process, held since the match; `None` where it has ended, or where there is none.
    pub process: Option<Held>,
    /// What it runs.
    pub executable: String,
    /// Its container.
    pub container: Option<Box<ContainerFacts>>,
    /// When the rules matched.
    pub matched: Moment,
    /// Matches of these rules by this process that were only counted since the last time.
    pub repeats: u64,
}

impl Fired {
    /// The action, as the wire says it.
    pub fn action(&self) -> TriggerAction {
        match &self.stop {
            Stop::InKernel => TriggerAction::StoppedInKernel,
            Stop::Stopped { .. } => TriggerAction::Stopped,
            Stop::Gone => TriggerAction::Gone,
            Stop::NotAsked | Stop::Failed(_) if self.capture => TriggerAction::Captured,
            Stop::NotAsked | Stop::Failed(_) => TriggerAction::Observed,
        }
    }

    /// Nanoseconds from the event to the stop; 0 where nothing was stopped.
    pub fn stop_latency_ns(&self) -> u64 {
        match self.stop {
            Stop::Stopped { latency_ns } => latency_ns,
            _ => 0,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    until_ns: u64,
    repeats: u64,
}

/// What an event matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Cause {
    Rule(RuleIndex),
    Indicator(Hit),
}

/// The rules of this node, and what they have said lately.
#[derive(Debug)]
pub struct Triggers {
    engine: Arc<Engine>,
    indicators: Arc<Set>,
    limits: Limits,
    heard: HashMap<(Cause, ProcessKey), Heard>,
    // Kept between events, so that one that matches nothing allocates nothing.
    line: Vec<u8>,
    matches: Vec<RuleIndex>,
    hits: Vec<Hit>,
    causes: Vec<Cause>,
    counted: u64,
}

impl Triggers {
    /// Triggers over loaded rules.
    pub fn new(engine: impl Into<Arc<Engine>>, limits: Limits) -> Self {
        let engine = engine.into();
        Self {
            engine,
            indicators: Arc::default(),
            limits,
            heard: HashMap::new(),
            line: Vec::new(),
            matches: Vec::new(),
            hits: Vec::new(),
            causes: Vec::new(),
            counted: 0,
        }
    }

    /// With values that were found to be bad elsewhere. What meets one is told, and nothing is done to it.
    #[must_use]
    pub fn with_indicators(self, indicators: impl Into<Arc<Set>>) -> Self {
        Self { indicators: indicators.into(), ..self }
    }

    /// Matches that were counted and not told one by one: the same rule by the same process, within the quiet time. The
    /// events themselves are all in the log.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Asks the rules about an event, and stops its process where one of them says so.
    pub fn check(&mut self, event: &Event, observer: &Observer) -> Option<Fired> {
        self.ask(event, observer)?;
        let in_kernel = self.limits.acts && matches!(&event.body, Some(Body::Exec(exec)) if exec.stopped_in_kernel);
        if self.causes.is_empty() && !in_kernel {
            return None;
        }
        let origin = observer.origin();
        let process = event.actor.as_ref().and_then(|actor| actor.process).filter(|key| key.pid != 0);
        let (mut told, repeats) = self.unheard(process, event.boot_ns);
        if in_kernel && told.is_empty() {
            // Whoever was stopped must be let go by somebody, also where nothing new is to be told of it.
            told.clone_from(&self.causes);
        }
        if told.is_empty() && !in_kernel {
            self.counted += 1;
            return None;
        }
        let (stop, held) = self.stop(event, process, &told, in_kernel);
        let matched = self.limits.clock.now();
        let capture = told.iter().any(|&cause| self.response(cause) != Response::Observe);
        let held = held.or_else(|| Held::take(&self.limits.guard.proc, process?).ok().filter(|_| self.limits.acts));
        Some(Fired {
            rules: self.words(&told, event),
            event: event.clone(),
            capture: capture && self.limits.acts,
            stop,
            process: held,
            executable: executable(event),
            container: event.actor.as_ref().and_then(|actor| {
                let WireOrigin::ContainerId(id) = actor.origin.as_ref()? else { return None };
                origin.container(id).map(|container| Box::new(facts(container)))
            }),
            matched,
            repeats,
        })
    }

    /// Asks rules and indicators what of them an event matches; `None` where they have nothing to say of such events.
    fn ask(&mut self, event: &Event, observer: &Observer) -> Option<()> {
        let [first, second] = sources(event);
        first.or(second)?;
        let origin = observer.origin();
        command_line(event, origin, &mut self.line);
        self.matches.clear();
        self.hits.clear();
        for (number, source) in [first, second].into_iter().flatten().enumerate() {
            let view = NodeEvent::new(event, source, origin, &self.line);
            self.engine.evaluate(&view, &mut self.matches);
            if number == 0 {
                // Under one source alone: indicators ask for values, which are the same under each.
                self.indicators.lookup(&view, seconds(event), &mut self.hits);
            }
        }
        self.causes.clear();
        // What only serves a rule over several events says nothing by itself.
        let told = self.matches.iter().copied().filter(|rule| self.engine.rule(*rule).generate);
        self.causes.extend(told.map(Cause::Rule));
        self.causes.extend(self.hits.iter().copied().map(Cause::Indicator));
        self.causes.sort_unstable();
        self.causes.dedup();
        Some(())
    }

    /// What is to be done. An indicator is somebody else's word: it alone does not stop or capture anybody.
    fn response(&self, cause: Cause) -> Response {
        match cause {
            Cause::Rule(rule) => self.engine.rule(rule).response,
            Cause::Indicator(_) => Response::Observe,
        }
    }

    /// Stops the process, or finds it stopped. A match that is only counted stops nobody: the process may have been let go on
    /// purpose.
    fn stop(
        &self,
        event: &Event,
        process: Option<ProcessKey>,
        told: &[Cause],
        in_kernel: bool,
    ) -> (Stop, Option<Held>) {
        let asked = |&cause: &Cause| matches!(self.response(cause), Response::Stop { .. });
        if !in_kernel && (!self.limits.acts || !told.iter().any(asked)) {
            return (Stop::NotAsked, None);
        }
        let Some(key) = process else { return (Stop::Failed("no process is known".to_owned()), None) };
        let held = match Held::take_to_signal(&self.limits.guard, key) {
            Ok(held) => held,
            Err(NotHeld::Gone { .. } | NotHeld::Another { .. }) => return (Stop::Gone, None),
            Err(why) => return (Stop::Failed(why.to_string()), None),
        };
        let stopped = if in_kernel && held.state() == State::Stopped { Ok(State::Stopped) } else { held.stop() };
        match stopped {
            Ok(State::Stopped) if in_kernel => (Stop::InKernel, Some(held)),
            Ok(State::Stopped) => {
                let latency_ns = self.limits.clock.now().boot_ns.saturating_sub(event.boot_ns);
                (Stop::Stopped { latency_ns }, Some(held))
            }
            Ok(State::Gone) => (Stop::Gone, None),
            Ok(State::Running) => (Stop::Failed("it was told to stop and runs on".to_owned()), Some(held)),
            Err(error) => (Stop::Failed(error.to_string()), Some(held)),
        }
    }

    /// Those of the matches that the same process has not made within the quiet time, and how many were counted before.
    fn unheard(&mut self, process: Option<ProcessKey>, now_ns: u64) -> (Vec<Cause>, u64) {
        let Some(process) = process else { return (self.causes.clone(), 0) };
        if self.heard.len() >= self.limits.remembered {
            self.heard.retain(|_, heard| heard.until_ns > now_ns);
        }
        // Still full of the living: the memory of all is given up, which tells more, never less.
        if self.heard.len() >= self.limits.remembered {
            self.heard.clear();
        }
        let (mut told, mut repeats) = (Vec::new(), 0);
        for &cause in &self.causes {
            let until_ns = now_ns.saturating_add(self.limits.quiet_ns);
            let heard = self.heard.entry((cause, process)).or_insert(Heard { until_ns: 0, repeats: 0 });
            if heard.until_ns > now_ns {
                heard.repeats += 1;
            } else {
                repeats += heard.repeats;
                *heard = Heard { until_ns, repeats: 0 };
                told.push(cause);
            }
        }
        (told, repeats)
    }

    fn words(&self, causes: &[Cause], event: &Event) -> Vec<Matched> {
        let words = causes.iter().map(|cause| match *cause {
            Cause::Rule(rule) => {
                let rule = self.engine.rule(rule);
                let matched = Matched {
                    rule_id: rule.id.clone(),
                    title: rule.title.clone(),
                    level: rule.level.name(),
                    techniques: rule.techniques.clone(),
                };
                (rule.level, matched)
            }
            Cause::Indicator(hit) => {
                let words = self.indicators.words(hit, seconds(event));
                // The collector may not have this indicator: who says so, and why, goes with it.
                let mut title = format!("{}. {}", words.title, words.why);
                title.truncate(title.floor_char_boundary(NAME_BYTES));
                (words.level, Matched { rule_id: words.id, title, level: words.level.name(), techniques: Vec::new() })
            }
        });
        let mut words: Vec<_> = words.collect();
        words.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
        words.into_iter().map(|(_, matched)| matched).collect()
    }
}

/// When the event happened, in seconds since 1970.
fn seconds(event: &Event) -> i64 {
    i64::try_from(event.time_ns / 1_000_000_000).unwrap_or(i64::MAX)
}

fn executable(event: &Event) -> String {
    event.actor.as_ref().map(|actor| String::from_utf8_lossy(&actor.executable).into_owned()).unwrap_or_default()
}

/// What a manifest says of a container.
pub(crate) fn facts(container: &Container) -> ContainerFacts {
    ContainerFacts {
        id: container.id.clone(),
        runtime: container.runtime.name().to_owned(),
        cgroup_id: container.cgroup_id,
        pod_uid: container.names.pod_uid.clone(),
        pod_name: container.names.pod_name.clone(),
        pod_namespace: container.names.pod_namespace.clone(),
        image: container.names.image.clone(),
    }
}

impl Guard {
    /// A guard over `/proc` as it is mounted, with a list of the host's executables.
    pub fn new(proc: &Path, never_touch: &[std::path::PathBuf]) -> Self {
        Self { proc: proc.to_path_buf(), never_touch: never_touch.to_vec() }
    }
}

#[cfg(test)]
#[path = "trigger_tests.rs"]
mod tests;

//! All correlations of an engine at work: from an event to the firings that it leads to.
//!
//! Takes events with their matches, and the word that time has moved on; gives firings. One event goes through all
//! correlations that its rules are named in, and what these complete through those upon them, until nothing is left.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::group::{From, Incoming, Observed};
use super::key::{Part, combinations, decode, encode, number, values};
use super::state::{Complete, State};
use super::{Correlation, CorrelationIndex, Derived, Firing, Key, Kind, Loss, Target};
use crate::Engine;
use crate::event::{Event, LogSource, Value};
use crate::fields::Field;
use crate::limits;
use crate::rule::RuleIndex;

/// Correlates events for the rules of one engine. `I` is what the caller calls an event.
#[derive(Debug)]
pub struct Correlator<I> {
    correlations: Arc<[Correlation]>,
    routes: BTreeMap<Target, Vec<Route>>,
    states: Vec<State<I>>,
    sequence: u64,
    /// How far time has moved on, as the caller said.
    clock: Option<i64>,
}

/// Where matches of a rule go.
#[derive(Debug, Clone, Copy)]
struct Route {
    correlation: usize,
    role: Role,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    /// One of the rules, by position.
    Member(u16),
    /// It must be absent.
    Absent,
}

/// Something that correlations may count.
#[derive(Debug)]
struct Signal<I> {
    target: Target,
    time: i64,
    sequence: u64,
    from: From<I>,
    /// Of a firing, what its events have in common.
    group: Vec<(String, Part)>,
}

/// One call's work.
struct Work<'a, E: ?Sized, I> {
    event: &'a E,
    /// When it came. Time that moves on brings many, one after the other.
    sequence: u64,
    queue: VecDeque<Signal<I>>,
    firings: Vec<Firing<I>>,
    /// Windows that may still be followed up.
    left: usize,
}

impl<I: Clone> Correlator<I> {
    /// A correlator that knows of no event yet.
    pub fn new(engine: &Engine) -> Self {
        let correlations = Arc::clone(&engine.correlations);
        let mut routes: BTreeMap<Target, Vec<Route>> = BTreeMap::new();
        for (correlation, rule) in correlations.iter().enumerate() {
            let members = rule.members.iter().zip(0..).map(|(target, member)| (target, Role::Member(member)));
            let absent = rule.absent.iter().flat_map(|absent| &absent.rules).map(|target| (target, Role::Absent));
            for (target, role) in members.chain(absent) {
                routes.entry(*target).or_default().push(Route { correlation, role });
            }
        }
        let states = correlations.iter().map(|_| State::default()).collect();
        Self { correlations, routes, states, sequence: 0, clock: None }
    }

    /// Takes an event that matches these rules of the engine. `time` is its own, in nanoseconds since 1970; events may
    /// come in any order.
    pub fn observe<E: Event + ?Sized>(
        &mut self,
        event: &E,
        matches: &[RuleIndex],
        id: &I,
        time: i64,
    ) -> Vec<Firing<I>> {
        self.sequence += 1;
        if matches.is_empty() || self.correlations.is_empty() {
            return Vec::new();
        }
        let mut work = Work::new(event, self.sequence, limits::EVENT_FIRINGS);
        self.derive(matches, id, time, &mut work);
        for rule in matches {
            let target = Target::Rule(*rule);
            if self.routes.contains_key(&target) {
                let (sequence, from) = (self.sequence, From::Event(id.clone(), *rule));
                work.queue.push_back(Signal { target, time, sequence, from, group: Vec::new() });
            }
        }
        self.work(work)
    }

    /// Says that time has moved on: all events of before `time` are expected to have come, but for those that are late
    /// by [`LATENESS`](limits::LATENESS) at the most. Gives what was absent. A time before the last one changes nothing.
    pub fn advance(&mut self, time: i64) -> Vec<Firing<I>> {
        if self.clock.is_some_and(|clock| clock >= time) {
            return Vec::new();
        }
        self.clock = Some(time);
        let mut work = Work::new(&Nothing, self.sequence, usize::MAX);
        let correlations = Arc::clone(&self.correlations);
        for (at, (rule, state)) in correlations.iter().zip(&mut self.states).enumerate() {
            for (key, complete) in state.decide(rule, time) {
                work.sequence += 1;
                work.fire(at, rule, &key, complete, &self.routes);
            }
        }
        self.sequence = work.sequence;
        let firings = self.work(work);
        for (rule, state) in correlations.iter().zip(&mut self.states) {
            state.sweep(rule, time);
        }
        firings
    }

    /// What was given up, of all correlations.
    pub fn loss(&self) -> Loss {
        let mut all = Loss::default();
        self.states.iter().for_each(|state| all.add(&state.loss));
        all
    }

    /// What was given up of one correlation.
    pub fn loss_of(&self, correlation: CorrelationIndex) -> Loss {
        self.states.get(correlation.position()).map_or_else(Loss::default, |state| state.loss)
    }

    /// How many groups there are, over all correlations.
    pub fn groups(&self) -> usize {
        self.states.iter().map(State::groups).sum()
    }

    /// About how many bytes all of them take: what [`STATE_BYTES`](limits::STATE_BYTES) bounds.
    pub fn bytes(&self) -> usize {
        self.states.iter().map(State::bytes).sum()
    }

    /// Follows each signal, and those that come of it.
    fn work<E: Event + ?Sized>(&mut self, mut work: Work<'_, E, I>) -> Vec<Firing<I>> {
        while let Some(signal) = work.queue.pop_front() {
            let routes = self.routes.get(&signal.target).cloned().unwrap_or_default();
            for route in routes {
                self.follow(route, &signal, &mut work);
            }
        }
        self.make_room();
        work.firings
    }

    fn follow<E: Event + ?Sized>(&mut self, route: Route, signal: &Signal<I>, work: &mut Work<'_, E, I>) {
        let correlations = Arc::clone(&self.correlations);
        let (Some(rule), Some(state)) = (correlations.get(route.correlation), self.states.get_mut(route.correlation))
        else {
            return;
        };
        let lists: Vec<_> = rule.keys.iter().map(|key| signal.values(key, work.event)).collect();
        let (keys, more) = combinations(&lists.iter().map(|(list, _)| list.clone()).collect::<Vec<_>>());
        if more || lists.iter().any(|(_, more)| *more) {
            state.loss.keys += 1;
        }
        // Of whom nothing is known it cannot be said that something is absent, nor who they were before.
        let own = rule.absent.is_some() || rule.derive.is_some();
        for parts in keys.into_iter().filter(|parts| !own || parts.is_empty() || parts.iter().any(Option::is_some)) {
            let (key, derived) = root(rule, state, &parts, signal.time);
            match route.role {
                Role::Absent => state.happened(rule, &key, signal.time, self.clock),
                Role::Member(member) => {
                    for observed in observed(rule, signal, work.event) {
                        let (time, sequence, from) = (signal.time, signal.sequence, signal.from.clone());
                        let incoming = Incoming { time, sequence, member, observed, from };
                        for complete in state.enter(rule, &key, incoming, derived.clone(), self.clock) {
                            if !work.fire(route.correlation, rule, &key, complete, &self.routes) {
                                state.loss.firings += 1;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Notes the identities that an event gives away, and joins what came under them before.
    fn derive<E: Event + ?Sized>(&mut self, matches: &[RuleIndex], id: &I, time: i64, work: &mut Work<'_, E, I>) {
        let correlations = Arc::clone(&self.correlations);
        for (at, (rule, state)) in correlations.iter().zip(&mut self.states).enumerate() {
            let (Some(derive), [key]) = (&rule.derive, rule.keys.as_slice()) else { continue };
            for (from, field) in derive.from.iter().filter(|(from, _)| matches.contains(from)) {
                let (parents, _) = values(work.event, key.of(Target::Rule(*from)));
                let (children, more) = values(work.event, field);
                state.loss.keys += u64::from(more);
                let Some(parent) = parents.first() else { continue };
                for child in children {
                    let event = Derived { value: child.to_vec(), id: id.clone(), rule: *from, time };
                    let until = time.saturating_add(derive.lasts);
                    state.identities.add(parent, until, self.sequence, event, &mut state.loss);
                    for incoming in state.take_from(&encode(&[Some(child.clone())]), time) {
                        let (key, derived) = root(rule, state, &[Some(child.clone())], incoming.time);
                        for complete in state.enter(rule, &key, incoming, derived, self.clock) {
                            if !work.fire(at, rule, &key, complete, &self.routes) {
                                state.loss.firings += 1;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Gives up groups while all of them take more than they may: of the correlation that takes most.
    fn make_room(&mut self) {
        let correlations = Arc::clone(&self.correlations);
        while self.bytes() > limits::STATE_BYTES {
            let largest = self.states.iter_mut().zip(correlations.iter()).max_by_key(|(state, _)| state.bytes());
            match largest {
                Some((state, rule)) if state.groups() > 0 => state.give_up_one(rule, self.clock),
                _ => return,
            }
        }
    }
}

impl<'a, E: Event + ?Sized, I: Clone> Work<'a, E, I> {
    fn new(event: &'a E, sequence: u64, left: usize) -> Self {
        Self { event, sequence, queue: VecDeque::new(), firings: Vec::new(), left }
    }

    /// Tells of a completed window, and hands it to the correlations upon this one. False when the event has set off
    /// too many.
    fn fire(
        &mut self,
        at: usize,
        rule: &Correlation,
        key: &[u8],
        complete: Complete<I>,
        routes: &BTreeMap<Target, Vec<Route>>,
    ) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let correlation = CorrelationIndex(u32::try_from(at).unwrap_or(u32::MAX));
        let group: Vec<_> = rule.keys.iter().map(|key| key.name.clone()).zip(decode(key)).collect();
        let Complete { window, derived, news } = complete;
        if news && rule.rule.generate {
            let group = group.iter().map(|(name, part)| (name.clone(), part.as_deref().map(<[u8]>::to_vec))).collect();
            self.firings.push(Firing {
                correlation,
                time: window.time,
                group,
                value: window.value,
                events: window.events.to_vec(),
                omitted: window.omitted,
                derived,
            });
        }
        let target = Target::Correlation(correlation);
        if routes.contains_key(&target) {
            let (time, sequence, from) = (window.time, self.sequence, From::Firing(window.events));
            self.queue.push_back(Signal { target, time, sequence, from, group });
        }
        true
    }
}

impl<I> Signal<I> {
    /// The values of a key: of a firing, what its events have in common by that name, else those of the event.
    fn values<E: Event + ?Sized>(&self, key: &Key, event: &E) -> (Vec<Box<[u8]>>, bool) {
        let field = key.of(self.target);
        let common = self.group.iter().find(|(name, _)| name == field.name() || *name == key.name);
        match common {
            Some((_, part)) => (part.iter().cloned().collect(), false),
            None => values(event, field),
        }
    }
}

/// What is counted of an event: each of its values once. Nothing where it lacks the field.
fn observed<I, E: Event + ?Sized>(rule: &Correlation, signal: &Signal<I>, event: &E) -> Vec<Observed> {
    if !rule.kind.reads_field() {
        return vec![Observed::Nothing];
    }
    if rule.kind != Kind::ValueCount {
        let field = rule.values.first().map(|key| key.of(signal.target));
        return field.and_then(|field| number(event, field)).map(Observed::Number).into_iter().collect();
    }
    let lists: Vec<_> = rule.values.iter().map(|key| signal.values(key, event).0).collect();
    if lists.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    combinations(&lists).0.iter().map(|parts| Observed::Value(encode(parts).as_ref().into())).collect()
}

/// The key of whom the parts come from, with the events by which they did.
fn root<I: Clone>(rule: &Correlation, state: &State<I>, parts: &[Part], time: i64) -> (Arc<[u8]>, Vec<Derived<I>>) {
    match (&rule.derive, parts) {
        (Some(_), [Some(identity)]) => {
            let (identity, derived) = state.identities.root(identity, time);
            (encode(&[Some(identity.as_ref().into())]), derived)
        }
        _ => (encode(parts), Vec::new()),
    }
}

/// What is there when time moves on and no event comes.
struct Nothing;

impl Event for Nothing {
    fn log_source(&self) -> LogSource<'_> {
        LogSource::default()
    }

    fn field<'a>(&'a self, _: &'a Field) -> Value<'a> {
        Value::Missing
    }

    fn each_text(&self, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

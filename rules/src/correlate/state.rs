//! All groups of one correlation, bounded.
//!
//! Takes events with the key of their group; gives the windows that they complete. Where there is no room the group that
//! was longest without an event is given up: by order of coming, not by time, so that events with times of their own
//! choice keep nothing alive. What is given up is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::absence::Waiting;
use super::group::{Completion, Group, Incoming, Placed, allowance};
use super::identity::Identities;
use super::{Correlation, Derived, Loss};
use crate::limits;

/// What one correlation knows.
#[derive(Debug)]
pub(super) struct State<I> {
    groups: BTreeMap<Arc<[u8]>, Held<I>>,
    /// Groups by when an event came for them last.
    order: BTreeMap<u64, Arc<[u8]>>,
    /// Groups by when something of theirs can be decided.
    due: BTreeMap<i64, BTreeSet<Arc<[u8]>>>,
    pub(super) identities: Identities<I>,
    pub(super) loss: Loss,
    touches: u64,
    /// At the last sweep: the time, and the number of touches.
    swept: (i64, u64),
    bytes: usize,
}

#[derive(Debug)]
struct Held<I> {
    group: Group<I>,
    waiting: Waiting<I>,
    /// Events by which identities came to this group.
    derived: Vec<Derived<I>>,
    /// When a completed window was told last.
    told: Option<i64>,
    touched: u64,
    bytes: usize,
}

/// A completed window of a group, and whether it is news.
#[derive(Debug)]
pub(super) struct Complete<I> {
    pub(super) window: Completion<I>,
    pub(super) derived: Vec<Derived<I>>,
    /// The last window that was told of this group is further away than the span.
    pub(super) news: bool,
}

/// What a group costs beside its events, about: its place in two maps.
const OVERHEAD: usize = 192;

impl<I> Default for State<I> {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            order: BTreeMap::new(),
            due: BTreeMap::new(),
            identities: Identities::default(),
            loss: Loss::default(),
            touches: 0,
            swept: (i64::MIN, 0),
            bytes: 0,
        }
    }
}

impl<I: Clone> State<I> {
    /// Puts an event into its group.
    pub(super) fn enter(
        &mut self,
        rule: &Correlation,
        key: &Arc<[u8]>,
        incoming: Incoming<I>,
        derived: Vec<Derived<I>>,
        clock: Option<i64>,
    ) -> Vec<Complete<I>> {
        let mut loss = Loss::default();
        let (completions, due) = self.with(rule, key, clock, |held| {
            for event in derived {
                if held.derived.len() < limits::DERIVED && !held.derived.iter().any(|known| known.value == event.value)
                {
                    held.derived.push(event);
                }
            }
            let (placed, gone) = held.group.place(rule, incoming);
            loss.events += gone as u64;
            let Placed::At(position) = placed else {
                loss.late += 1;
                return (Vec::new(), Vec::new());
            };
            let windows = held.group.complete(rule, position);
            match &rule.absent {
                None => (windows.into_iter().map(|window| told(held, rule.span, window)).collect(), Vec::new()),
                Some(absent) => {
                    let all = windows.len();
                    let wait = |window| held.waiting.begin(rule, absent.when, window);
                    let due: Vec<_> = windows.into_iter().filter_map(wait).collect();
                    loss.firings += (all - due.len()) as u64;
                    (Vec::new(), due)
                }
            }
        });
        self.loss.add(&loss);
        for moment in due {
            self.due.entry(moment).or_default().insert(Arc::clone(key));
        }
        completions
    }

    /// An event came that must be absent.
    pub(super) fn happened(&mut self, rule: &Correlation, key: &Arc<[u8]>, time: i64, clock: Option<i64>) {
        self.loss.events += self.with(rule, key, clock, |held| held.waiting.happened(time));
    }

    /// What was absent, by `clock`.
    pub(super) fn decide(&mut self, rule: &Correlation, clock: i64) -> Vec<(Arc<[u8]>, Complete<I>)> {
        let Some(absent) = &rule.absent else { return Vec::new() };
        let mut found = Vec::new();
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= clock) {
            for key in entry.remove() {
                // It may have been given up meanwhile, which was counted.
                let Some(held) = self.groups.get_mut(&key) else { continue };
                for window in held.waiting.decide(rule, absent.when, clock) {
                    found.push((Arc::clone(&key), told(held, rule.span, window)));
                }
            }
        }
        found
    }

    /// Takes the events of a group from a moment on.
    pub(super) fn take_from(&mut self, key: &[u8], time: i64) -> Vec<Incoming<I>> {
        let Some(held) = self.groups.get_mut(key) else { return Vec::new() };
        let taken = held.group.take_from(time);
        if held.group.len() == 0 && held.waiting.is_empty() {
            self.remove(key);
        }
        taken
    }

    /// Forgets groups whose span is over by `clock`. One that an event came for since the last sweep stays: events of
    /// long ago are read, too, and belong together.
    pub(super) fn sweep(&mut self, rule: &Correlation, clock: i64) {
        let pause = rule.span.max(limits::LATENESS);
        if self.swept.0 != i64::MIN && clock < self.swept.0.saturating_add(pause) {
            return;
        }
        let untouched: Vec<_> = (self.order.range(..=self.swept.1))
            .filter(|(_, key)| self.groups.get(*key).is_some_and(|held| over(held, rule, clock)))
            .map(|(_, key)| Arc::clone(key))
            .collect();
        for key in untouched {
            self.remove(&key);
        }
        self.identities.expire(clock);
        self.swept = (clock, self.touches);
    }

    /// Gives up the group that was longest without an event.
    pub(super) fn give_up_one(&mut self, rule: &Correlation, clock: Option<i64>) {
        let Some(key) = self.order.first_key_value().map(|(_, key)| Arc::clone(key)) else { return };
        if let Some(held) = self.groups.get(&key)
            && clock.is_none_or(|clock| !over(held, rule, clock))
        {
            self.loss.groups += 1;
            self.loss.events += held.group.len() as u64;
        }
        self.remove(&key);
    }

    /// About how many bytes all of it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.identities.bytes()
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Works on a group, made where there is none, and reckons anew what it takes.
    fn with<T>(
        &mut self,
        rule: &Correlation,
        key: &Arc<[u8]>,
        clock: Option<i64>,
        work: impl FnOnce(&mut Held<I>) -> T,
    ) -> T {
        if !self.groups.contains_key(key) && self.groups.len() >= limits::GROUPS {
            self.give_up_one(rule, clock);
        }
        self.touches += 1;
        let held = self.groups.entry(Arc::clone(key)).or_insert_with(Held::new);
        self.order.remove(&held.touched);
        held.touched = self.touches;
        self.order.insert(self.touches, Arc::clone(key));
        let result = work(held);
        self.bytes = self.bytes.saturating_sub(held.bytes);
        let derived = held.derived.iter().map(|event| size_of::<Derived<I>>() + event.value.len()).sum::<usize>();
        held.bytes = OVERHEAD + size_of::<Held<I>>() + key.len() + held.group.bytes() + held.waiting.bytes() + derived;
        self.bytes += held.bytes;
        result
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(held) = self.groups.remove(key) {
            self.order.remove(&held.touched);
            self.bytes = self.bytes.saturating_sub(held.bytes);
        }
    }
}

impl<I> Held<I> {
    fn new() -> Self {
        let (group, waiting) = (Group::default(), Waiting::default());
        Self { group, waiting, derived: Vec::new(), told: None, touched: 0, bytes: 0 }
    }
}

/// Whether nothing that comes in time can belong to the group any more.
fn over<I: Clone>(held: &Held<I>, rule: &Correlation, clock: i64) -> bool {
    let newest = held.group.newest().max(held.waiting.newest()).unwrap_or(i64::MIN);
    let reach = rule.span.saturating_mul(2).saturating_add(allowance(rule)).saturating_add(limits::LATENESS);
    newest.saturating_add(reach) < clock
}

/// A completed window with what makes it news.
fn told<I: Clone>(held: &mut Held<I>, span: i64, window: Completion<I>) -> Complete<I> {
    let news = held.told.is_none_or(|told| window.time.abs_diff(told) > span.unsigned_abs());
    if news {
        held.told = Some(window.time);
    }
    Complete { window, derived: held.derived.clone(), news }
}

//! The events of one group of one correlation, in order of their own time.
//!
//! Takes events as they come, late ones too; gives the events that complete a window: that with those before them, within
//! the span, are enough. An event completes a window once, whatever comes after it. Bounded in number: what is given up
//! is counted by whoever asked.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chain::{Chain, Step};
use super::values::Values;
use super::window::Window;
use super::{Contribution, Correlation, Kind};
use crate::limits;
use crate::rule::RuleIndex;

/// An event on its way into a group.
#[derive(Debug, Clone)]
pub(super) struct Incoming<I> {
    pub(super) time: i64,
    /// When it came, among all events.
    pub(super) sequence: u64,
    /// Which of the correlation's rules it matches.
    pub(super) member: u16,
    pub(super) observed: Observed,
    pub(super) from: From<I>,
}

/// What is counted of an event.
#[derive(Debug, Clone)]
pub(super) enum Observed {
    Nothing,
    Number(f64),
    Value(Box<[u8]>),
}

/// What an entry stands for.
#[derive(Debug, Clone)]
pub(super) enum From<I> {
    Event(I, RuleIndex),
    /// A firing of another correlation, with the events that it names.
    Firing(Arc<[Contribution<I>]>),
}

/// What is counted, as a group holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sample {
    Nothing,
    Number(f64),
    /// The number of a value in [`Values`].
    Value(u32),
}

#[derive(Debug)]
struct Entry<I> {
    time: i64,
    sequence: u64,
    member: u16,
    /// It has completed a window.
    complete: bool,
    sample: Sample,
    from: From<I>,
}

impl<I> Entry<I> {
    /// How many events it stands for.
    fn named(&self) -> usize {
        if let From::Firing(named) = &self.from { named.len() } else { 1 }
    }

    /// Whether both stand for the same event and rule.
    fn same(&self, other: &Self) -> bool {
        let one = match (&self.from, &other.from) {
            (From::Firing(left), From::Firing(right)) => Arc::ptr_eq(left, right),
            (From::Event(..), From::Event(..)) => true,
            _ => false,
        };
        one && (self.sequence, self.member) == (other.sequence, other.member)
    }
}

/// What became of an event.
#[derive(Debug)]
pub(super) enum Placed {
    At(usize),
    /// It came so late that what it belongs with may be gone.
    TooLate,
}

/// A window that was completed.
#[derive(Debug, Clone)]
pub(super) struct Completion<I> {
    /// Of the event that completed it.
    pub(super) time: i64,
    pub(super) value: f64,
    pub(super) events: Arc<[Contribution<I>]>,
    pub(super) omitted: usize,
}

/// The events of one group.
#[derive(Debug)]
pub(super) struct Group<I> {
    entries: VecDeque<Entry<I>>,
    values: Values,
    /// Of its events the latest time.
    newest: i64,
    /// So many events in a row came too late.
    behind: u8,
    /// Events that firings name, over all entries.
    named: usize,
    /// The window that ends with the last event, kept while events come in order: each costs only itself then.
    latest: Option<Latest>,
}

/// A window up to the last event.
#[derive(Debug)]
struct Latest {
    window: Window,
    /// The position of its first event.
    first: usize,
}

impl<I> Default for Group<I> {
    fn default() -> Self {
        let (entries, values) = (VecDeque::new(), Values::default());
        Self { entries, values, newest: i64::MIN, behind: 0, named: 0, latest: None }
    }
}

/// By how much an event may be late.
pub(super) fn allowance(rule: &Correlation) -> i64 {
    rule.span.max(limits::LATENESS)
}

impl<I: Clone> Group<I> {
    /// Puts an event in its place, and gives how many others had to go before their time.
    pub(super) fn place(&mut self, rule: &Correlation, incoming: Incoming<I>) -> (Placed, usize) {
        let mut lost = 0;
        if incoming.time < self.newest.saturating_sub(allowance(rule)) {
            self.behind += 1;
            if self.behind < limits::BEHIND {
                return (Placed::TooLate, 0);
            }
            // So many in a row are no stragglers: the newest time was that of a clock that went wrong.
            lost = self.entries.len();
            *self = Self::default();
        }
        self.behind = 0;
        self.newest = self.newest.max(incoming.time);
        let oldest = self.newest.saturating_sub(rule.span.saturating_add(allowance(rule)));
        while self.entries.front().is_some_and(|entry| entry.time < oldest) {
            self.forget_first();
        }
        let mut position = self.entries.partition_point(|entry| entry.time <= incoming.time);
        let entry = self.entry(incoming);
        if position < self.entries.len() {
            self.latest = None;
        }
        self.entries.insert(position, entry);
        if self.entries.len() > rule.kind.events() {
            self.forget_first();
            lost += 1;
            match position.checked_sub(1) {
                Some(moved) => position = moved,
                None => return (Placed::TooLate, lost - 1),
            }
        }
        (Placed::At(position), lost)
    }

    fn entry(&mut self, incoming: Incoming<I>) -> Entry<I> {
        let sample = match &incoming.observed {
            Observed::Nothing => Sample::Nothing,
            Observed::Number(number) => Sample::Number(*number),
            Observed::Value(value) => Sample::Value(self.values.take(value)),
        };
        if let From::Firing(events) = &incoming.from {
            self.named += events.len();
        }
        let Incoming { time, sequence, member, from, .. } = incoming;
        Entry { time, sequence, member, complete: false, sample, from }
    }

    fn forget_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        if let Some(latest) = &mut self.latest {
            match latest.first.checked_sub(1) {
                Some(first) => latest.first = first,
                None => latest.window.remove(entry.member, entry.sample),
            }
        }
        self.forgotten(&entry);
    }

    fn forgotten(&mut self, entry: &Entry<I>) {
        if let Sample::Value(number) = entry.sample {
            self.values.give_back(number);
        }
        if let From::Firing(events) = &entry.from {
            self.named -= events.len();
        }
    }

    /// The windows that the event at `position` completes, or makes complete for events after it.
    pub(super) fn complete(&mut self, rule: &Correlation, position: usize) -> Vec<Completion<I>> {
        let Some(time) = self.entries.get(position).map(|entry| entry.time) else { return Vec::new() };
        let earliest = time.saturating_sub(rule.span);
        let first = self.entries.partition_point(|entry| entry.time < earliest);
        let end = self.entries.partition_point(|entry| entry.time <= time.saturating_add(rule.span));
        let found = match rule.kind {
            Kind::TemporalOrdered => self.chains(rule, first, position, end),
            _ if position + 1 == self.entries.len() => self.last_window(rule, first, position),
            _ => self.windows(rule, first, position, end),
        };
        let mut completions = Vec::new();
        for (at, value) in found {
            if let Some(entry) = self.entries.get_mut(at) {
                entry.complete = true;
            }
            completions.push(self.completion(rule, at, value));
        }
        completions
    }

    /// The window that ends with the last event, which has just come.
    fn last_window(&mut self, rule: &Correlation, first: usize, position: usize) -> Vec<(usize, f64)> {
        let mut latest = self.latest.take().unwrap_or_else(|| {
            let mut window = Window::new(rule.kind, rule.condition.percentile);
            self.entries.range(first..position).for_each(|entry| window.add(entry.member, entry.sample));
            Latest { window, first }
        });
        let gone = self.entries.range(latest.first.min(first)..first);
        gone.for_each(|entry| latest.window.remove(entry.member, entry.sample));
        latest.first = first;
        if let Some(entry) = self.entries.get(position) {
            latest.window.add(entry.member, entry.sample);
        }
        let value = latest.window.value().filter(|value| rule.condition.holds(*value));
        self.latest = Some(latest);
        value.map(|value| (position, value)).into_iter().collect()
    }

    fn windows(&self, rule: &Correlation, first: usize, position: usize, end: usize) -> Vec<(usize, f64)> {
        let mut window = Window::new(rule.kind, rule.condition.percentile);
        let mut oldest = self.entries.range(first..end).peekable();
        let mut found = Vec::new();
        for (at, entry) in (first..).zip(self.entries.range(first..end)) {
            window.add(entry.member, entry.sample);
            let earliest = entry.time.saturating_sub(rule.span);
            while let Some(gone) = oldest.next_if(|old| old.time < earliest) {
                window.remove(gone.member, gone.sample);
            }
            if at >= position && !entry.complete {
                found.extend(window.value().filter(|value| rule.condition.holds(*value)).map(|value| (at, value)));
            }
        }
        found
    }

    fn chains(&self, rule: &Correlation, first: usize, position: usize, end: usize) -> Vec<(usize, f64)> {
        let mut chain = Chain::new(rule.members.len());
        let mut found = Vec::new();
        let mut at = first;
        let mut steps = Vec::new();
        while at < end {
            let Some(time) = self.entries.get(at).map(|entry| entry.time) else { break };
            steps.clear();
            let moment = self.entries.range(at..end).take_while(|entry| entry.time == time);
            steps.extend(moment.map(|entry| Step { time, event: entry.sequence, member: entry.member }));
            chain.moment(&steps);
            let value = chain.longest(time.saturating_sub(rule.span)) as f64;
            let next = at + steps.len();
            if rule.condition.holds(value) {
                let fresh = |at: &usize| self.entries.get(*at).is_some_and(|entry| !entry.complete);
                found.extend((at.max(position)..next).filter(fresh).map(|at| (at, value)));
            }
            at = next;
        }
        found
    }

    fn completion(&self, rule: &Correlation, at: usize, value: f64) -> Completion<I> {
        let time = self.entries.get(at).map_or(0, |entry| entry.time);
        let earliest = time.saturating_sub(rule.span);
        let start = self.entries.partition_point(|entry| entry.time < earliest);
        let mut events = Vec::new();
        let mut omitted = 0;
        let mut last: Option<&Entry<I>> = None;
        for (position, entry) in (start..=at).rev().zip(self.entries.range(start..=at).rev()) {
            // An event stands there once for each of its values, one after the other.
            if last.replace(entry).is_some_and(|last| last.same(entry)) {
                continue;
            }
            if events.len() >= limits::FIRING_EVENTS {
                // Where none stands for a firing, each is one.
                let rest = || self.entries.range(start..=position).map(Entry::named).sum();
                omitted = if self.named == 0 { position + 1 - start } else { rest() };
                break;
            }
            match &entry.from {
                From::Event(id, rule) => events.push(Contribution { id: id.clone(), rule: *rule, time: entry.time }),
                From::Firing(named) => events.extend(named.iter().rev().cloned()),
            }
        }
        omitted += events.len().saturating_sub(limits::FIRING_EVENTS);
        events.truncate(limits::FIRING_EVENTS);
        events.reverse();
        Completion { time, value, omitted, events: events.into() }
    }

    /// Takes out the events from a moment on, to be put into another group.
    pub(super) fn take_from(&mut self, time: i64) -> Vec<Incoming<I>> {
        let at = self.entries.partition_point(|entry| entry.time < time);
        let taken: Vec<_> = self.entries.drain(at..).collect();
        self.latest = None;
        self.newest = self.entries.back().map_or(i64::MIN, |entry| entry.time);
        let mut incoming = Vec::new();
        for entry in taken {
            let observed = match entry.sample {
                Sample::Nothing => Observed::Nothing,
                Sample::Number(number) => Observed::Number(number),
                Sample::Value(number) => Observed::Value(self.values.get(number).into()),
            };
            self.forgotten(&entry);
            let Entry { time, sequence, member, from, .. } = entry;
            incoming.push(Incoming { time, sequence, member, observed, from });
        }
        incoming
    }

    /// Of its events the latest time; `None` where it has none.
    pub(super) fn newest(&self) -> Option<i64> {
        (!self.entries.is_empty()).then_some(self.newest)
    }

    /// How many events it holds.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<I>>()
            + self.values.bytes()
            + self.named * size_of::<Contribution<I>>()
            + self.latest.as_ref().map_or(0, |latest| latest.window.bytes())
    }
}

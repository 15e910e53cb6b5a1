//! What did not happen: completed windows that wait for events which must be absent.
//!
//! Takes windows and the moments of such events, in any order; gives, once time has moved on far enough, the windows in
//! whose reach there was none. It never decides before an event that is late could still come.

use std::collections::VecDeque;

use super::Correlation;
use super::group::Completion;
use super::rule::When;
use crate::limits;

/// What one group waits for.
#[derive(Debug)]
pub(super) struct Waiting<I> {
    windows: Vec<Completion<I>>,
    /// In order of time.
    happened: VecDeque<i64>,
}

impl<I> Default for Waiting<I> {
    fn default() -> Self {
        Self { windows: Vec::new(), happened: VecDeque::new() }
    }
}

impl<I> Waiting<I> {
    /// A window begins to wait; gives when it can be decided, or nothing where too many wait already.
    pub(super) fn begin(&mut self, rule: &Correlation, when: When, window: Completion<I>) -> Option<i64> {
        if self.windows.len() >= limits::GROUP_EVENTS / 4 {
            return None;
        }
        let due = reach(rule, when, &window).1.saturating_add(limits::LATENESS);
        self.windows.push(window);
        Some(due)
    }

    /// An event that must be absent is not; gives how many others had to be forgotten for it.
    pub(super) fn happened(&mut self, time: i64) -> u64 {
        let position = self.happened.partition_point(|other| *other <= time);
        self.happened.insert(position, time);
        if self.happened.len() <= limits::GROUP_EVENTS {
            return 0;
        }
        self.happened.pop_front();
        1
    }

    /// The windows whose time is over by `clock` and in whose reach nothing happened.
    pub(super) fn decide(&mut self, rule: &Correlation, when: When, clock: i64) -> Vec<Completion<I>> {
        let mut absent = Vec::new();
        let mut left = Vec::new();
        for window in self.windows.drain(..) {
            let (from, to) = reach(rule, when, &window);
            if to.saturating_add(limits::LATENESS) > clock {
                left.push(window);
                continue;
            }
            let next = self.happened.partition_point(|time| *time < from);
            if self.happened.get(next).is_none_or(|time| *time > to) {
                absent.push(window);
            }
        }
        self.windows = left;
        absent
    }

    /// Whether there is nothing to wait for.
    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.happened.is_empty()
    }

    /// The latest moment of which it knows.
    pub(super) fn newest(&self) -> Option<i64> {
        self.happened.back().copied().max(self.windows.iter().map(|window| window.time).max())
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.happened.capacity() * size_of::<i64>()
            + self.windows.iter().map(|window| size_of::<Completion<I>>() + size_of_val(&*window.events)).sum::<usize>()
    }
}

/// From when to when an event would be within the span of the one that completed the window.
fn reach<I>(rule: &Correlation, when: When, window: &Completion<I>) -> (i64, i64) {
    let before = window.time.saturating_sub(rule.span);
    let after = window.time.saturating_add(rule.span);
    match when {
        When::Before => (before, window.time),
        When::After => (window.time, after),
        When::Around => (before, after),
    }
}

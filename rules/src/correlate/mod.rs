//! Correlations: events of several moments that mean something together.
//!
//! Takes events with the rules that they match and their own time; gives [`Firing`]s, each with the events that it rests
//! on. Pure: it has no clock. Whoever runs it says by [`Correlator::advance`] how far time has moved on, which decides what
//! was absent and what may be forgotten; event times alone never do, since an event may come with any. What is kept is
//! bounded by [`limits`](crate::limits), and what is given up is in [`Loss`].
//!
//! Events belong together when all fields by which a correlation groups have the same values; a field with several values
//! puts its event into several groups, and a field that is missing is a value of its own, which the group of a firing says.
//! Only where something must be absent, or identities are derived, is an event of which nothing is known left out.
//!
//! An event completes a window when it and those before it, within the span, are enough. Each window that is completed is
//! an event to the correlations upon this one. It is told as a [`Firing`] only where none was told of its group within
//! the span, so that a flood is told once a span.

mod absence;
mod chain;
mod correlator;
mod group;
mod identity;
mod key;
mod rule;
mod state;
#[cfg(test)]
mod tests;
mod values;
mod window;

pub use correlator::Correlator;
pub use rule::{Correlation, CorrelationIndex, Kind, Target};

pub(crate) use rule::{Absent, Bound, Condition, Derive, Key, When};

use crate::rule::RuleIndex;

/// A correlation that was fulfilled.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing<I> {
    /// Which.
    pub correlation: CorrelationIndex,
    /// The time of the event that fulfilled it, in nanoseconds since 1970; for an absence, of the last event that was
    /// there.
    pub time: i64,
    /// What the events have in common: by name, the value, or nothing where the events lack the field.
    pub group: Vec<(String, Option<Vec<u8>>)>,
    /// What was counted.
    pub value: f64,
    /// The events, in order of time: the latest, where there are many.
    pub events: Vec<Contribution<I>>,
    /// How many are left out.
    pub omitted: usize,
    /// Events that gave an identity to the group.
    pub derived: Vec<Derived<I>>,
}

/// An event that a firing rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution<I> {
    /// What the caller calls it.
    pub id: I,
    /// The rule that it matches.
    pub rule: RuleIndex,
    /// Its time.
    pub time: i64,
}

/// An event that returned a new identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived<I> {
    /// The identity that it returned.
    pub value: Vec<u8>,
    /// What the caller calls the event.
    pub id: I,
    /// The rule that it matches.
    pub rule: RuleIndex,
    /// Its time.
    pub time: i64,
}

/// What was given up, counted since the beginning. All zero means that nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// Groups for which there was no room.
    pub groups: u64,
    /// Events for which there was no room in their group, or whose group was given up.
    pub events: u64,
    /// Events that came later than is allowed.
    pub late: u64,
    /// Events that belong to more groups than one event may.
    pub keys: u64,
    /// Windows that were not followed up, since one event or one group had too many.
    pub firings: u64,
    /// Derived identities for which there was no room.
    pub identities: u64,
}

impl Loss {
    pub(crate) fn add(&mut self, other: &Loss) {
        self.groups += other.groups;
        self.events += other.events;
        self.late += other.late;
        self.keys += other.keys;
        self.firings += other.firings;
        self.identities += other.identities;
    }
}

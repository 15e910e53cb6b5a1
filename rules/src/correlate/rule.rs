//! A correlation as it was loaded: what it counts, over which rules, by what they belong together, within which span.
//!
//! Takes nothing; gives [`Correlation`] and the words in it. It never changes after loading, and holds no event.

use crate::example::Timeline;
use crate::fields::Field;
use crate::limits;
use crate::rule::{Rule, RuleIndex};

/// A loaded correlation.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// What it says of itself: title, level, techniques. Its log source is empty unless the file names one.
    pub rule: Rule,
    /// What is counted.
    pub kind: Kind,
    /// The rules and correlations that are correlated, in the order of the file.
    pub members: Vec<Target>,
    /// Events that lie further apart do not belong together; in nanoseconds.
    pub span: i64,
    /// Timelines that must match and such that must not.
    pub timelines: Vec<Timeline>,
    pub(crate) keys: Vec<Key>,
    /// What is read where values are counted or summed.
    pub(crate) values: Vec<Key>,
    pub(crate) condition: Condition,
    pub(crate) absent: Option<Absent>,
    pub(crate) derive: Option<Derive>,
}

/// The position of a correlation in its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorrelationIndex(pub(crate) u32);

impl CorrelationIndex {
    /// The position, from 0, in [`Engine::correlations`](crate::Engine::correlations).
    pub fn position(self) -> usize {
        self.0 as usize
    }
}

/// What a correlation counts: matches of a rule, or firings of another correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A rule.
    Rule(RuleIndex),
    /// Another correlation.
    Correlation(CorrelationIndex),
}

/// Sigma's types of correlations, and the median, which public engines know as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// How many events.
    EventCount,
    /// How many different values of a field.
    ValueCount,
    /// How many of the rules.
    Temporal,
    /// How many of the rules, in their order.
    TemporalOrdered,
    /// The sum of a field.
    ValueSum,
    /// The mean of a field.
    ValueAvg,
    /// The value below which a share of a field's values lies.
    ValuePercentile,
    /// The middle of a field's values.
    ValueMedian,
}

impl Kind {
    /// All of them.
    pub const ALL: &[Kind] = &[
        Kind::EventCount,
        Kind::ValueCount,
        Kind::Temporal,
        Kind::TemporalOrdered,
        Kind::ValueSum,
        Kind::ValueAvg,
        Kind::ValuePercentile,
        Kind::ValueMedian,
    ];

    /// The word in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::EventCount => "event_count",
            Kind::ValueCount => "value_count",
            Kind::Temporal => "temporal",
            Kind::TemporalOrdered => "temporal_ordered",
            Kind::ValueSum => "value_sum",
            Kind::ValueAvg => "value_avg",
            Kind::ValuePercentile => "value_percentile",
            Kind::ValueMedian => "value_median",
        }
    }

    pub(crate) fn counts_rules(self) -> bool {
        matches!(self, Kind::Temporal | Kind::TemporalOrdered)
    }

    pub(crate) fn reads_field(self) -> bool {
        !matches!(self, Kind::EventCount) && !self.counts_rules()
    }

    /// How many events of one group are kept: fewer where each event that comes makes all of them be looked at again.
    pub(crate) fn events(self) -> usize {
        match self {
            Kind::EventCount | Kind::ValueCount | Kind::ValueSum | Kind::ValueAvg => limits::GROUP_EVENTS,
            _ => limits::GROUP_EVENTS / 4,
        }
    }
}

/// A comparison with what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Bound {
    pub(crate) const ALL: &[Bound] =
        &[Bound::Greater, Bound::GreaterOrEqual, Bound::Less, Bound::LessOrEqual, Bound::Equal, Bound::NotEqual];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Bound::Greater => "gt",
            Bound::GreaterOrEqual => "gte",
            Bound::Less => "lt",
            Bound::LessOrEqual => "lte",
            Bound::Equal => "eq",
            Bound::NotEqual => "neq",
        }
    }
}

/// When what was counted is enough: all of its bounds hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) bounds: Vec<(Bound, f64)>,
    /// Of a percentile, which one.
    pub(crate) percentile: f64,
}

impl Default for Condition {
    fn default() -> Self {
        Self { bounds: Vec::new(), percentile: 50.0 }
    }
}

impl Condition {
    #[expect(clippy::float_cmp, reason = "a rule that writes 5 means 5")]
    pub(crate) fn holds(&self, value: f64) -> bool {
        self.bounds.iter().all(|(bound, limit)| match bound {
            Bound::Greater => value > *limit,
            Bound::GreaterOrEqual => value >= *limit,
            Bound::Less => value < *limit,
            Bound::LessOrEqual => value <= *limit,
            Bound::Equal => value == *limit,
            Bound::NotEqual => value != *limit,
        })
    }
}

/// A field by which events belong together, or whose values are counted; rules may call it differently.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// As `group-by` names it.
    pub(crate) name: String,
    pub(crate) field: Field,
    pub(crate) aliases: Vec<(Target, Field)>,
}

impl Key {
    /// The field's name in events of that rule.
    pub(crate) fn of(&self, target: Target) -> &Field {
        self.aliases.iter().find(|(other, _)| *other == target).map_or(&self.field, |(_, field)| field)
    }
}

/// Rules that must not have matched for the same group.
#[derive(Debug, Clone)]
pub(crate) struct Absent {
    pub(crate) rules: Vec<Target>,
    pub(crate) when: When,
}

/// Where an event would have to be for it not to be absent: within the span before the event that completes the
/// correlation, after it, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
    Around,
}

impl When {
    pub(crate) const ALL: &[When] = &[When::Before, When::After, When::Around];

    pub(crate) fn name(self) -> &'static str {
        match self {
            When::Before => "before",
            When::After => "after",
            When::Around => "around",
        }
    }
}

/// Rules whose events give a new identity to the one that they are of.
#[derive(Debug, Clone)]
pub(crate) struct Derive {
    pub(crate) from: Vec<(RuleIndex, Field)>,
    /// In nanoseconds.
    pub(crate) lasts: i64,
}

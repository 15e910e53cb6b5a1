//! Rules over several events: counts, orders, absences. Takes each event that a rule matched, with the rules and its own time; gives
//! findings that rest on all events together. Time moves by what the caller says, never by an event's.

use rules::{Contribution, Correlator, Engine, Event, Firing, Matched, RuleIndex};

use super::finding;
use crate::model::{Entity, EvidenceRef, Finding, Moment};

/// Events that a finding names; how many more there were is among what it matched.
const NAMED: usize = 64;

/// What is kept of an event that a rule matched, until it is forgotten.
#[derive(Clone, Debug)]
struct Seen {
    evidence: EvidenceRef,
    time: Moment,
    entities: Vec<Entity>,
}

/// The rules over several events, and what they have seen.
#[derive(Debug)]
pub(super) struct Sequences {
    correlator: Correlator<Seen>,
}

impl Sequences {
    /// Those of an engine, which have seen nothing.
    pub(super) fn new(engine: &Engine) -> Self {
        Self { correlator: Correlator::new(engine) }
    }

    /// Takes in an event that these rules matched.
    pub(super) fn observe(
        &mut self,
        engine: &Engine,
        event: &impl Event,
        matches: &[RuleIndex],
        (evidence, time, entities): (EvidenceRef, Moment, &[Entity]),
    ) -> Vec<Finding> {
        // Without such rules, which is usual, nothing of the event has to be kept.
        if matches.is_empty() || engine.correlations().len() == 0 {
            return Vec::new();
        }
        let seen = Seen { evidence, time, entities: entities.to_vec() };
        let firings = self.correlator.observe(event, matches, &seen, signed(time.ns));
        firings.into_iter().filter_map(|firing| finding(engine, firing)).collect()
    }

    /// All that happened before has come: what did not come is absent.
    pub(super) fn advance(&mut self, engine: &Engine, now: Moment) -> Vec<Finding> {
        self.correlator.advance(signed(now.ns)).into_iter().filter_map(|firing| finding(engine, firing)).collect()
    }
}

/// Times after the year 2262 are that year's.
fn signed(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

/// Nothing where a firing rests on no event, which none does.
fn finding(engine: &Engine, firing: Firing<Seen>) -> Option<Finding> {
    let rule = &engine.correlation(firing.correlation).rule;
    let mut events = firing.events;
    let Contribution { id: last, .. } = events.pop()?;
    let mut matched: Vec<Matched> =
        (firing.group.into_iter()).map(|(field, value)| Matched { field, value: value.unwrap_or_default() }).collect();
    matched.push(Matched { field: "counted".to_owned(), value: firing.value.to_string().into_bytes() });
    let unnamed = firing.omitted + events.len().saturating_sub(NAMED);
    if unnamed > 0 {
        matched.push(Matched { field: "events not named".to_owned(), value: unnamed.to_string().into_bytes() });
    }
    let mut found = finding::of_rule(rule, matched, last.evidence, last.time, last.entities);
    let others = events.into_iter().rev().take(NAMED).map(|event| event.id);
    for seen in others.chain(firing.derived.into_iter().map(|derived| derived.id)) {
        found.evidence.push(seen.evidence);
        finding::join(&mut found.entities, seen.entities);
    }
    Some(found)
}

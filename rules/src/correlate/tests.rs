//! The windows of a group against their definition, as slowly as can be, in every order of coming.
//!
//! Takes generated events; compares which of them complete a window, and with what value.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::group::{From, Group, Incoming, Observed, Placed};
use super::{Correlation, CorrelationIndex, Kind};
use crate::Engine;
use crate::rule::RuleIndex;

const SECOND: i64 = 1_000_000_000;

fn rule(kind: Kind) -> Correlation {
    let condition = match kind {
        Kind::Temporal | Kind::TemporalOrdered => "gte: 2",
        Kind::EventCount => "gte: 3, neq: 5",
        Kind::ValueCount => "gt: 2, field: v",
        _ => "gte: 3, lt: 30, field: v",
    };
    let rules = ["a", "b", "c"].map(|name| {
        format!("{{title: {name}, logsource: {{category: t}}, detection: {{s: {{e: {name}}}, condition: s}}}}\n---\n")
    });
    let text = format!(
        "{}{{title: x, correlation: {{type: {}, rules: [a, b, c], timespan: 10s, condition: {{{condition}}}}}}}",
        rules.concat(),
        kind.name()
    );
    let (engine, errors) = Engine::load([("x.yml", text)]);
    assert!(errors.is_empty(), "{errors:?}");
    engine.correlation(CorrelationIndex(0)).clone()
}

/// (second, rule, value), no two of the same second: which of two of one moment completes a window is by their coming.
type Events = Vec<(i64, u16, u8)>;

/// By second, the value of each completed window.
fn completed(rule: &Correlation, events: &Events, order: &[usize]) -> BTreeSet<(i64, u64)> {
    let mut group: Group<usize> = Group::default();
    let mut found = BTreeSet::new();
    for place in order {
        let (second, member, value) = events[*place];
        let observed = match rule.kind {
            Kind::ValueCount => Observed::Value([value].as_slice().into()),
            kind if kind.reads_field() => Observed::Number(f64::from(value)),
            _ => Observed::Nothing,
        };
        let from = From::Event(*place, RuleIndex(0));
        let incoming = Incoming { time: second * SECOND, sequence: *place as u64, member, observed, from };
        let (placed, lost) = group.place(rule, incoming);
        assert_eq!(lost, 0);
        let Placed::At(position) = placed else { panic!("nothing is too late here") };
        for completion in group.complete(rule, position) {
            found.insert((completion.time / SECOND, completion.value.to_bits()));
        }
    }
    found
}

/// What the definition says of the windows when all events are there.
fn defined(rule: &Correlation, events: &Events) -> BTreeSet<(i64, u64)> {
    let mut found = BTreeSet::new();
    for (end, _, _) in events {
        let mut window: Vec<_> = events.iter().filter(|event| event.0 <= *end && event.0 >= end - 10).collect();
        window.sort_unstable();
        let mut values: Vec<_> = window.iter().map(|event| f64::from(event.2)).collect();
        values.sort_by(f64::total_cmp);
        let sum: f64 = values.iter().sum();
        let value = match rule.kind {
            Kind::EventCount => window.len() as f64,
            Kind::ValueCount => window.iter().map(|event| event.2).collect::<BTreeSet<_>>().len() as f64,
            Kind::Temporal => window.iter().map(|event| event.1).collect::<BTreeSet<_>>().len() as f64,
            Kind::TemporalOrdered => ordered(&window.iter().map(|event| event.1).collect::<Vec<_>>()) as f64,
            Kind::ValueSum => sum,
            Kind::ValueAvg => sum / values.len() as f64,
            Kind::ValuePercentile | Kind::ValueMedian => {
                f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
            }
        };
        if rule.condition.holds(value) {
            found.insert((*end, value.to_bits()));
        }
    }
    found
}

/// The longest row of rules in which each stands after the one before.
fn ordered(rules: &[u16]) -> usize {
    let mut best = vec![0; rules.len()];
    for at in 0..rules.len() {
        let before = (0..at).filter(|before| rules[*before] < rules[at]).map(|before| best[before]).max();
        best[at] = 1 + before.unwrap_or_default();
    }
    best.into_iter().max().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_as_they_are_defined(
        kind in prop::sample::select(Kind::ALL),
        seconds in prop::collection::btree_set(0..80_i64, 0..40),
        rest in prop::collection::vec((0..3_u16, 0..12_u8), 40),
    ) {
        let rule = rule(kind);
        let events: Events = seconds.iter().zip(rest).map(|(second, (member, value))| (*second, member, value)).collect();
        let order: Vec<_> = (0..events.len()).collect();
        prop_assert_eq!(completed(&rule, &events, &order), defined(&rule, &events));
    }

    /// Where more events only make for more, the last word is the same whatever came first.
    #[test]
    fn the_order_of_coming_changes_no_window(
        kind in prop::sample::select(&[Kind::ValueCount, Kind::Temporal, Kind::TemporalOrdered][..]),
        seconds in prop::collection::btree_set(0..80_i64, 0..40),
        rest in prop::collection::vec((0..3_u16, 0..12_u8), 40),
        order in Just((0..40_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let rule = rule(kind);
        let events: Events = seconds.iter().zip(rest).map(|(second, (member, value))| (*second, member, value)).collect();
        let order: Vec<_> = order.into_iter().filter(|place| *place < events.len()).collect();
        let ends = |found: BTreeSet<(i64, u64)>| found.into_iter().map(|(end, _)| end).collect::<BTreeSet<_>>();
        prop_assert_eq!(ends(completed(&rule, &events, &order)), ends(defined(&rule, &events)));
    }
}

//! Correlations that nobody meant well, and events that were made to break them: bounded, counted, never a panic.
//!
//! Takes hand-written mistakes, floods, clocks that are wrong, and generated documents and events; checks errors that
//! people will read, what is given up, and that what is kept stays within its bounds.

mod correlating;

use correlating::{SECOND, World, correlation, error, errors};
use proptest::prelude::*;
use rules::{Correlator, Engine, JsonEvent, LogSource, limits};
use serde_json::json;

fn check(body: &str, expected: &str) {
    let found = error(&[correlation("x", body, "")]);
    assert!(found.contains(expected), "\n  {found}\ndoes not contain\n  {expected}");
}

#[test]
fn mistakes_are_named_with_file_line_and_key() {
    let text = "title: x\ncorrelation:\n  type: temporal\n  rules:\n    - a\n    - nobody\n  timespan: 5m\n".to_owned();
    assert_eq!(error(&[text]), "0.yml:6: correlation.rules: no rule has `nobody` for its id, name or title");
    check("type: often, rules: [a], timespan: 5m", "correlation.type: `often` is not known; allowed are event_count,");
    check("rules: [a], timespan: 5m", "0.yml:3: correlation.type: is missing");
    check("type: temporal, timespan: 5m", "correlation.rules: is missing");
    check("type: temporal, rules: [a, a], timespan: 5m", "correlation.rules: names `a` twice");
    check("type: temporal, rules: [a], timespan: 5", "correlation.timespan: `5` is no span: write a number and one of");
    check("type: temporal, rules: [a], timespan: 5y", "`5y` is no span");
    check("type: temporal, rules: [a], timespan: 0s", "must be longer than nothing");
    check("type: temporal, rules: [a], timespan: 99999w", "not longer than 366 days");
    check("type: temporal, rules: [a], timespan: 5m, window: x", "correlation.window: unknown key; allowed are type,");
    check("type: event_count, rules: [a], timespan: 5m", "correlation.condition: is missing");
    check("type: event_count, rules: [a], timespan: 5m, condition: {}", "needs at least one of gt, gte");
    check("type: event_count, rules: [a], timespan: 5m, condition: {gte: many}", "condition.gte: must be a number");
    check(
        "type: event_count, rules: [a], timespan: 5m, condition: {gt: 1, field: f}",
        "condition.field: is allowed for",
    );
    check("type: value_sum, rules: [a], timespan: 5m, condition: {gt: 1}", "condition.field: is missing");
    check("type: value_sum, rules: [a], timespan: 5m, condition: {gt: 1, field: [f, g]}", "takes one field");
    check("type: event_count, rules: [a], timespan: 5m, condition: {gte: 5000}", "can never be reached: at most 4096");
    check("type: temporal, rules: [a, b], timespan: 5m, condition: {gte: 3}", "can never be reached: at most 2");
    check("type: temporal, rules: [a], timespan: 5m, aliases: {n: {q: f}}, group-by: [n]", "no rule has `q`");
    check("type: temporal, rules: [a], timespan: 5m, group-by: [a, b, c, d, e, f, g, h, i]", "more than 8 fields");
}

#[test]
fn circles_are_refused_and_take_only_what_rests_on_them() {
    let of = |name: &str, rule: &str| correlation(name, &format!("type: temporal, rules: [{rule}], timespan: 5m"), "");
    let documents = [of("p", "q"), of("q", "p"), of("self", "self"), of("above", "p"), of("apart", "a")];
    let found = errors(&documents);
    assert_eq!(found.len(), 4, "{found:?}");
    for (file, expected) in [(0, "rests on itself"), (1, "rests on itself"), (2, "rests on itself")] {
        let of_file = format!("{file}.yml:3: correlation.rules: ");
        assert!(found.iter().any(|error| error.starts_with(&of_file) && error.contains(expected)), "{found:?}");
    }
    assert!(found.iter().any(|error| error.starts_with("3.yml:3: correlation.rules: ")), "{found:?}");
    let mut files = correlating::rules();
    files.extend(documents.iter().enumerate().map(|(number, text)| (format!("{number}.yml"), text.clone())));
    let (engine, _) = Engine::load(files);
    assert_eq!(engine.correlations().map(|(_, one)| one.rule.title.as_str()).collect::<Vec<_>>(), ["apart"]);
}

#[test]
fn chains_are_bounded() {
    let level = |number: usize| {
        let below = if number == 0 { "a".to_owned() } else { format!("l{}", number - 1) };
        let body = format!("type: event_count, rules: [{below}], timespan: 5m, condition: {{gte: 1}}");
        correlation(&format!("l{number}"), &body, "")
    };
    let mut world = World::new(&(0..limits::CHAIN).map(level).collect::<Vec<_>>());
    assert_eq!(world.at(0, "a").len(), limits::CHAIN);
    let found = error(&(0..=limits::CHAIN).map(level).collect::<Vec<_>>());
    assert!(found.contains("rests on more than 8 correlations upon each other"), "{found}");
}

#[test]
fn names_that_mean_two_are_refused() {
    let twice = correlation("a", "type: temporal, rules: [b], timespan: 5m", "").replace("title: a", "title: other");
    let user = correlation("x", "type: temporal, rules: [a], timespan: 5m", "");
    let found = errors(&[twice, user]);
    assert!(
        found.iter().any(|error| error.contains("`a` is the name of 2 rules: refer to one by its id")),
        "{found:?}"
    );
}

const COUNT: &str = "type: event_count, rules: [a], group-by: [user], timespan: 5m, condition: {gte: 3}";

#[test]
fn keys_that_explode_cost_the_oldest_groups_and_are_counted() {
    let mut world = World::of(COUNT, "");
    let groups = limits::GROUPS + 1000;
    for number in 0..groups {
        world.event(0, &json!({"e": "a", "user": format!("u{number}")}));
    }
    assert_eq!(world.correlator.groups(), limits::GROUPS);
    assert_eq!((world.loss().groups, world.loss().events), (1000, 1000));
    assert!(world.correlator.bytes() <= limits::STATE_BYTES);
    // Who came last is still known.
    let last = json!({"e": "a", "user": format!("u{}", groups - 1)});
    assert!(world.event(1, &last).is_empty());
    assert_eq!(world.event(2, &last).len(), 1);
}

#[test]
fn one_correlation_that_explodes_leaves_the_others_alone() {
    let quiet = "type: event_count, rules: [b], group-by: [user], timespan: 5m, condition: {gte: 2}";
    let mut world = World::new(&[correlation("loud", COUNT, ""), correlation("quiet", quiet, "")]);
    world.at(0, "b");
    for number in 0..limits::GROUPS + 10 {
        world.event(0, &json!({"e": "a", "user": format!("u{number}")}));
    }
    assert_eq!(world.at(1, "b"), ["quiet 2 [u] 0 16395"]);
}

#[test]
fn all_groups_together_are_bounded_in_bytes() {
    let body = "type: value_count, rules: [a], group-by: [user], timespan: 5m, condition: {field: v, gte: 4000}";
    let mut world = World::of(body, "");
    let long = "x".repeat(limits::VALUE_BYTES);
    for number in 0..200_000 {
        let value = format!("{number}{long}");
        world.event(0, &json!({"e": "a", "user": format!("u{}", number / 100), "v": value}));
        assert!(world.correlator.bytes() <= limits::STATE_BYTES);
    }
    assert!(world.loss().groups > 0);
}

#[test]
fn a_group_keeps_so_many_events_and_names_the_latest() {
    let mut world = World::of(COUNT, "");
    let events = limits::GROUP_EVENTS + 500;
    for number in 0..events {
        world.event(i64::try_from(number / 1000).expect("few"), &json!({"e": "a", "user": "u"}));
    }
    assert_eq!(world.loss().events, 500);
    let fired = world.event(600, &json!({"e": "a", "user": "u"}));
    assert!(fired.is_empty(), "{:?}", fired.len());
    let mut world = World::of(&COUNT.replace("gte: 3", "gte: 300"), "");
    let fired: Vec<_> = (0..300).flat_map(|second| world.event(second, &json!({"e": "a", "user": "u"}))).collect();
    assert_eq!((fired[0].events.len(), fired[0].omitted), (limits::FIRING_EVENTS, 300 - limits::FIRING_EVENTS));
    assert_eq!(fired[0].events.last().map(|event| event.id), Some(299));
}

#[test]
fn an_event_of_a_million_groups_is_in_some_and_counted() {
    let mut world = World::of("type: temporal, rules: [a, b], group-by: [user, ip], timespan: 5m", "");
    let many: Vec<_> = (0..100_000).collect();
    world.event(0, &json!({"e": "a", "user": many, "ip": many}));
    assert_eq!(world.correlator.groups(), limits::EVENT_GROUPS);
    assert_eq!(world.loss().keys, 1);
}

#[test]
fn a_value_of_ten_megabytes_is_known_by_its_hash() {
    let mut world = World::of(COUNT, "");
    let long = "x".repeat(10_000_000);
    let other = format!("{long}y");
    for user in [&long, &other, &long] {
        assert!(world.event(0, &json!({"e": "a", "user": user})).is_empty());
    }
    assert_eq!(world.correlator.groups(), 2);
    assert!(world.correlator.bytes() < 10_000);
    let fired = world.event(1, &json!({"e": "a", "user": long}));
    let value = fired[0].group[0].1.as_ref().expect("it is there");
    assert!(value.len() < 2 * limits::VALUE_BYTES);
}

#[test]
fn a_firing_may_not_set_off_firings_without_end() {
    let body = "type: event_count, rules: [a], group-by: [user], timespan: 5m, condition: {gte: 1}";
    let upon = |below: &str| {
        format!("type: event_count, rules: [{below}], group-by: [ip], timespan: 5m, condition: {{gte: 1}}")
    };
    let documents = [
        correlation("one", body, ""),
        correlation("two", &upon("one"), ""),
        correlation("three", &upon("two").replace("[ip]", "[user, ip]"), ""),
    ];
    let mut world = World::new(&documents);
    let many: Vec<_> = (0..16).collect();
    world.event(0, &json!({"e": "a", "user": many, "ip": many}));
    assert!(world.loss().firings > 0);
}

#[test]
fn an_event_later_than_is_allowed_is_counted() {
    let mut world = World::of(COUNT, "");
    let late = limits::LATENESS / SECOND;
    world.at(10_000, "a");
    world.at(10_000 - late, "a");
    assert_eq!(world.loss().late, 0);
    world.at(10_000 - late - 1, "a");
    assert_eq!(world.loss().late, 1);
}

#[test]
fn a_clock_that_was_wrong_for_once_does_not_blind_its_group() {
    let mut world = World::of(COUNT, "");
    world.at(10_000_000, "a");
    let told: Vec<_> = (0..30).filter(|second| !world.at(*second, "a").is_empty()).collect();
    assert_eq!(told, [17], "the group begins anew with the sixteenth that is too late");
    assert_eq!(world.loss().late, 15);
    assert_eq!(world.loss().events, 1);
}

#[test]
fn an_event_of_the_far_future_moves_no_time_on() {
    let absent = "mayfly: {absent: {rules: [b]}}\n";
    let mut world =
        World::of("type: event_count, rules: [a], group-by: [user], timespan: 5m, condition: {gte: 1}", absent);
    world.at(0, "a");
    world.event(i64::MAX / SECOND, &json!({"e": "a", "user": "v"}));
    world.event(i64::MIN / SECOND, &json!({"e": "a", "user": "w"}));
    assert_eq!(world.at(100_000, "c").len(), 0);
    assert_eq!(world.advance(60).len(), 1, "only what is of before all time is over");
    assert_eq!(world.advance(-100).len(), 0, "time does not run backwards");
    assert_eq!(world.advance(3600).len(), 1);
}

#[test]
fn what_is_over_is_forgotten_and_is_no_loss() {
    let mut world = World::of(COUNT, "");
    world.at(0, "a");
    world.advance(1000);
    for hour in 1..5 {
        world.advance(hour * 3600);
    }
    assert_eq!(world.correlator.groups(), 0);
    assert_eq!(world.correlator.bytes(), 0);
    assert_eq!(world.loss(), rules::correlate::Loss::default());
}

#[test]
fn events_of_long_ago_belong_together_while_they_are_read() {
    let mut world = World::of(COUNT, "");
    world.advance(1_000_000);
    assert!(world.at(0, "a").is_empty());
    world.advance(1_000_060);
    assert!(world.at(1, "a").is_empty());
    assert_eq!(world.at(2, "a").len(), 1);
}

#[test]
fn identities_without_number_are_bounded_and_counted() {
    let body = "type: temporal, rules: [a, b], group-by: [key], timespan: 1h";
    let mut world = World::of(body, "mayfly: {derive: {from: {c: made}}}\n");
    for number in 0..limits::IDENTITIES + 7 {
        world.event(0, &json!({"e": "c", "key": "k", "made": number}));
    }
    assert_eq!(world.loss().identities, 7);
    // A long way is followed for a while, and no further.
    for number in 0..100 {
        world.event(1, &json!({"e": "c", "key": format!("l{number}"), "made": format!("l{}", number + 1)}));
    }
    world.event(2, &json!({"e": "a", "key": "l100"}));
    assert!(world.correlator.groups() == 1);
}

fn document() -> impl Strategy<Value = String> {
    let kind = "event_count|value_count|temporal|temporal_ordered|value_sum|value_avg|value_percentile|value_median";
    let rules = prop::collection::vec("a|b|c|x0|x1|x2", 1..4);
    (kind, rules, "[0-9]{1,3}[smhdwq]?", "gt|gte|lt|lte|eq|neq|percentile", 0..6, "f|user|''", any::<bool>(), 0..4)
        .prop_map(|(kind, rules, span, bound, count, field, absent, derive)| {
            let rules = rules.join(", ");
            let body = format!(
                "type: {kind}, rules: [{rules}], timespan: {span}, group-by: [user], \
                 condition: {{{bound}: {count}, field: {field}}}"
            )
            .replace(", field: ''", "");
            match (absent, derive) {
                (true, _) => body + "}\nmayfly: {absent: {rules: [b], when: around}",
                (_, 0) => body + "}\nmayfly: {derive: {from: {c: f}}",
                _ => body,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_correlations_over_random_events_are_no_panic_and_bounded(
        bodies in prop::collection::vec(document(), 1..4),
        events in prop::collection::vec(("[abc]{1,2}", "u|v", any::<i64>(), 0..2000_i64, 0..9_u8, any::<f64>()), 0..120),
    ) {
        let mut files = correlating::rules();
        files.extend(bodies.iter().enumerate().map(|(number, body)| {
            (format!("{number}.yml"), correlation(&format!("x{number}"), body, ""))
        }));
        let (engine, _) = Engine::load(files);
        let mut correlator = Correlator::new(&engine);
        let source = LogSource { category: Some("test"), ..LogSource::default() };
        for (number, (e, user, wild, time, kind, value)) in events.iter().enumerate() {
            let value = if *kind == 3 { json!(user) } else { json!(value) };
            let event = json!({"e": e, "user": user, "f": value});
            let event = JsonEvent::new(&event, source);
            let mut matches = Vec::new();
            engine.evaluate(&event, &mut matches);
            let time = if *kind == 0 { *wild } else { time * SECOND };
            if *kind == 1 {
                correlator.advance(time);
            }
            for firing in correlator.observe(&event, &matches, &number, time) {
                prop_assert!(firing.events.windows(2).all(|pair| pair[0].time <= pair[1].time) || engine.correlations().len() > 1);
                prop_assert!(firing.events.iter().any(|event| event.id == number) || firing.time > time);
            }
        }
        correlator.advance(i64::MAX);
        prop_assert!(correlator.bytes() <= limits::STATE_BYTES);
    }
}

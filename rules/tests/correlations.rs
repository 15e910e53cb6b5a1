//! What each type of correlation means, by timelines on both sides of it.
//!
//! Takes correlations over three rules; checks which event fires them, for whom, and which events are named.

mod correlating;

use correlating::{World, correlation};
use serde_json::{Value, json};

const NONE: [&str; 0] = [];

#[test]
fn events_are_counted_within_the_span_by_their_group() {
    let mut world = World::of("type: event_count, rules: [a], group-by: [user], timespan: 1m, condition: {gte: 3}", "");
    assert_eq!(world.at(0, "a"), NONE);
    assert_eq!(world.at(1, "b"), NONE);
    assert_eq!(world.at(30, "a"), NONE);
    assert!(world.event(31, &json!({"e": "a", "user": "v"})).is_empty());
    assert_eq!(world.at(60, "a"), ["x 3 [u] 0 2 4"], "the span's end belongs to it");
    assert_eq!(world.at(91, "a"), NONE, "it was told within the span");
}

#[test]
fn what_goes_on_is_told_once_a_span() {
    let mut world = World::of("type: event_count, rules: [a], group-by: [user], timespan: 1m, condition: {gte: 2}", "");
    let told: Vec<_> = (0..200).filter(|second| !world.at(*second, "a").is_empty()).collect();
    assert_eq!(told, [1, 62, 123, 184]);
}

#[test]
fn different_values_are_counted_and_one_event_may_have_several() {
    let body = "type: value_count, rules: [a], group-by: [ip], timespan: 1m, condition: {field: user, gte: 3}";
    let mut world = World::of(body, "");
    let mut at = |second, user: Value| world.event(second, &json!({"e": "a", "ip": "i", "user": user})).len();
    assert_eq!(at(0, json!("p")), 0);
    assert_eq!(at(1, json!("p")), 0);
    assert_eq!(at(2, json!(null)), 0);
    assert_eq!(at(3, json!(["q", "p"])), 0);
    assert_eq!(at(4, json!("r")), 1);
}

#[test]
fn several_fields_are_one_value() {
    let body = "type: value_count, rules: [a], group-by: [], timespan: 1m, condition: {field: [user, ip], gte: 2}";
    let mut world = World::of(body, "");
    assert_eq!(world.event(0, &json!({"e": "a", "user": "u", "ip": "i"})).len(), 0);
    assert_eq!(world.event(1, &json!({"e": "a", "user": "u"})).len(), 0, "a part is missing");
    assert_eq!(world.event(2, &json!({"e": "a", "user": "u", "ip": "i"})).len(), 0);
    assert_eq!(world.event(3, &json!({"e": "a", "user": "u", "ip": "j"})).len(), 1);
}

#[test]
fn without_a_condition_all_rules_are_meant() {
    let mut world = World::of("type: temporal, rules: [a, b, c], group-by: [user], timespan: 1m", "");
    assert_eq!(world.at(0, "c"), NONE);
    assert_eq!(world.at(10, "a"), NONE);
    assert_eq!(world.at(20, "a"), NONE);
    assert_eq!(world.at(61, "b"), NONE, "the first is out of the span");
    assert_eq!(world.at(62, "c"), ["x 3 [u] 1 2 3 4"]);
}

#[test]
fn order_counts_where_it_is_asked_for() {
    let mut world = World::of("type: temporal_ordered, rules: [a, b, c], group-by: [user], timespan: 1m", "");
    assert_eq!(world.at(0, "b"), NONE);
    assert_eq!(world.at(1, "a"), NONE);
    assert_eq!(world.at(2, "c"), NONE);
    assert_eq!(world.at(3, "b"), NONE);
    assert_eq!(world.at(4, "c"), ["x 3 [u] 0 1 2 3 4"]);
}

#[test]
fn a_part_of_the_order_may_be_enough() {
    let body = "type: temporal_ordered, rules: [a, b, c], group-by: [user], timespan: 1m, condition: {gte: 2}";
    let mut world = World::of(body, "");
    assert_eq!(world.at(0, "c"), NONE);
    assert_eq!(world.at(1, "a"), NONE);
    assert_eq!(world.at(2, "c"), ["x 2 [u] 0 1 2"]);
}

#[test]
fn one_event_is_one_step_and_two_of_one_moment_are_in_any_order() {
    let body = "type: temporal_ordered, rules: [a, b], group-by: [user], timespan: 1m";
    let mut world = World::of(body, "");
    assert_eq!(world.at(0, "ab"), NONE);
    assert_eq!(world.at(5, "b"), ["x 2 [u] 0 0 1"]);
    let mut world = World::of(body, "");
    assert_eq!(world.at(7, "b"), NONE);
    assert_eq!(world.at(7, "a"), ["x 2 [u] 0 1"]);
}

#[test]
fn numbers_are_summed_and_averaged() {
    let sum = "type: value_sum, rules: [a], group-by: [user], timespan: 1m, condition: {field: n, gt: 1000}";
    let check = |body: &str, numbers: &[Value], expected: &[usize]| {
        let mut world = World::of(body, "");
        let fired = numbers.iter().enumerate().filter(|(second, number)| {
            let second = i64::try_from(*second).expect("few");
            !world.event(second, &json!({"e": "a", "user": "u", "n": number})).is_empty()
        });
        assert_eq!(fired.map(|(second, _)| second).collect::<Vec<_>>(), expected, "{body}");
    };
    check(sum, &[json!(500), json!("500"), json!("much"), json!(0.5)], &[3]);
    check(&sum.replace("sum", "avg"), &[json!(999), json!(1001), json!(1002)], &[2]);
    let percentile = "type: value_percentile, rules: [a], group-by: [user], timespan: 1m, \
                      condition: {field: n, percentile: 90, gte: 9}";
    check(percentile, &[json!(0), json!(0), json!(0), json!(10), json!(11)], &[4]);
    let median = "type: value_median, rules: [a], group-by: [user], timespan: 1m, condition: {field: n, gt: 4, lt: 6}";
    check(median, &[json!(100), json!(0), json!(5)], &[2]);
}

#[test]
fn bounds_may_be_several() {
    let body = "type: event_count, rules: [a], group-by: [user], timespan: 10s, condition: {gt: 1, lte: 3, neq: 2}";
    let mut world = World::of(body, "");
    let fired: Vec<_> = [0, 1, 2, 3].into_iter().filter(|second| !world.at(*second, "a").is_empty()).collect();
    assert_eq!(fired, [2]);
}

#[test]
fn events_count_by_their_own_time_however_late_they_come() {
    let body = "type: temporal_ordered, rules: [a, b, c], group-by: [user], timespan: 10m";
    let mut world = World::of(body, "");
    assert_eq!(world.at(300, "c"), NONE);
    assert_eq!(world.at(100, "a"), NONE);
    assert_eq!(world.at(200, "b"), ["x 3 [u] 1 2 0"], "in the order of time, not of coming");
    let mut world = World::of("type: event_count, rules: [a], group-by: [user], timespan: 1m, condition: {gte: 3}", "");
    assert_eq!(world.at(100, "a"), NONE);
    assert_eq!(world.at(500, "a"), NONE);
    assert_eq!(world.at(110, "a"), NONE);
    assert_eq!(world.at(90, "a"), ["x 3 [u] 3 0 2"]);
}

#[test]
fn every_order_of_coming_gives_the_same_windows() {
    let body = "type: event_count, rules: [a], group-by: [user], timespan: 10s, condition: {gte: 3}";
    let times = [0, 4, 8, 30, 33, 36, 39];
    let orders: [[usize; 7]; 4] =
        [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [3, 0, 6, 1, 5, 2, 4], [2, 6, 0, 4, 1, 3, 5]];
    for order in orders {
        let outer = correlation("y", "type: event_count, rules: [x], timespan: 1d, condition: {gte: 3}", "");
        let mut world = World::new(&[correlation("x", body, ""), outer]);
        let fired: Vec<_> = order.iter().flat_map(|place| world.at(times[*place], "a")).collect();
        // Windows end at 8, 36 and 39: three in all, so that the outer one is told once.
        let outer = fired.iter().filter(|told| told.starts_with("y 3 []")).count();
        assert_eq!(outer, 1, "{order:?}: {fired:?}");
    }
}

#[test]
fn aliases_join_fields_of_other_names() {
    let body = "type: temporal, rules: [a, b], group-by: [who], timespan: 1m, \
                aliases: {who: {a: user, b: actor.name}}";
    let mut world = World::of(body, "");
    assert!(world.event(0, &json!({"e": "a", "user": "p"})).is_empty());
    assert!(world.event(1, &json!({"e": "b", "user": "p", "actor": {"name": "q"}})).is_empty());
    let fired = world.event(2, &json!({"e": "b", "actor": {"name": "p"}}));
    assert_eq!(world.told(&fired), ["x 2 [p] 0 2"]);
}

#[test]
fn a_field_with_several_values_is_in_each_group() {
    let mut world = World::of("type: temporal, rules: [a, b], group-by: [user, ip], timespan: 1m", "");
    assert!(world.event(0, &json!({"e": "a", "user": ["p", "q"], "ip": ["i", "j"]})).is_empty());
    let fired = world.event(1, &json!({"e": "b", "user": "q", "ip": "j"}));
    assert_eq!(world.told(&fired), ["x 2 [q,j] 0 1"]);
}

#[test]
fn what_is_missing_is_no_empty_text() {
    let mut world = World::of("type: temporal, rules: [a, b], group-by: [user], timespan: 1m", "");
    assert!(world.event(0, &json!({"e": "a"})).is_empty());
    assert!(world.event(1, &json!({"e": "b", "user": ""})).is_empty());
    let fired = world.event(2, &json!({"e": "b", "user": null}));
    assert_eq!(world.told(&fired), ["x 2 [-] 0 2"]);
}

#[test]
fn correlations_rest_on_correlations() {
    let many = correlation(
        "many",
        "type: event_count, rules: [a], group-by: [user, ip], timespan: 1m, condition: {gte: 2}",
        "",
    );
    let then = correlation("then", "type: temporal_ordered, rules: [many, b], group-by: [user], timespan: 5m", "");
    let mut world = World::new(&[then, many]);
    let mut at = |second, e: &str, user: &str| {
        let fired = world.event(second, &json!({"e": e, "user": user, "ip": "i"}));
        world.told(&fired)
    };
    assert_eq!(at(0, "a", "u"), NONE);
    assert_eq!(at(1, "a", "u"), ["many 2 [u,i] 0 1"]);
    assert_eq!(at(2, "b", "v"), NONE);
    assert_eq!(at(3, "b", "u"), ["then 2 [u] 0 1 3"]);
}

#[test]
fn what_stands_beside_a_correlation_is_its_part_unless_it_generates() {
    let inner = correlation("in", "type: event_count, rules: [a], timespan: 1m, condition: {gte: 1}", "");
    for (generate, expected) in [("", vec!["out 1 [] 0"]), (", generate: true", vec!["in 1 [] 0", "out 1 [] 0"])] {
        let outer = correlation(
            "out",
            &format!("type: event_count, rules: [in], timespan: 1m, condition: {{gte: 1}}{generate}"),
            "",
        );
        let own = "title: own\nlogsource: {category: test}\ndetection: {s: {e: q}, condition: s}\n";
        let also = correlation("also", "type: event_count, rules: [own], timespan: 1m, condition: {gte: 9}", "");
        let mut world = World::new(&[format!("{outer}\n---\n{inner}\n---\n{own}---\n{also}")]);
        let generates = |title: &str| world.engine.rules().any(|(_, rule)| rule.title == title && rule.generate);
        assert!(generates("a"), "no file silences what stands in another");
        assert!(!generates("own"));
        assert_eq!(world.at(0, "a"), expected);
    }
}

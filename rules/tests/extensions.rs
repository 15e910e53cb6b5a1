//! What Mayfly adds to Sigma's correlations: absence, and identities that events give away.
//!
//! Takes correlations over three rules; checks what fires and when, in whatever order events come.

mod correlating;

use correlating::{World, correlation, error};
use rules::example;
use serde_json::{Value, json};

const NONE: [&str; 0] = [];
const MINUTE: i64 = 60;
const LATE: i64 = 15 * MINUTE;

fn absence(when: &str) -> World {
    World::of(
        "type: event_count, rules: [a], group-by: [user], timespan: 10m, condition: {gte: 1}",
        &format!("mayfly: {{absent: {{rules: [b], when: {when}}}}}\n"),
    )
}

#[test]
fn absence_is_told_when_time_is_over_and_not_before() {
    let mut world = absence("after");
    assert_eq!(world.at(0, "a"), NONE);
    assert_eq!(world.advance(10 * MINUTE + LATE - 1), NONE);
    assert_eq!(world.advance(10 * MINUTE + LATE), ["x 1 [u] 0"]);
    assert_eq!(world.advance(100 * MINUTE), NONE);
}

#[test]
fn what_came_in_time_is_not_absent_even_when_it_comes_late() {
    for (when, second, expected) in [
        ("after", 5 * MINUTE, 0),
        ("after", 11 * MINUTE, 1),
        ("after", -5 * MINUTE, 1),
        ("before", -5 * MINUTE, 0),
        ("before", 5 * MINUTE, 1),
        ("around", -5 * MINUTE, 0),
        ("around", 5 * MINUTE, 0),
        ("around", 11 * MINUTE, 1),
    ] {
        for first in [true, false] {
            let mut world = absence(when);
            let base = 100 * MINUTE;
            let events = [(base, "a"), (base + second, "b")];
            let order: &[usize] = if first { &[0, 1] } else { &[1, 0] };
            for place in order {
                assert_eq!(world.at(events[*place].0, events[*place].1), NONE);
            }
            assert_eq!(world.advance(base + 60 * MINUTE).len(), expected, "{when} {second} {first}");
        }
    }
}

#[test]
fn another_is_no_substitute() {
    let mut world = absence("around");
    world.at(0, "a");
    world.event(1, &json!({"e": "b", "user": "v"}));
    world.event(1, &json!({"e": "b"}));
    assert_eq!(world.advance(60 * MINUTE), ["x 1 [u] 0"]);
    // Of whom nothing is known, nothing is absent.
    world.event(100 * MINUTE, &json!({"e": "a"}));
    assert_eq!(world.advance(200 * MINUTE), NONE);
}

#[test]
fn each_of_several_waits_for_its_own() {
    let mut world = absence("after");
    world.at(0, "a");
    world.at(9 * MINUTE, "a");
    world.at(8 * MINUTE, "b");
    assert_eq!(world.advance(60 * MINUTE), ["x 2 [u] 0 1"], "the second has none after it");
}

#[test]
fn an_absence_may_be_part_of_more() {
    let inner = correlation(
        "lonely",
        "type: event_count, rules: [a], group-by: [user], timespan: 1m, condition: {gte: 1}",
        "mayfly: {absent: {rules: [b], when: after}}\n",
    );
    let outer = correlation(
        "out",
        "type: event_count, rules: [lonely], group-by: [user], timespan: 1h, condition: {gte: 2}",
        "",
    );
    let mut world = World::new(&[inner, outer]);
    world.at(0, "a");
    world.at(10 * MINUTE, "a");
    assert_eq!(world.advance(60 * MINUTE), ["lonely 1 [u] 0", "lonely 1 [u] 1", "out 2 [u] 0 1"]);
}

fn identities() -> World {
    World::of(
        "type: temporal, rules: [a, b], group-by: [key], timespan: 1h",
        "mayfly: {derive: {lasts: 2d, from: {c: made}}}\n",
    )
}

fn made(key: &str, made: &str) -> Value {
    json!({"e": "c", "key": key, "made": made})
}

fn used(e: &str, key: &str) -> Value {
    json!({"e": e, "key": key})
}

#[test]
fn whoever_was_given_an_identity_is_who_asked_for_it() {
    let mut world = identities();
    assert!(world.event(0, &made("k1", "k2")).is_empty());
    assert!(world.event(1, &made("k2", "k3")).is_empty());
    assert!(world.event(10, &used("a", "k1")).is_empty());
    let fired = world.event(20, &used("b", "k3"));
    assert_eq!(world.told(&fired), ["x 2 [k1] 2 3"]);
    let derived: Vec<_> = fired[0].derived.iter().map(|event| (event.id, event.value.as_slice())).collect();
    assert_eq!(derived, [(0, b"k2".as_slice()), (1, b"k3".as_slice())]);
}

#[test]
fn it_may_become_known_late() {
    let mut world = identities();
    assert!(world.event(10, &used("a", "k1")).is_empty());
    assert!(world.event(20, &used("b", "k3")).is_empty());
    assert!(world.event(2, &made("k2", "k3")).is_empty());
    let fired = world.event(1, &made("k1", "k2"));
    assert_eq!(world.told(&fired), ["x 2 [k1] 0 1"]);
}

#[test]
fn it_holds_from_its_moment_on_and_for_as_long_as_it_lasts() {
    let mut world = identities();
    world.event(100, &made("k1", "k2"));
    world.event(50, &used("a", "k1"));
    assert!(world.event(60, &used("b", "k2")).is_empty(), "before it was given");
    let days = |days: i64| days * 86_400;
    world.event(days(3), &used("a", "k1"));
    assert!(world.event(days(3), &used("b", "k2")).is_empty(), "after it ended");
}

#[test]
fn identities_in_a_circle_end_somewhere() {
    let mut world = identities();
    world.event(0, &made("k1", "k2"));
    world.event(1, &made("k2", "k1"));
    world.event(2, &made("k2", "k2"));
    world.event(3, &used("a", "k2"));
    assert_eq!(world.event(4, &used("b", "k1")).len(), 1);
}

#[test]
fn a_late_circle_ends_somewhere_too() {
    let mut world = identities();
    world.event(20, &made("k1", "k2"));
    world.event(10, &made("k2", "k1"));
    world.event(30, &used("a", "k2"));
    world.event(31, &used("b", "k1"));
    assert!(world.correlator.groups() <= 2);
}

#[test]
fn mistakes_are_named() {
    let body = "type: temporal, rules: [a, b], group-by: [key], timespan: 1h";
    let check = |body: &str, mayfly: &str, expected: &str| {
        let found = error(&[correlation("x", body, &format!("mayfly: {mayfly}\n"))]);
        assert!(found.contains(expected), "\n  {found}\ndoes not contain\n  {expected}");
    };
    check(body, "{absent: {when: after}}", "0.yml:4: mayfly.absent.rules: is missing");
    check(body, "{absent: {rules: [q]}}", "0.yml:4: mayfly.absent.rules: no rule has `q`");
    check(body, "{absent: {rules: [c], when: never}}", "`never` is not known; allowed are before, after, around");
    check(body, "{derive: {from: {}}}", "mayfly.derive.from: is missing");
    check(body, "{derive: {from: {q: made}}}", "mayfly.derive.from: no rule has `q`");
    let two = body.replace("[key]", "[key, ip]");
    check(&two, "{derive: {from: {c: made}}}", "needs exactly one field in `group-by`");
    check(body, "{whi: x}", "mayfly.whi: unknown key; allowed are why, absent, derive, match, near_miss");
    check(body, "{why: x}", "needs at least one timeline under `match` and under `near_miss`");
}

#[test]
fn timelines_prove_a_correlation() {
    let proof = |near: &str| {
        format!(
            "mayfly:\n  why: w\n  absent: {{rules: [c]}}\n  match:\n    - name: both\n      events:\n        \
             - {{at: 0s, rule: a, event: {{e: a, user: u}}}}\n        - {{at: 5m, rule: b, event: {{e: b, user: u}}}}\n  \
             near_miss:\n    - name: near\n      events:\n        - {{at: 0s, rule: a, event: {{e: a, user: u}}}}\n        \
             - {{at: {near}, rule: b, event: {{e: b, user: u}}}}\n"
        )
    };
    let body = "type: temporal, rules: [a, b], group-by: [user], timespan: 10m";
    let world = World::of(body, &proof("11m"));
    assert!(example::broken_timelines(&world.engine).is_empty());
    let world = World::of(body, &proof("9m"));
    let broken = example::broken_timelines(&world.engine);
    assert_eq!(broken.iter().map(|(_, timeline)| timeline.name.as_str()).collect::<Vec<_>>(), ["near"]);
}

#[test]
fn embedded_correlations_are_proven_by_their_timelines() {
    let (engine, _) = rules::Engine::load(rules::content().iter().copied());
    let broken: Vec<_> = (example::broken_timelines(&engine).iter())
        .map(|(index, timeline)| {
            let must = if timeline.matches { "match" } else { "not match" };
            format!("{}:{}: `{}` must {must}", engine.correlation(*index).rule.file, timeline.line, timeline.name)
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    for (_, correlation) in engine.correlations() {
        assert!(!correlation.rule.why.is_empty() && !correlation.timelines.is_empty(), "{}", correlation.rule.file);
    }
}

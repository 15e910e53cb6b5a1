//! What each modifier, wildcard and condition means, by events on both sides of it.
//!
//! Takes a detection and two lists of events; fails on the first event that is on the wrong side.

use rules::{Engine, JsonEvent, fields};
use serde_json::{Value, json};

/// A detection, events that it matches, and events that it does not.
fn check(detection: &str, matching: &[Value], others: &[Value]) {
    let rule = format!(
        "title: t\nlogsource: {{product: linux, category: process_creation}}\ndetection:\n  {}\n",
        detection.replace("; ", "\n  ")
    );
    let (engine, errors) = Engine::load([("r.yml", rule)]);
    assert!(errors.is_empty(), "{detection}: {errors:?}");
    for (events, expected) in [(matching, true), (others, false)] {
        for event in events {
            let mut matches = Vec::new();
            engine.evaluate(&JsonEvent::new(event, fields::PROCESS_CREATION), &mut matches);
            assert_eq!(!matches.is_empty(), expected, "{detection}\n{event}");
        }
    }
}

/// One item as the whole detection, over the field `f`.
fn item(item: &str, matching: &[&str], others: &[&str]) {
    let events = |texts: &[&str]| texts.iter().map(|text| json!({ "f": text })).collect::<Vec<_>>();
    check(&format!("s: {{{item}}}; condition: s"), &events(matching), &events(others));
}

#[test]
fn text_is_compared_whole_and_without_case() {
    item("f: abc", &["abc", "ABC"], &["abcd", "xabc", ""]);
    item("f|cased: aBc", &["aBc"], &["abc"]);
    item("f: ÄÖ", &["äö", "ÄÖ"], &["ao", "äöx"]);
    item("f: ''", &[""], &["x"]);
    item("f|neq: abc", &["x"], &["ABC"]);
}

#[test]
fn a_place_may_be_asked_for() {
    item("f|contains: b", &["abc", "B"], &["ac"]);
    item("f|startswith: ab", &["ABc", "ab"], &["cab"]);
    item("f|endswith: bc", &["aBC", "bc"], &["bcd"]);
    item("f|contains|all: [a, b]", &["ba", "a-b"], &["a", "b"]);
    item("f|contains: [a, b]", &["xa", "xb"], &["x"]);
    item("f|contains|cased: B", &["aBc"], &["abc"]);
    item("f|contains: é", &["CAFÉ"], &["cafe"]);
}

#[test]
fn wildcards_stand_for_any_or_one_character_and_can_be_escaped() {
    item("f: 'a*c'", &["ac", "abbc", "a\nc"], &["ab", "xac"]);
    item("f: 'a?c'", &["abc", "aéc"], &["ac", "abbc"]);
    item(r"f: 'a\*c'", &["a*c"], &["abc"]);
    item(r"f: 'a\\*'", &["a\\x", "a\\"], &["a*", "ax"]);
    item(r"f: 'a\b'", &[r"a\b"], &["ab"]);
    item("f: '*a*b*c'", &["xaxbxc", "abc", "abcbc"], &["cba", "abcx"]);
    item("f|endswith: '?x'", &["yx"], &["x"]);
}

#[test]
fn expressions_know_case_only_when_asked_not_to() {
    item("f|re: '^a.c$'", &["abc"], &["ABC", "abcd", "a\nc"]);
    item("f|re|i: '^a.c$'", &["ABC"], &["ab"]);
    item("f|re|s: '^a.c$'", &["a\nc"], &["ac"]);
    item("f|re|m: '^b$'", &["a\nb\nc"], &["abc"]);
    item("f|re: ['^x', 'y$']", &["xa", "ay"], &["axa"]);
    item("f|re: '(?i)evil(?:one|two)'", &["EVILtwo"], &["evil"]);
}

#[test]
fn addresses_are_compared_as_networks() {
    item("f|cidr: 10.0.0.0/8", &["10.1.2.3"], &["11.0.0.1", "10.1", "fd00::1"]);
    item("f|cidr: ['fd00::/8', 192.168.0.1]", &["fd12::1", "192.168.0.1"], &["fe80::1", "192.168.0.2"]);
}

#[test]
fn encodings_are_looked_for_in_every_alignment() {
    item("f|base64|contains: ping", &["x cGluZw== y"], &["ping"]);
    item("f|base64offset|contains: /bin/sh", &["L2Jpbi9zaA==", "QS9iaW4vc2g=", "QUEvYmluL3No"], &["/bin/sh"]);
    item("f|wide|base64offset|contains: ping", &["cABpAG4AZwA="], &["cGluZw=="]);
    item("f|utf16be|base64offset|contains: ping", &["AHAAaQBuAGc="], &["cABpAG4AZwA="]);
    item("f|utf16|base64|contains: ping", &["//5wAGkAbgBnAA=="], &["cABpAG4AZwA="]);
}

#[test]
fn a_dash_before_an_option_may_be_any_dash() {
    item("f|windash|contains: ' -f x-y'", &["a -f x-y", "a /f x-y", "a –f x-y"], &["a f x-y", "a -f x/y"]);
}

#[test]
fn numbers_are_compared_as_numbers() {
    let events = |values: &[Value]| values.iter().map(|value| json!({ "f": value })).collect::<Vec<_>>();
    let check = |item: &str, matching: &[Value], others: &[Value]| {
        check(&format!("s: {{{item}}}; condition: s"), &events(matching), &events(others));
    };
    check("f: 22", &[json!(22), json!("22"), json!(22.0)], &[json!(23), json!("022x"), json!(null)]);
    check("f: '22'", &[json!(22), json!("22")], &[json!(220)]);
    check("f: true", &[json!(true), json!("True")], &[json!(false), json!(1)]);
    check("f|gte: 10", &[json!(10), json!("11")], &[json!(9.5), json!("x"), json!([])]);
    check("f|lt: 10", &[json!(9.9)], &[json!(10)]);
    check("f|gt: 10", &[json!(10.5)], &[json!(10)]);
    check("f|lte: 10", &[json!(10)], &[json!(11)]);
    check("f|hour: 23", &[json!("2026-01-02T23:10:00Z")], &[json!("2026-01-02T10:10:00Z")]);
}

#[test]
fn absence_is_null_and_presence_can_be_asked_for() {
    check("s: {f: null}; condition: s", &[json!({}), json!({"f": null})], &[json!({"f": ""}), json!({"f": 0})]);
    check("s: {f|exists: true}; condition: s", &[json!({"f": null}), json!({"f": {}}), json!({"f": []})], &[json!({})]);
    check("s: {f|exists: false}; condition: s", &[json!({})], &[json!({"f": null})]);
}

#[test]
fn one_field_may_be_compared_with_another() {
    let event = |f, g| json!({"f": f, "g": g});
    check("s: {f|fieldref: g}; condition: s", &[event("x", "X")], &[event("x", "y"), json!({"f": "x"})]);
    check("s: {f|fieldref|startswith: g}; condition: s", &[event("xyz", "xy")], &[event("xyz", "yz")]);
    check("s: {f|fieldref|endswith: g}; condition: s", &[event("xyz", "yz")], &[event("xyz", "xy")]);
    check("s: {f|fieldref|contains: g}; condition: s", &[event("xyz", "y")], &[event("xyz", "a")]);
    check("s: {f|fieldref|neq: g}; condition: s", &[event("x", "y")], &[event("x", "x")]);
}

#[test]
fn paths_go_through_objects_arrays_and_keys_with_dots() {
    check(
        "s: {a.b.c: x}; condition: s",
        &[
            json!({"a": {"b": {"c": "x"}}}),
            json!({"a.b.c": "x"}),
            json!({"a.b": {"c": "x"}}),
            json!({"a": {"b.c": "x"}}),
            json!({"a": [{"b": 1}, {"b": [{"c": "y"}, {"c": ["z", "x"]}]}]}),
        ],
        &[json!({"a": {"b": {"c": {"x": 1}}}}), json!({"a": {"b": "x"}}), json!({})],
    );
    check("s: {f: [x, y]}; condition: s", &[json!({"f": ["z", "x"]})], &[json!({"f": ["z"]})]);
}

#[test]
fn keywords_are_looked_for_in_all_text() {
    check(
        "s: [foo, 'b*r']; condition: s",
        &[json!({"m": "a Foo"}), json!({"m": {"n": ["bxr"]}})],
        &[json!({"foo": "x"})],
    );
    check("s: {'|all': [foo, bar]}; condition: s", &[json!({"m": "foo", "n": "bar"})], &[json!({"m": "foo"})]);
    check("s: [word, {f: a}]; condition: s", &[json!({"m": "a word"}), json!({"f": "a"})], &[json!({"f": "b"})]);
}

#[test]
fn conditions_bind_not_before_and_before_or() {
    let parts = "p: {a: 1}; q: {b: 1}; _r: {c: 1}; ";
    let check = |condition: &str, matching: &[Value], others: &[Value]| {
        check(&format!("{parts}condition: {condition}"), matching, others);
    };
    let (a, b, c, bc) = (json!({"a": 1}), json!({"b": 1}), json!({"c": 1}), json!({"b": 1, "c": 1}));
    check("p or q and _r", &[a.clone(), bc.clone()], &[b.clone(), c.clone()]);
    check("(p or q) and not _r", &[a.clone(), b.clone()], &[bc.clone(), c.clone()]);
    check("1 of them", &[a.clone(), b.clone()], std::slice::from_ref(&c));
    check("all of them", &[json!({"a": 1, "b": 1})], &[a.clone(), bc.clone()]);
    check("any of *", &[a.clone(), c.clone()], &[json!({})]);
    check("NOT p AND q", std::slice::from_ref(&b), &[json!({"a": 1, "b": 1})]);
    check("[p, _r]", &[a, c], &[b]);
}

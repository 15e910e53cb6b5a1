//! Rules that ask for too much, and events that were made to cost too much: what is counted is bounded, and said.
//!
//! Takes rules at and beyond their bounds, and events of sizes and kinds that no log has; checks errors, and what matches.

use rules::{Engine, Event, Field, JsonEvent, LogSource, Value, fields, limits};
use serde_json::json;

fn rule(title: &str, detection: &str) -> String {
    format!("title: {title}\nlogsource: {{product: linux, category: process_creation}}\ndetection:\n  {detection}\n")
}

fn load(detection: &str) -> Engine {
    let (engine, errors) = Engine::load([("r.yml", rule("t", detection))]);
    assert!(errors.is_empty(), "{errors:?}");
    engine
}

fn matches(engine: &Engine, event: &serde_json::Value) -> bool {
    let mut found = Vec::new();
    engine.evaluate(&JsonEvent::new(event, fields::PROCESS_CREATION), &mut found);
    !found.is_empty()
}

fn refused(detection: &str, expected: &str) {
    let (engine, errors) = Engine::load([("r.yml", rule("t", detection))]);
    assert_eq!((engine.rules().len(), errors.len()), (0, 1), "{errors:?}");
    assert!(errors[0].to_string().contains(expected), "\n  {}\ndoes not contain\n  {expected}", errors[0]);
}

#[test]
fn expressions_that_grow_are_refused_or_look_less_far() {
    let branches = (0..1500).map(|number| format!("{number}x")).collect::<Vec<_>>().join("|");
    refused(&format!("s: {{A|re: '({branches}){{1000}}'}}\n  condition: s"), "longer than 4096 bytes");
    refused(
        r"s: {A|re: '((a{500}){500}){500}'}; condition: s".replace("; ", "\n  ").as_str(),
        "not a regular expression",
    );
    refused("s: {A|re: '(\\w{200}){20}'}\n  condition: s", "not a regular expression that is allowed");
    // What makes others go back for ever is one way through here.
    let engine = load("s: {A|re: '^(a+)+$'}\n  condition: s");
    assert!(!matches(&engine, &json!({"A": "a".repeat(100_000) + "!"})));
    let nested = "(".repeat(300) + "a" + &")".repeat(300);
    refused(&format!("s: {{A|re: '{nested}'}}\n  condition: s"), "not a regular expression that is allowed");
}

#[test]
fn expressions_of_all_rules_are_bounded_together() {
    let large = "[a-z]\\w{20}";
    let files: Vec<_> = (0..120)
        .map(|number| {
            let text = rule(&format!("t{number}"), &format!("s: {{A|re: '{large}{number}'}}\n  condition: s"));
            (format!("{number}.yml"), text)
        })
        .collect();
    let (engine, errors) = Engine::load(files);
    assert!(engine.rules().len() >= 64 && !errors.is_empty(), "{} {}", engine.rules().len(), errors.len());
    assert!(errors[0].to_string().contains("the expressions of all rules take more than"), "{}", errors[0]);
}

#[test]
fn values_of_all_rules_are_bounded_together() {
    let long = "x".repeat(120);
    let files: Vec<_> = (0..100)
        .map(|number| {
            let values = (0..1000).map(|value| format!("{number}-{value}{long}")).collect::<Vec<_>>().join(", ");
            (
                format!("{number}.yml"),
                rule(&format!("t{number}"), &format!("s: {{A|contains: [{values}]}}\n  condition: s")),
            )
        })
        .collect();
    let (engine, errors) = Engine::load(files);
    assert!(engine.rules().len() > 60 && !errors.is_empty());
    assert!(errors[0].to_string().contains("the values of all rules take more than"), "{}", errors[0]);
    // Most of them found no room in an automaton, and match all the same.
    let value = format!("a 80-59{long} b");
    assert!(matches(&engine, &json!({"A": value})));
    assert!(!matches(&engine, &json!({"A": "81-"})));
}

#[test]
fn conditions_that_multiply_are_refused() {
    let parts = (0..500).map(|number| format!("s{number}: {{A: x}}")).collect::<Vec<_>>().join("\n  ");
    let condition = ["1 of s*"; 9].join(" or ");
    refused(&format!("{parts}\n  condition: {condition}"), "names more than 4096 parts");
}

#[test]
fn names_of_fields_are_bounded() {
    refused(&format!("s: {{{}: x}}\n  condition: s", "a.".repeat(40) + "a"), "a field's name has at most 512 bytes");
    refused(&format!("s: {{{}: x}}\n  condition: s", "a".repeat(600)), "and 32 dots");
}

#[test]
fn errors_show_no_control_characters_and_have_an_end() {
    let (_, errors) = Engine::load([("r.yml", format!("\"a\\e[31m{}\": x", "b".repeat(5000)))]);
    let shown = errors[0].to_string();
    assert!(!shown.contains('\u{1b}') && shown.len() < 3000, "{shown}");
}

#[test]
fn an_unknown_log_source_is_a_log_source_of_its_own() {
    let text =
        rule("t", "s: {A: x}\n  condition: s").replace("linux", "nowhere").replace("process_creation", "nothing");
    let (engine, errors) = Engine::load([("r.yml", text)]);
    assert!(errors.is_empty());
    assert!(!matches(&engine, &json!({"A": "x"})));
    let mut found = Vec::new();
    let source = LogSource { product: Some("nowhere"), category: Some("nothing"), service: Some("more") };
    engine.evaluate(&JsonEvent::new(&json!({"A": "x"}), source), &mut found);
    assert_eq!(found.len(), 1);
    engine.evaluate(&JsonEvent::new(&json!({"A": "x"}), LogSource::default()), &mut found);
    assert_eq!(found.len(), 1);
}

#[test]
fn a_field_of_ten_megabytes_is_compared_whole_and_looked_into_at_its_beginning() {
    let mut long = "a".repeat(10_000_000);
    let detection = |item: &str| load(&format!("s: {{{item}}}\n  condition: s"));
    assert!(matches(&detection("A|contains: ab"), &json!({"A": format!("ab{long}")})));
    assert!(matches(&detection("A|startswith: aaa"), &json!({"A": long})));
    assert!(!matches(&detection(&format!("A|contains: {}b", "a".repeat(4000))), &json!({"A": long})));
    assert!(!matches(&detection("A: 'a*a*b*b*c'"), &json!({"A": long})));
    assert!(!matches(&detection("A|re: '(a|aa)+b$'"), &json!({"A": long})));
    assert!(!matches(&detection("A|fieldref|contains: B"), &json!({"A": long, "B": long.clone() + "b"})));
    assert!(matches(&detection("A|fieldref|contains: B"), &json!({"A": format!("{long}b"), "B": "a".repeat(1000)})));
    let behind = limits::TEXT_BYTES + 100;
    long.replace_range(behind..=behind, "X");
    long.push('Z');
    assert!(matches(&detection("A|endswith: z"), &json!({"A": long})));
    assert!(!matches(&detection("A|contains: X"), &json!({"A": long})));
}

#[test]
fn a_text_made_of_literals_wakes_every_rule_and_costs_no_more() {
    let literals = (1..200).map(|length| "a".repeat(length)).collect::<Vec<_>>().join(", ");
    let engine = load(&format!("s: {{A|contains: [{literals}]}}\n  t: {{B: y}}\n  condition: s and t"));
    assert!(matches(&engine, &json!({"A": "a".repeat(limits::TEXT_BYTES), "B": "y"})));
    assert!(!matches(&engine, &json!({"A": "a".repeat(limits::TEXT_BYTES), "B": "n"})));
}

#[test]
fn a_million_keys_and_values_are_gone_through_once() {
    let keys: serde_json::Map<_, _> = (0..1_000_000).map(|number| (format!("k{number}"), json!(number))).collect();
    let engine = load("s: {k999999: 999999}\n  condition: s");
    assert!(matches(&engine, &serde_json::Value::Object(keys.clone())));
    let engine = load("words: [nowhere, 'x*y']\n  condition: words");
    assert!(!matches(&engine, &serde_json::Value::Object(keys)));
    let many = json!({"A": vec![json!({"B": "x"}); 500_000]});
    let engine = load("s: {A.B: [y, z]}\n  condition: s");
    assert!(!matches(&engine, &many));
}

#[test]
fn what_is_nested_deeper_than_any_log_is_not_followed() {
    let nested = |depth| (0..depth).fold(json!("x"), |inner, _| serde_json::Value::Array(vec![inner]));
    let field = load("s: {A: x}\n  condition: s");
    let words = load("words: [x]\n  condition: words");
    for (depth, found) in [(limits::JSON_NESTING - 2, true), (2000, false)] {
        let event = serde_json::Value::Object([("A".to_owned(), nested(depth))].into_iter().collect());
        assert_eq!(matches(&field, &event), found, "{depth}");
        assert_eq!(matches(&words, &event), found, "{depth}");
    }
}

#[test]
fn wrong_types_match_nothing_and_control_characters_are_characters() {
    let values = [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!({"x": {"y": 1}}),
        json!(-1),
        json!(1e300),
    ];
    let items = [
        "A|cidr: 10.0.0.0/8",
        "A|gt: 5e300",
        "A|re: '^x$'",
        "A|hour: 3",
        "A|base64offset|contains: test",
        "A|windash|contains: ' -x'",
        "A.x.y.z: 1",
        "A|startswith: x",
    ];
    for item in items {
        let engine = load(&format!("s: {{{item}}}\n  condition: s"));
        for value in &values {
            assert!(!matches(&engine, &json!({"A": value})), "{item} {value}");
        }
    }
    let engine = load("s: {A|contains: \"\\0\\x1b\\n\"}\n  condition: s");
    assert!(matches(&engine, &json!({"A": "a\0\u{1b}\nb"})));
    assert!(!matches(&engine, &json!({"A": "a\\0\\e\\nb"})));
}

/// An event that answers every question with something of another kind each time.
struct Changing(std::cell::Cell<u32>);

impl Event for Changing {
    fn log_source(&self) -> LogSource<'_> {
        fields::PROCESS_CREATION
    }

    fn field<'a>(&'a self, _: &'a Field) -> Value<'a> {
        self.0.set(self.0.get() + 1);
        match self.0.get() % 7 {
            0 => Value::Missing,
            1 => Value::Null,
            2 => Value::Bool(true),
            3 => Value::Float(f64::NAN),
            4 => Value::Text(b"\xff\xfe\0"),
            5 => Value::Object,
            _ => Value::Int(i64::MIN),
        }
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        visit(b"\xff") || visit(b"")
    }
}

#[test]
fn an_event_that_contradicts_itself_is_no_panic() {
    let (engine, _) = Engine::load(rules::content().iter().copied());
    let event = Changing(std::cell::Cell::new(0));
    let mut found = Vec::new();
    for _ in 0..100 {
        found.clear();
        engine.evaluate(&event, &mut found);
        for rule in &found {
            engine.explain(*rule, &event);
        }
    }
}

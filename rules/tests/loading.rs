//! What stands in several documents: filters, lists of values, copies, and the names by which one means another.
//!
//! Takes rule text; checks which events match what was loaded, and the errors that people will read.

use rules::{Engine, JsonEvent, LogSource, Placeholders, Response, fields};
use serde_json::{Value, json};

const SOURCE: &str = "logsource: {product: linux, category: process_creation}\n";

fn rule(name: &str, detection: &str) -> String {
    format!("title: {name}\nname: {name}\n{SOURCE}detection: {{s: {{{detection}}}, condition: s}}\n")
}

fn filter(rules: &str, parts: &str) -> String {
    format!("title: f\n{SOURCE}filter:\n  rules: {rules}\n  {}\n", parts.replace("; ", "\n  "))
}

/// The titles of the rules that match.
fn matching(engine: &Engine, event: &Value) -> Vec<String> {
    let mut found = Vec::new();
    engine.evaluate(&JsonEvent::new(event, fields::PROCESS_CREATION), &mut found);
    found.iter().map(|rule| engine.rule(*rule).title.clone()).collect()
}

fn load(files: &[String]) -> Engine {
    let (engine, errors) = Engine::load(files.iter().enumerate().map(|(number, text)| (number.to_string(), text)));
    assert!(errors.is_empty(), "{errors:?}");
    engine
}

fn error(files: &[String]) -> String {
    let (_, errors) = Engine::load(files.iter().enumerate().map(|(number, text)| (number.to_string(), text)));
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

#[test]
fn a_filter_takes_away_from_the_rules_that_it_names() {
    for condition in ["selection", "not selection"] {
        let filter = filter("[one]", &format!("selection: {{User: backup}}; condition: {condition}"));
        let engine = load(&[filter, rule("one", "A: x"), rule("two", "A: x")]);
        assert_eq!(matching(&engine, &json!({"A": "x"})), ["one", "two"], "{condition}");
        assert_eq!(matching(&engine, &json!({"A": "x", "User": "backup"})), ["two"], "{condition}");
    }
}

#[test]
fn a_filter_of_several_parts_takes_away_what_fits_its_condition() {
    let parts = "p: {B: 1}; q: {C: 1}; condition: ";
    let left = |condition: &str, event: Value| {
        let engine = load(&[rule("one", "A: x"), filter("any", &format!("{parts}{condition}"))]);
        !matching(&engine, &event).is_empty()
    };
    assert!(!left("p and not q", json!({"A": "x", "B": 1})));
    assert!(left("p and not q", json!({"A": "x", "B": 1, "C": 1})));
    assert!(!left("not p and not q", json!({"A": "x", "C": 1})));
    assert!(left("not p and not q", json!({"A": "x"})));
}

#[test]
fn filters_add_up() {
    let one = filter("any", "s: {B: 1}; condition: s");
    let two = filter("all", "s: {C: 1}; condition: s");
    let engine = load(&[rule("one", "A: x"), one, two]);
    assert_eq!(matching(&engine, &json!({"A": "x"})), ["one"]);
    assert!(matching(&engine, &json!({"A": "x", "B": 1})).is_empty());
    assert!(matching(&engine, &json!({"A": "x", "C": 1})).is_empty());
}

#[test]
fn a_filter_says_which_rule_it_cannot_be_for() {
    let text = filter("[one, two]", "s: {B: 1}; condition: s");
    let found = error(&[rule("one", "A: x"), text.clone()]);
    assert_eq!(found, "1:4: filter.rules: no rule has `two` for its id, name or title");
    let other = rule("two", "A: x").replace("linux", "windows");
    let found = error(&[rule("one", "A: x"), other, text]);
    assert!(found.contains("`two` is a rule of another log source"), "{found}");
    let found = error(&[filter("[one]", "s: {B: 1}")]);
    assert!(found.contains("filter.condition: is missing"), "{found}");
}

#[test]
fn a_stop_in_the_kernel_is_none_where_a_filter_has_a_say() {
    let proof = "mayfly: {why: w, response: stop, stop_in_kernel: true, match: [{name: n, event: {a: b}}], \
                 near_miss: [{name: n, event: {a: b}}]}\n";
    let stop = rule("one", "InContainer: true, Exe.Memfd: true") + proof;
    let response = |files: &[String]| load(files).rules().next().map(|(_, rule)| rule.response);
    assert!(matches!(response(std::slice::from_ref(&stop)), Some(Response::Stop { kernel: Some(_) })));
    let filtered = response(&[stop, filter("[one]", "s: {User: x}; condition: s")]);
    assert_eq!(filtered, Some(Response::Stop { kernel: None }));
}

#[test]
fn placeholders_stand_for_each_of_their_values() {
    let text = rule("one", "A|expand: 'x-%Servers%-%Numbers%', B|contains|expand: '\\%%Servers%'");
    let lists = "title: lists\nplaceholders: {Servers: [web*, db], Numbers: [1, 2]}\n".to_owned();
    let engine = load(&[text.clone(), lists]);
    assert_eq!(matching(&engine, &json!({"A": "x-web7-2", "B": "a %db b"})), ["one"]);
    assert!(matching(&engine, &json!({"A": "x-web7-3", "B": "%db"})).is_empty());
    assert!(matching(&engine, &json!({"A": "x-db-1", "B": "db"})).is_empty());
    let mut placeholders = Placeholders::new();
    placeholders.add("Servers", ["db".to_owned()]);
    placeholders.add("Numbers", ["1".to_owned()]);
    let (engine, errors) = Engine::load_with([("r.yml", text.as_str())], placeholders);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(matching(&engine, &json!({"A": "x-db-1", "B": "%db"})), ["one"]);
    assert!(error(&[text]).contains("`expand` needs a list of values for `%Servers%`, and none is given"));
}

#[test]
fn placeholders_that_multiply_are_refused() {
    let values = (0..200).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    let lists = format!("placeholders: {{L: [{values}]}}\n");
    let found = error(&[rule("one", "A|expand: '%L%%L%%L%'"), lists]);
    assert!(found.contains("`expand` gives more than 10000 values"), "{found}");
}

#[test]
fn a_rule_that_stands_twice_is_one_rule() {
    let with_id = |name: &str, value: &str| {
        format!("id: 5638f7c0-ac70-491d-8465-2a65075e0d86\n{}", rule(name, &format!("A: {value}")))
    };
    let engine = load(&[with_id("one", "x"), with_id("two", "x")]);
    assert_eq!(matching(&engine, &json!({"A": "x"})), ["one"]);
    let found = error(&[with_id("one", "x"), with_id("two", "y")]);
    assert_eq!(found, "1:1: id: is already that of `one` in 0");
}

#[test]
fn a_form_before_sigma_2_is_refused_in_words() {
    let found = error(&["action: correlation\ntype: temporal\nrule: [a, b]\n".to_owned()]);
    assert!(found.contains("0:1: action: documents with an `action` are of a form before Sigma 2.0"), "{found}");
}

#[test]
fn a_mapping_says_where_events_have_what_rules_name() {
    let mapping = "title: m\nlogsource: {product: linux}\nmapping: {Name: [a.name, b.name], Other: c}\n".to_owned();
    let rules = [rule("one", "Name: x"), rule("two", "Other|fieldref: Name")];
    let engine = load(&[rules[0].clone(), mapping.clone(), rules[1].clone()]);
    assert_eq!(matching(&engine, &json!({"Name": "x"})), ["one"]);
    assert_eq!(matching(&engine, &json!({"a": {"name": "x"}})), ["one"]);
    assert_eq!(matching(&engine, &json!({"b": {"name": "x"}, "c": "X"})), ["one", "two"]);
    assert!(matching(&engine, &json!({"Name": "y", "a": {"name": "x"}})).is_empty(), "its own name comes first");
    let other = rule("one", "Name: x").replace("linux", "windows");
    let engine = load(&[other, mapping]);
    let mut found = Vec::new();
    let source = LogSource { product: Some("windows"), ..fields::PROCESS_CREATION };
    engine.evaluate(&JsonEvent::new(&json!({"a": {"name": "x"}}), source), &mut found);
    assert!(found.is_empty(), "it is for rules of its own log source");
    assert!(error(&["mapping: {a: b}\n".to_owned()]).contains("logsource: is missing"));
}

#[test]
fn each_part_says_what_fits_and_what_does_not() {
    let detection = "s: {A|contains: [x, y], B: 1}\n  words: [secret]\n  not_c: {C: null}\n  condition: all of them";
    let text = format!("title: t\nname: one\n{SOURCE}detection:\n  {detection}\n");
    let engine = load(&[text, filter("[one]", "users: {User: backup}; condition: users")]);
    let event = json!({"A": ["xa", "z", "ya"], "B": 2, "m": "a secret", "C": "c"});
    let (rule, _) = engine.rules().next().expect("it was loaded");
    let parts = engine.explain_parts(rule, &JsonEvent::new(&event, fields::PROCESS_CREATION));
    let told = |part: &rules::Part| {
        let value = |one: &rules::Matched| format!("{}={}", one.field, String::from_utf8_lossy(&one.value));
        let fitting = part.fitting.iter().map(value).collect::<Vec<_>>().join(" ");
        let unfit = |one: &rules::Unfitting| {
            let values: Vec<_> = one.values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
            format!("{}={}", one.field, values.join("/"))
        };
        let unfitting = part.unfitting.iter().map(unfit).collect::<Vec<_>>().join(" ");
        format!("{}{} {} [{fitting}] [{unfitting}]", if part.excludes { "not " } else { "" }, part.name, part.matches)
    };
    let told: Vec<_> = parts.iter().map(told).collect();
    let expected = [
        "s false [A=xa A=ya] [B=2]",
        "words true [=a secret] []",
        "not_c false [] [C=c]",
        "not filter users false [] [User=]",
    ];
    assert_eq!(told, expected);
}

//! Text and events that nobody meant well: the engine answers, and never panics.
//!
//! Takes generated rule text, generated events and hand-written mistakes; checks the errors that people will read.

use proptest::prelude::*;
use rules::{Engine, Event, Field, JsonEvent, LogSource, Value, content, fields, limits};

/// The single error that a rule text gives.
fn error(text: &str) -> String {
    let (engine, errors) = Engine::load([("r.yml", text)]);
    assert_eq!(engine.rules().len(), 0, "loaded: {text}");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

fn rule(detection: &str) -> String {
    format!("title: t\nlogsource: {{product: linux, category: process_creation}}\ndetection:\n{detection}\n")
}

fn check(text: &str, expected: &str) {
    let error = error(text);
    assert!(error.contains(expected), "\n  {error}\ndoes not contain\n  {expected}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_is_allowed() {
    check("title: t\ntilte: u\n", "r.yml:2: tilte: unknown key; allowed are title, id, name,");
    check("title: t\nlogsource:\n  produkt: linux\n", "r.yml:3: logsource.produkt: unknown key; allowed are category,");
    check("title: t\nmayfly:\n  whi: x\n", "r.yml:3: mayfly.whi: unknown key; allowed are why, response,");
    check("title: t\nlevel: grave\n", "`grave` is not known; allowed are informational, low, medium, high, critical");
}

#[test]
fn a_bad_pattern_is_named_with_its_line() {
    check(&rule("  s:\n    A|re: '(a'\n  condition: s"), "r.yml:5: detection.s.A|re: not a regular expression");
    check(&rule("  s:\n    A|re: '(?<=x)y'\n  condition: s"), "r.yml:5: detection.s.A|re: not a regular expression");
    check(&rule("  s:\n    A|re: '\\w{9999}{9999}'\n  condition: s"), "not a regular expression that is allowed");
    check(&rule("  s:\n    A|cidr: 10.0.0.0/99\n  condition: s"), "is not a network");
    check(&rule("  s:\n    A|gt: many\n  condition: s"), "a comparison takes a number");
    check(&rule("  s:\n    A|exists: maybe\n  condition: s"), "`exists` takes true or false");
    check(&rule("  s:\n    A|base64: 'a*b'\n  condition: s"), "an encoded value is text without wildcards");
}

#[test]
fn a_bad_modifier_says_which_are_allowed() {
    check(&rule("  s:\n    A|contians: x\n  condition: s"), "modifier `contians` is not known; allowed are contains,");
    check(&rule("  s:\n    A|i: x\n  condition: s"), "`i` is allowed after `re` only");
    check(&rule("  s:\n    A|contains|endswith: x\n  condition: s"), "only one of contains, startswith, endswith");
    check(&rule("  s:\n    A|expand: '%x%'\n  condition: s"), "`expand` needs a list of values for `%x%`");
}

#[test]
fn a_bad_condition_says_what_is_there() {
    check(
        &rule("  s:\n    A: x\n  condition: s and t"),
        "r.yml:6: detection.condition: no part is named `t`: there are s",
    );
    check(&rule("  s:\n    A: x\n  condition: (s"), "a bracket is not closed");
    check(&rule("  s:\n    A: x\n  condition: s s"), "did not expect `s` here");
    check(&rule("  s:\n    A: x\n  condition: 2 of s*"), "`2 of` is not known");
    check(&rule("  s:\n    A: x\n  condition: 1 of t*"), "names no part");
    check(&rule("  s:\n    A: x\n  condition: s | count() > 5"), "aggregations after `|` are not supported");
    check(&rule("  s:\n    A: x"), "detection.condition: is missing");
    check(&rule("  s: []\n  condition: s"), "is empty");
    check(&rule("  s:\n    A: {b: c}\n  condition: s"), "must be a value or a list of values");
}

#[test]
fn yaml_that_multiplies_itself_is_refused() {
    check("a: &a [x]\nb: [*a, *a]\n", "anchors and aliases are not allowed");
    check("title: t\ntitle: u\n", "r.yml:2: title: this key stands twice in one map");
    check("title: [\n", "file: not YAML");
    check(&"[".repeat(200), "file: ");
    check(&format!("title: {}", "x".repeat(limits::FILE_BYTES)), "bytes: allowed are");
    check(&format!("title: [{}]", "x,".repeat(limits::NODES + 1)), "more than 50000 keys and values");
    check(&rule(&format!("  s:\n    A: x\n  condition: {}s", "not ".repeat(100))), "nested more than 64 deep");
    check(&rule(&format!("  s:\n    A: x\n  condition: {}s", "( ".repeat(2000))), "nested more than 64 deep");
}

#[test]
fn a_kernel_stop_is_allowed_for_exec_flags_in_containers_only() {
    let with = |detection: &str| {
        let proof = "mayfly:\n  why: x\n  response: stop\n  stop_in_kernel: true\n  match: [{name: a, event: {b: c}}]\n  \
                     near_miss: [{name: a, event: {b: c}}]\n";
        format!("{}{proof}", rule(detection))
    };
    let refused = "mayfly.stop_in_kernel: allowed for process_creation on linux only";
    check(&with("  s:\n    Exe.Memfd: true\n  condition: s"), refused);
    check(&with("  s:\n    InContainer: true\n  condition: s"), refused);
    check(&with("  s:\n    InContainer: true\n    Image: /x\n    Exe.Memfd: true\n  condition: s"), refused);
    check(&with("  s:\n    InContainer: true\n    Exe.Memfd: true\n    Exe.Deleted: true\n  condition: s"), refused);
    check(
        &with(
            "  s:\n    InContainer: true\n    Exe.Memfd: true\n  n:\n    Exe.Deleted: true\n  condition: s and not n",
        ),
        refused,
    );
    let good = with(
        "  c:\n    InContainer: true\n  s:\n    - Exe.Memfd: true\n    - Exe.UpperLayer: true\n  condition: c and s",
    );
    let (engine, errors) = Engine::load([("r.yml", good)]);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(engine.kernel_stop().memfd && engine.kernel_stop().upper_layer && !engine.kernel_stop().deleted);
}

#[test]
fn a_misspelt_field_of_the_node_is_refused() {
    let text = rule("  s:\n    Imgae: /x\n  condition: s")
        + "mayfly: {why: x, match: [{name: a, event: {b: c}}], near_miss: [{name: a, event: {b: c}}]}\n";
    check(&text, "node events have no field `Imgae`; allowed are Image,");
}

#[test]
fn a_misspelt_source_of_the_node_is_refused() {
    let proof = "mayfly: {why: x, match: [{name: a, event: {b: c}}], near_miss: [{name: a, event: {b: c}}]}\n";
    let text = rule("  s:\n    Image: /x\n  condition: s") + proof;
    let expected = "logsource.category: is none of the node's; allowed are process_creation, file_event,";
    check(&text.replace("process_creation", "proces_creation"), expected);
}

#[test]
fn one_broken_rule_never_stops_the_others() {
    let good = rule("  s:\n    A: x\n  condition: s");
    let text = format!("{good}---\ntitle: broken\n---\n{}", good.replace("title: t", "title: u"));
    let (engine, errors) = Engine::load([("broken.yml", "}"), ("r.yml", &text)]);
    assert_eq!((engine.rules().len(), errors.len()), (2, 2), "{errors:?}");
}

#[test]
fn an_id_that_is_taken_is_refused() {
    let text = rule("  s:\n    A: x\n  condition: s");
    let other = rule("  s:\n    A: y\n  condition: s");
    let (engine, errors) = Engine::load([("a.yml", &text), ("b.yml", &other)]);
    assert_eq!(engine.rules().len(), 1);
    assert!(errors[0].to_string().contains("b.yml:1: id: is already that of `t` in a.yml"), "{}", errors[0]);
}

/// A typed event whose every text is the same bytes.
struct Bytes<'a>(&'a [u8]);

impl Event for Bytes<'_> {
    fn log_source(&self) -> LogSource<'_> {
        fields::PROCESS_CREATION
    }

    fn field<'a>(&'a self, field: &'a Field) -> Value<'a> {
        if field.name().contains('.') { Value::Bool(true) } else { Value::Text(self.0) }
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        visit(self.0)
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec(("a|b|a\\.b|userIdentity|arn|eventName", inner), 0..4)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    // A failing case is printed; it then gets a test of its own above.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text_is_no_panic(text in "\\PC{0,300}") {
        Engine::load([("r.yml", text)]);
    }

    #[test]
    fn random_yaml_is_no_panic(text in "[a-c:|{}\\[\\]\\-#&*!'\"\\\\ \n\t]{0,200}") {
        Engine::load([("r.yml", text)]);
    }

    #[test]
    fn damaged_rules_are_no_panic(file in 0..content().len(), at in any::<prop::sample::Index>(), byte in any::<char>()) {
        let mut text: Vec<char> = content()[file].1.chars().collect();
        let at = at.index(text.len());
        text[at] = byte;
        Engine::load([("r.yml", text.into_iter().collect::<String>())]);
    }

    #[test]
    fn random_details_are_no_panic(
        modifiers in prop::collection::vec("contains|startswith|endswith|all|re|i|m|s|cidr|exists|fieldref|cased|neq|gt|lte|base64|base64offset|wide|utf16|windash|hour|week", 0..3),
        value in "[-/ a-zA-Z0-9*?\\\\.é]{0,12}",
        condition in "((s|not|and|or|\\(|\\)|1 of|all of|them|s\\*) ){1,8}",
        event in "[-/ a-zA-Z0-9*?\\\\.é]{0,24}",
    ) {
        let field = std::iter::once("A".to_owned()).chain(modifiers).collect::<Vec<_>>().join("|");
        let text = rule(&format!("  s:\n    {field}: '{value}'\n  condition: {condition}"));
        let (engine, _) = Engine::load([("r.yml", text)]);
        let event = serde_json::json!({"A": event, "B": [event]});
        engine.evaluate(&JsonEvent::new(&event, fields::PROCESS_CREATION), &mut Vec::new());
    }

    #[test]
    fn random_bytes_as_an_event_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        thread_local!(static ENGINE: Engine = Engine::load(content().iter().copied()).0);
        ENGINE.with(|engine| {
            let mut matches = Vec::new();
            engine.evaluate(&Bytes(&bytes), &mut matches);
            for rule in matches {
                engine.explain(rule, &Bytes(&bytes));
            }
        });
    }

    #[test]
    fn random_json_as_an_event_is_no_panic(event in json()) {
        thread_local!(static ENGINE: Engine = Engine::load(content().iter().copied()).0);
        ENGINE.with(|engine| {
            for source in fields::WELL_KNOWN {
                let event = JsonEvent::new(&event, *source);
                let mut matches = Vec::new();
                engine.evaluate(&event, &mut matches);
                for rule in matches {
                    engine.explain(rule, &event);
                }
            }
        });
    }

    /// The whole way, prefilter included, against the definition.
    #[test]
    fn wildcards_agree_with_the_plain_definition(pattern in "[ab*?]{0,6}", text in "[abAB]{0,8}") {
        let rule = rule(&format!("  s:\n    A: '{pattern}'\n  condition: s"));
        let (engine, errors) = Engine::load([("r.yml", rule)]);
        prop_assert!(errors.is_empty());
        let event = serde_json::json!({ "A": text });
        let mut matches = Vec::new();
        engine.evaluate(&JsonEvent::new(&event, fields::PROCESS_CREATION), &mut matches);
        prop_assert_eq!(!matches.is_empty(), plain(pattern.as_bytes(), text.to_lowercase().as_bytes()));
    }
}

/// What `*` and `?` mean, as slowly as can be.
fn plain(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), first) => plain(rest, text) || first.is_some_and(|(_, shorter)| plain(pattern, shorter)),
        (Some((b'?', rest)), Some((_, text))) => plain(rest, text),
        (Some((byte, rest)), Some((first, text))) => byte == first && plain(rest, text),
        _ => false,
    }
}

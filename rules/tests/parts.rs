//! A detection part by part: what holds, what does not and why, what is a filter.
//!
//! Takes one rule and events on both sides of it.

use rules::{Engine, JsonEvent, Part, fields};
use serde_json::{Value, json};

const RULE: &str = "
title: A download that is not a check
logsource: {product: linux, category: process_creation}
detection:
    tool:
        Image|endswith: /curl
        CommandLine|contains: http
    word: [secret]
    check:
        CommandLine|contains: /healthz
    condition: (tool or word) and not check
";

fn parts(event: &Value) -> Vec<Part> {
    let (engine, errors) = Engine::load([("r.yml", RULE)]);
    assert!(errors.is_empty(), "{errors:?}");
    let rule = engine.rules().next().expect("one rule").0;
    engine.parts(rule, &JsonEvent::new(event, fields::PROCESS_CREATION))
}

fn said(event: &Value) -> String {
    let one = |part: Part| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let matched = part.matched.iter().map(|one| format!(" {}={}", one.field, text(&one.value)));
        let unmet = part.unmet.iter().map(|one| {
            let values: Vec<_> = one.values.iter().map(|value| text(value)).collect();
            format!(" {}!{}", one.field, values.join("/"))
        });
        let role = if part.excludes { "not " } else { "" };
        let holds = if part.holds { "holds" } else { "fails" };
        format!("{role}{} {holds}{}", part.name, matched.chain(unmet).collect::<String>())
    };
    parts(event).into_iter().map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_part_says_what_it_rests_on_and_a_filter_is_one() {
    assert_eq!(
        said(&json!({"Image": "/usr/bin/curl", "CommandLine": "curl http://x/healthz"})),
        "tool holds Image=/usr/bin/curl CommandLine=curl http://x/healthz; word fails !; \
         not check holds CommandLine=curl http://x/healthz"
    );
}

#[test]
fn a_part_that_does_not_hold_says_which_fields_are_not_as_asked() {
    assert_eq!(
        said(&json!({"Image": "/usr/bin/wget"})),
        "tool fails Image!/usr/bin/wget CommandLine!; word fails !; not check fails CommandLine!"
    );
}

#[test]
fn of_many_values_the_first_are_shown() {
    let event = json!({"Image": ["/a", "/b", 3, true, "/e", "/f"]});
    assert!(said(&event).starts_with("tool fails Image!/a//b/3/true"), "{}", said(&event));
}

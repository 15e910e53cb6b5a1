//! Correlations that others wrote, said in our words, over the timelines that they judge them by, where these are present.
//!
//! Takes sample data; prints how many timelines agree, and fails on those that do not.

mod samples;

use rules::{Correlator, Engine, JsonEvent, LogSource};
use serde_json::{Value, json};

const SECOND: i64 = 1_000_000_000;

/// A rule for each step, a count for each step that has to come several times, and one correlation over all of them.
fn documents(case: &Value) -> String {
    let minutes = &case["window_minutes"];
    let steps = case["steps"].as_array().expect("steps are a list");
    let name =
        |number: usize, step: &Value| if step["min_count"] == 1 { format!("s{number}") } else { format!("n{number}") };
    let mut documents = Vec::new();
    let mut aliases = serde_json::Map::new();
    for (number, step) in steps.iter().enumerate() {
        let id = step["id"].as_str().expect("a step has an id");
        documents.push(json!({
            "title": format!("s{number}"), "name": format!("s{number}"), "logsource": {"category": "test"},
            "detection": {"s": {"step": id}, "condition": "s"},
        }));
        let alias = json!({format!("s{number}"): case["join"]["field_name"][id]});
        aliases.extend(alias.as_object().cloned().expect("an object"));
        if step["min_count"] != 1 {
            documents.push(json!({
                "title": format!("n{number}"), "name": format!("n{number}"),
                "correlation": {
                    "type": "event_count", "rules": [format!("s{number}")], "group-by": ["key"],
                    "timespan": format!("{minutes}m"), "condition": {"gte": step["min_count"]}, "aliases": {"key": alias},
                },
            }));
        }
    }
    let named = |absent: bool| -> Vec<String> {
        let steps = steps.iter().enumerate().filter(|(_, step)| (step["absence"] == true) == absent);
        steps.map(|(number, step)| name(number, step)).collect()
    };
    let mut all = json!({
        "title": "all", "correlation": {
            "type": "temporal", "rules": named(false), "group-by": ["key"], "timespan": format!("{minutes}m"),
            "aliases": {"key": aliases},
        },
    });
    if !named(true).is_empty() {
        all["mayfly"] = json!({"absent": {"rules": named(true), "when": "around"}});
    }
    documents.push(all);
    documents.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// Minutes since the beginning, or a moment as text, in nanoseconds.
fn time(written: &Value) -> i64 {
    let Some(text) = written.as_str() else { return written.as_i64().expect("minutes") * 60 * SECOND };
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    // Days since 1970, by the rule that counts years from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    (days * 86_400 + part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19)) * SECOND
}

fn fires(engine: &Engine, test: &Value) -> bool {
    let source = LogSource { category: Some("test"), ..LogSource::default() };
    let mut correlator = Correlator::new(engine);
    let mut firings = Vec::new();
    let mut last = 0;
    for (number, signal) in test["signals"].as_array().into_iter().flatten().enumerate() {
        let mut event = json!({"step": signal["step"]});
        event[signal["field"].as_str().expect("a field")] = signal["key"].clone();
        let event = JsonEvent::new(&event, source);
        let mut matches = Vec::new();
        engine.evaluate(&event, &mut matches);
        let time = time(&signal["t"]);
        last = last.max(time);
        firings.extend(correlator.observe(&event, &matches, &number, time));
    }
    firings.extend(correlator.advance(last + 3 * 86_400 * SECOND));
    !firings.is_empty()
}

#[test]
fn groups_of_others_agree_on_their_timelines() {
    let cases = samples::lines("correlation/panther_group_tests.jsonl");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in &cases {
        let (engine, errors) = Engine::load([("case.yml", documents(case))]);
        assert!(errors.is_empty(), "{}: {errors:?}", case["id"]);
        for test in case["tests"].as_array().into_iter().flatten() {
            checked += 1;
            if fires(&engine, test) != (test["expect"] == true) {
                wrong.push(format!("{}: {}: expected {}", case["id"], test["name"], test["expect"]));
            }
        }
    }
    println!("timelines: {} of {checked} agree, of {} correlations", checked - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

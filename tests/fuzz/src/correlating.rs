//! Any events, at any times, for correlations of every type. Takes random events; each firing names events that came, and
//! nothing panics or grows without end.
#![no_main]

use std::sync::LazyLock;

use rules::{Correlator, Engine, JsonEvent, LogSource, limits};
use serde_json::json;

/// Two rules, and correlations of every type upon them and upon each other.
fn documents() -> String {
    let mut all = vec![
        "{title: a, name: a, logsource: {category: t}, detection: {s: {e: a}, condition: s}}".to_owned(),
        "{title: b, name: b, logsource: {category: t}, detection: {s: {e|contains: b}, condition: s}}".to_owned(),
    ];
    let types =
        ["event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile"];
    for kind in types {
        let field = if kind.starts_with("value") { ", field: n" } else { "" };
        let absent = if kind == "temporal" { ", mayfly: {absent: {rules: [b], when: around}}" } else { "" };
        let derive = if kind == "event_count" { ", mayfly: {derive: {from: {b: n}}}" } else { "" };
        all.push(format!(
            "{{title: {kind}, correlation: {{type: {kind}, rules: [a, b], group-by: [user], timespan: 1m, generate: true, \
             condition: {{gte: 2{field}}}}}{absent}{derive}}}"
        ));
    }
    all.push("{title: all, correlation: {type: temporal, rules: [event_count, value_sum], timespan: 1h}}".to_owned());
    all.join("\n---\n")
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let (engine, errors) = Engine::load([("rules.yml", documents())]);
    assert!(errors.is_empty(), "{errors:?}");
    engine
});

libfuzzer_sys::fuzz_target!(|events: Vec<(bool, u8, i64, i32, bool)>| {
    let source = LogSource { category: Some("t"), ..LogSource::default() };
    let mut correlator = Correlator::new(&ENGINE);
    for (number, (first, user, wild, value, moves)) in events.iter().enumerate() {
        // Times near each other, times anywhere.
        let time = if user % 4 == 0 { *wild } else { (wild % 1000) * 1_000_000_000 };
        if *moves {
            correlator.advance(time);
        }
        let event = json!({"e": if *first { "a" } else { "ab" }, "user": user % 8, "n": value});
        let event = JsonEvent::new(&event, source);
        let mut matches = Vec::new();
        ENGINE.evaluate(&event, &mut matches);
        for firing in correlator.observe(&event, &matches, &number, time) {
            assert!(firing.events.iter().all(|event| event.id <= number), "no event is named before it came");
        }
    }
    correlator.advance(i64::MAX);
    assert!(correlator.bytes() <= limits::STATE_BYTES, "what is kept is bounded");
});

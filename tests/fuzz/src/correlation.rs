//! Any text as correlations over two rules. Takes random text; what loads is fed events, is fulfilled or not, and never panics.
#![no_main]

use rules::{Correlator, Engine, JsonEvent, LogSource, limits};
use serde_json::json;

const RULES: &str = "{title: a, name: a, logsource: {category: t}, detection: {s: {e: a}, condition: s}}
---
{title: b, name: b, logsource: {category: t}, detection: {s: {e|contains: b}, condition: s}}
";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (engine, errors) = Engine::load([("rules.yml", RULES), ("fuzz.yml", text)]);
    assert!(errors.iter().all(|error| error.file == "fuzz.yml" && !error.message.is_empty()), "{errors:?}");
    let source = LogSource { category: Some("t"), ..LogSource::default() };
    let mut correlator = Correlator::new(&engine);
    for number in 0..64_i64 {
        let user = format!("u{}", number % 3);
        let which = if number % 5 < 3 { "a" } else { "ab" };
        let event = json!({"e": which, "user": user, "n": number});
        let event = JsonEvent::new(&event, source);
        let mut matches = Vec::new();
        engine.evaluate(&event, &mut matches);
        correlator.observe(&event, &matches, &number, (number * 37 % 64) * 1_000_000_000);
    }
    correlator.advance(i64::MAX);
    assert!(correlator.bytes() <= limits::STATE_BYTES, "what is kept is bounded");
});

//! The events that a rule file carries as proof: each must match, or must not.
//!
//! Takes an engine; gives the examples that disagree with their rule. It never takes part in evaluation.

use serde_json::Value as Json;

use crate::Engine;
use crate::json::JsonEvent;
use crate::rule::RuleIndex;

/// One example of one rule. Its log source is the rule's.
#[derive(Debug, Clone)]
pub struct Example {
    /// What the event is, in a few words.
    pub name: String,
    /// The line in the rule's file.
    pub line: u32,
    /// The event's fields.
    pub event: Json,
    /// Whether the rule must match it; a near miss must not.
    pub matches: bool,
}

/// Every example on which a rule does not answer as its file says.
pub fn disagreements(engine: &Engine) -> Vec<(RuleIndex, &Example)> {
    let mut wrong = Vec::new();
    let mut matches = Vec::new();
    for (index, rule) in engine.rules() {
        for example in &rule.examples {
            let event = JsonEvent::new(&example.event, rule.source.as_log_source());
            matches.clear();
            engine.evaluate(&event, &mut matches);
            if matches.contains(&index) != example.matches {
                wrong.push((index, example));
            }
        }
    }
    wrong
}

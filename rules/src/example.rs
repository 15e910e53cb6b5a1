//! The events and timelines that a rule file carries as proof: each must match, or must not.
//!
//! Takes an engine; gives the examples that disagree with their rule. It never takes part in evaluation.

use serde_json::Value as Json;

use crate::Engine;
use crate::correlate::{CorrelationIndex, Correlator};
use crate::json::JsonEvent;
use crate::limits;
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

/// Events in a row that a correlation carries as proof.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What happens, in a few words.
    pub name: String,
    /// The line in the correlation's file.
    pub line: u32,
    /// The events, in the order in which they come.
    pub events: Vec<Step>,
    /// Whether the correlation must be fulfilled; a near miss must not.
    pub matches: bool,
}

/// One event of a timeline.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its time, in nanoseconds since the beginning of the timeline.
    pub at: i64,
    /// The rule whose log source it has.
    pub rule: RuleIndex,
    /// The event's fields.
    pub event: Json,
}

/// Every timeline on which a correlation does not answer as its file says. Each is played alone, to its end and on until
/// all that may be absent is.
pub fn broken_timelines(engine: &Engine) -> Vec<(CorrelationIndex, &Timeline)> {
    let mut wrong = Vec::new();
    for (index, correlation) in engine.correlations() {
        for timeline in &correlation.timelines {
            if fulfilled(engine, index, timeline) != timeline.matches {
                wrong.push((index, timeline));
            }
        }
    }
    wrong
}

fn fulfilled(engine: &Engine, index: CorrelationIndex, timeline: &Timeline) -> bool {
    let mut correlator = Correlator::new(engine);
    let mut found = false;
    let mut matches = Vec::new();
    for (number, step) in timeline.events.iter().enumerate() {
        let event = JsonEvent::new(&step.event, engine.rule(step.rule).source.as_log_source());
        matches.clear();
        engine.evaluate(&event, &mut matches);
        let firings = correlator.observe(&event, &matches, &number, step.at);
        found |= firings.iter().any(|firing| firing.correlation == index);
    }
    let last = timeline.events.iter().map(|step| step.at).max().unwrap_or_default();
    let end = last.saturating_add(engine.correlation(index).span).saturating_add(limits::LATENESS);
    found | correlator.advance(end).iter().any(|firing| firing.correlation == index)
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

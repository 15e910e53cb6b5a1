//! What a node covered at a moment, and by which way each event came in. Takes a store; gives the newest coverage before a moment, and tiers for
//! events by the coverage that was told last before each. Nothing of it is on the wire with an event.

use std::collections::BTreeMap;

use collector_core::model::{Body, Moment, NodeEvent};
use serde_json::{Value, json};

use crate::store::Store;
use crate::store::events::query::{QueryError, Question};

/// A node tells its coverage at least every five minutes; one told later than this before an event is not of the same agent for certain.
const NEAR_NS: u64 = 15 * 60 * 1_000_000_000;

/// The newest coverage of a node that is not later than a moment, with what was not granted when its agent started; nothing where the node
/// told none.
pub async fn at(store: &Store, node: &str, at: Option<Moment>) -> Result<Option<Value>, QueryError> {
    let told = last(store, "coverage", node, at).await?;
    let Some((event, Body::Coverage(coverage))) = told.as_ref().map(|event| (event, &event.body)) else {
        return Ok(None);
    };
    let started = last(store, "agent_started", node, Some(event.time)).await?;
    let refusals = match started.map(|event| event.body) {
        Some(Body::AgentStarted { refusals, .. }) => refusals,
        _ => BTreeMap::new(),
    };
    Ok(Some(json!({"node": node, "time": event.time, "coverage": coverage, "refusals": refusals})))
}

async fn last(
    store: &Store,
    kind: &'static str,
    node: &str,
    at: Option<Moment>,
) -> Result<Option<NodeEvent>, QueryError> {
    let question = Question {
        node: Some(node.to_owned()),
        kind: Some(kind),
        to_ns: at.map(|at| at.ns),
        limit: Some(usize::MAX),
        ..Question::default()
    };
    Ok(store.events.query(&question).await?.into_iter().max_by_key(|event| event.time.ns))
}

/// Each event as JSON, with the tier by which it came in.
pub async fn with_tiers(store: &Store, events: Vec<NodeEvent>) -> Result<Vec<Value>, QueryError> {
    let mut told: BTreeMap<String, Vec<NodeEvent>> = BTreeMap::new();
    for event in &events {
        if !told.contains_key(&event.node) {
            told.insert(event.node.clone(), around(store, &event.node, &events).await?);
        }
    }
    let tier = |event: &NodeEvent| told.get(&event.node).map(|told| tier(event, told)).unwrap_or_default();
    let with = |event: NodeEvent| {
        let tier = tier(&event);
        let mut value = json!(event);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("tier".to_owned(), if tier.is_empty() { Value::Null } else { tier.into() });
        }
        value
    };
    Ok(events.into_iter().map(with).collect())
}

/// What a node told of its coverage around these events, the oldest first.
async fn around(store: &Store, node: &str, events: &[NodeEvent]) -> Result<Vec<NodeEvent>, QueryError> {
    let times = || events.iter().filter(|event| event.node == node).map(|event| event.time.ns);
    let question = Question {
        node: Some(node.to_owned()),
        kind: Some("coverage"),
        from_ns: times().min().map(|first| first.saturating_sub(NEAR_NS)),
        to_ns: times().max().map(|last| last.saturating_add(NEAR_NS)),
        limit: Some(usize::MAX),
        ..Question::default()
    };
    let mut told = store.events.query(&question).await?;
    told.sort_by_key(|event| event.time.ns);
    Ok(told)
}

/// By the coverage before the event, else by the first one after it: an agent tells its first a moment after it begins to watch.
fn tier(event: &NodeEvent, told: &[NodeEvent]) -> String {
    let before = told.partition_point(|coverage| coverage.time.ns <= event.time.ns);
    let nearest = before.checked_sub(1).and_then(|index| told.get(index)).or_else(|| told.get(before));
    match nearest.map(|nearest| &nearest.body) {
        Some(Body::Coverage(coverage)) => coverage.tier(&event.body),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use collector_core::model::event::{Coverage, HookCoverage};

    use super::*;

    fn event(ns: u64, body: Body) -> NodeEvent {
        NodeEvent {
            node: "n".into(),
            log_id: "l".into(),
            position: 1,
            time: Moment::exact(ns),
            actor: None,
            attempt: false,
            body,
        }
    }

    fn told(ns: u64, tier: &str) -> NodeEvent {
        let hook = HookCoverage { name: "exit".into(), tier: tier.into(), ..HookCoverage::default() };
        event(ns, Body::Coverage(Box::new(Coverage { hooks: vec![hook], ..Coverage::default() })))
    }

    #[test]
    fn the_newest_coverage_before_an_event_says_its_way_and_before_the_first_the_first() {
        let all = [told(10, "tracepoint"), told(20, "lsm")];
        let check = |ns, told: &[NodeEvent]| tier(&event(ns, Body::Exit { code: 0, signal: 0 }), told);
        let ways = [5, 10, 19, 20, 90].map(|ns| check(ns, &all));
        assert_eq!(ways, ["tracepoint", "tracepoint", "tracepoint", "lsm", "lsm"]);
        assert_eq!(check(5, &[]), "");
    }
}

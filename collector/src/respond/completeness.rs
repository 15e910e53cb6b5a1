//! What is known of how complete the events of a container or a node are. Takes a subject and a time; reads accountings, counts what
//! arrived of what they told, and asks the core for the statement. Counts event by event and keeps none.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use collector_core::completeness::{Facts, Statement, Subject, Watch, positions, state};
use collector_core::model::{Body, Moment, NodeEvent, Origin};
use prost::Message;

use super::gather::GatherError;
use crate::ingest::translate::NOT_RECEIVED;
use crate::store::Store;
use crate::store::events::query::Question;

/// Positions of one log that the accountings speak of.
type Range = (u64, u64);

/// The statement of a time.
pub async fn statement(store: &Store, subject: Subject, from: Moment, to: Moment) -> Result<Statement, GatherError> {
    let nodes = nodes(store, &subject, from, to).await?;
    let mut facts = Facts {
        subject,
        from,
        to,
        accountings: Vec::new(),
        received: BTreeMap::new(),
        missing: 0,
        watches: Vec::new(),
    };
    for node in nodes {
        let of_kind = |kind: &'static str, from_ns: Option<u64>| Question {
            node: Some(node.clone()),
            kind: Some(kind),
            from_ns,
            to_ns: Some(to.ns),
            limit: Some(usize::MAX),
            ..Question::default()
        };
        let accountings = store.events.query(&of_kind("accounting", Some(from.ns))).await?;
        for (log_id, range) in ranges(&accountings) {
            let container = match &facts.subject {
                Subject::Container { id } => Some(id.as_str()),
                Subject::Node { .. } => None,
            };
            facts.missing += arrived(store, &node, &log_id, range, container, &mut facts.received).await?;
        }
        facts.accountings.extend(accountings);
        let started = store.events.query(&of_kind("agent_started", None)).await?;
        let refused = started.into_iter().rev().find_map(|event| match event.body {
            Body::AgentStarted { refused_hooks, .. } => Some(refused_hooks),
            _ => None,
        });
        let mut silent_hooks = Vec::new();
        for event in store.events.query(&of_kind("coverage", Some(from.ns))).await? {
            if let Body::Coverage(coverage) = &event.body {
                silent_hooks.extend(coverage.silent().map(str::to_owned));
            }
        }
        silent_hooks.sort();
        silent_hooks.dedup();
        facts.watches.push(Watch { node, refused_hooks: refused.unwrap_or_default(), silent_hooks });
    }
    Ok(state(facts))
}

/// The nodes that accounted for the subject.
async fn nodes(store: &Store, subject: &Subject, from: Moment, to: Moment) -> Result<Vec<String>, GatherError> {
    let id = match subject {
        Subject::Node { name } => return Ok(vec![name.clone()]),
        Subject::Container { id } => id,
    };
    let question =
        Question { kind: Some("accounting"), from_ns: Some(from.ns), to_ns: Some(to.ns), ..Question::default() };
    let mut nodes: Vec<String> = Vec::new();
    let look = |event: NodeEvent, _: &[u8]| {
        if let Body::Accounting(told) = &event.body
            && told.accounts.iter().any(|account| account.container_id == *id)
            && !nodes.contains(&event.node)
        {
            nodes.push(event.node);
        }
        ControlFlow::Continue(())
    };
    store.events.each(&question, look).await?;
    Ok(nodes)
}

/// The positions of each log of a node that the accountings speak of.
fn ranges(accountings: &[NodeEvent]) -> BTreeMap<String, Range> {
    let mut ranges: BTreeMap<String, Range> = BTreeMap::new();
    for event in accountings {
        let Body::Accounting(told) = &event.body else { continue };
        let (first, last) = positions(event, told);
        let range = ranges.entry(event.log_id.clone()).or_insert((first, last));
        *range = (range.0.min(first), range.1.max(last));
    }
    ranges
}

/// Whether an event stands in a container's account, which is its cgroup's: not that it was made and removed, which its runtime did, nor
/// what somebody of the host did in its namespaces.
fn is_on_account(event: &NodeEvent, container: &str) -> bool {
    let origin = event.actor.as_ref().map(|actor| &actor.origin);
    matches!(origin, Some(Origin::Container { id }) if id == container)
}

/// Adds up what arrived of the kernel's own events; gives how many positions did not.
async fn arrived(
    store: &Store,
    node: &str,
    log_id: &str,
    (first, last): Range,
    container: Option<&str>,
    received: &mut BTreeMap<String, u64>,
) -> Result<u64, GatherError> {
    let question = Question {
        node: Some(node.to_owned()),
        log_id: Some(log_id.to_owned()),
        first_position: Some(first),
        last_position: Some(last),
        ..Question::default()
    };
    let mut missing = 0;
    let count = |event: NodeEvent, bytes: &[u8]| {
        match &event.body {
            Body::Loss { reason, count, .. } if reason == NOT_RECEIVED => missing += count,
            body => {
                let of_kernel = proto::v1::Event::decode(bytes).is_ok_and(|wire| wire.cpu_sequence != 0);
                let ours = container.is_none_or(|id| is_on_account(&event, id));
                if let Some(class) = body.class().filter(|_| of_kernel && ours) {
                    *received.entry(class.to_owned()).or_default() += 1;
                }
            }
        }
        ControlFlow::Continue(())
    };
    store.events.each(&question, count).await?;
    Ok(missing)
}

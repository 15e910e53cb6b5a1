//! Everything that is known about one case. Takes a case; reads events, audit entries, journal, captures and losses from the store; gives the
//! report's input. Bounded, and says what it left out. Adds nothing of its own, not even the time: a report speaks as of the last
//! thing that is recorded, so the same case prints the same report.

use std::collections::BTreeSet;

use collector_core::completeness::Subject;
use collector_core::custody::{Kind, Record, Recorded};
use collector_core::model::{AuditEntry, AuditSource, Body, Case, CaseId, EvidenceRef, Moment, NodeEvent};
use collector_core::playbook::{Approval, Outcome, Plan};
use collector_core::report::{AuditCoverage, Input, Loss, NodeFacts};
use serde::de::DeserializeOwned;

use super::situation::container_ids;
use super::{captures, completeness};
use crate::store::Store;
use crate::store::events::query::{QueryError, Question};
use crate::store::state::{LossRow, Node, StateError};

/// What came before the first finding belongs to the story.
const BEFORE_NS: u64 = 10 * 60 * 1_000_000_000;
/// And what came after the last one.
const AFTER_NS: u64 = 10 * 60 * 1_000_000_000;
/// Events of one case: a report is read by people.
const EVENTS: usize = 20_000;

/// Why the facts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The events.
    #[error("read the events")]
    Events(#[from] QueryError),
    /// The state.
    #[error("read the state")]
    State(#[from] StateError),
    /// A capture's manifest.
    #[error("read capture {id}")]
    Capture {
        /// Which one.
        id: String,
        /// Why not.
        #[source]
        cause: serde_json::Error,
    },
}

/// The node events of a case: those of its containers, those that its findings name, and what the agents said of themselves.
pub async fn events(store: &Store, case: &Case) -> Result<Vec<NodeEvent>, GatherError> {
    let containers = container_ids(case);
    let named = named_events(case);
    let mut found = Vec::new();
    for node in nodes_of(case) {
        let question = Question {
            node: Some(node),
            from_ns: Some(case.first_activity.ns.saturating_sub(BEFORE_NS)),
            to_ns: Some(case.last_activity.ns.saturating_add(AFTER_NS)),
            limit: Some(EVENTS * 10),
            ..Question::default()
        };
        let all = store.events.query(&question).await?;
        let others = captures_of_others(&all, &containers);
        found.extend(all.into_iter().filter(|event| belongs(event, &containers, &named, &others)).take(EVENTS));
    }
    found.sort_by(|one, other| (one.time, &one.node, one.position).cmp(&(other.time, &other.node, other.position)));
    Ok(found)
}

/// Captures that a match outside of these containers led to.
fn captures_of_others(events: &[NodeEvent], containers: &[String]) -> BTreeSet<String> {
    let of_other = |event: &NodeEvent| match &event.body {
        Body::Trigger(trigger) if !event.container().is_some_and(|id| containers.iter().any(|ours| ours == id)) => {
            Some(trigger.capture_id.clone())
        }
        _ => None,
    };
    events.iter().filter_map(of_other).collect()
}

fn belongs(event: &NodeEvent, containers: &[String], named: &BTreeSet<EvidenceRef>, others: &BTreeSet<String>) -> bool {
    let ours = |id: &str| containers.iter().any(|container| container == id);
    event.container().is_some_and(ours)
        || named.contains(&event.evidence())
        || match &event.body {
            Body::CaptureSealed { capture_id, .. } => !others.contains(capture_id),
            Body::Loss { .. } | Body::AgentStarted { .. } => true,
            Body::Coverage(coverage) => coverage.silent().next().is_some(),
            _ => false,
        }
}

fn all_evidence(case: &Case) -> impl Iterator<Item = &EvidenceRef> {
    let findings = case.findings.iter().flat_map(|finding| finding.evidence.iter());
    let edges = case.edges.iter().flat_map(|edge| edge.evidence.iter());
    let claims = case.reasons_for.iter().chain(&case.reasons_against).flat_map(|claim| claim.evidence.iter());
    findings.chain(edges).chain(claims)
}

fn named_events(case: &Case) -> BTreeSet<EvidenceRef> {
    all_evidence(case).filter(|evidence| matches!(evidence, EvidenceRef::Event { .. })).cloned().collect()
}

fn nodes_of(case: &Case) -> BTreeSet<String> {
    let of = |evidence: &EvidenceRef| match evidence {
        EvidenceRef::Event { node, .. } => Some(node.clone()),
        _ => None,
    };
    all_evidence(case).filter_map(of).collect()
}

/// The audit entries of a case: those that its findings and edges name.
pub async fn entries(store: &Store, case: &Case) -> Result<Vec<AuditEntry>, GatherError> {
    let named: BTreeSet<(AuditSource, &str)> = all_evidence(case)
        .filter_map(|evidence| match evidence {
            EvidenceRef::Audit { source, id, .. } => Some((*source, id.as_str())),
            _ => None,
        })
        .collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = store.events.entries(|entry| named.contains(&(entry.source, entry.id.as_str()))).await?;
    found.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
    Ok(found)
}

/// What came of the case's plans, in order, each with its record.
pub fn outcomes(store: &Store, case: &CaseId) -> Vec<Recorded<Outcome>> {
    recorded(&store.journal.of_case(case), &[Kind::ActionDone, Kind::ActionFailed, Kind::Undone])
}

fn recorded<T: DeserializeOwned>(records: &[Record], kinds: &[Kind]) -> Vec<Recorded<T>> {
    let of_kind = records.iter().filter(|record| kinds.contains(&record.kind));
    of_kind
        .filter_map(|record| {
            let value = serde_json::from_value(record.body.clone()).ok()?;
            Some(Recorded { value, evidence: record.evidence() })
        })
        .collect()
}

/// All that a report is made from.
pub async fn input(store: &Store, case: Case) -> Result<Input, GatherError> {
    let events = events(store, &case).await?;
    let entries = entries(store, &case).await?;
    let journal = store.journal.of_case(&case.id);
    let plans: Vec<Recorded<Plan>> = recorded(&journal, &[Kind::PlanProposed]);
    let approvals: Vec<Recorded<Approval>> = recorded(&journal, &[Kind::Approval]);
    let outcomes = recorded(&journal, &[Kind::ActionDone, Kind::ActionFailed, Kind::Undone]);
    let artifacts = captures::artifacts(store, &events).await?;
    let last = journal.iter().map(|record| record.time.ns).chain([case.last_activity.ns, case.detected.ns]).max();
    let now = Moment::exact(last.unwrap_or(case.last_activity.ns));
    let from = Moment::exact(case.first_activity.ns.saturating_sub(BEFORE_NS));
    let mut stated = Vec::new();
    for id in container_ids(&case) {
        stated.push(completeness::statement(store, Subject::Container { id }, from, now).await?);
    }
    Ok(Input {
        losses: losses(store, &events).await?,
        completeness: stated,
        nodes: nodes(store, &case, &events).await?,
        audit: coverage(store, &entries).await?,
        case,
        events,
        entries,
        journal,
        plans,
        approvals,
        outcomes,
        artifacts,
        reachable: Vec::new(),
        lessons: Vec::new(),
        now,
    })
}

/// Losses that the node told of, and those that admission found, in the time of the case.
async fn losses(store: &Store, events: &[NodeEvent]) -> Result<Vec<Loss>, GatherError> {
    let nodes: BTreeSet<&str> = events.iter().map(|event| event.node.as_str()).collect();
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Vec::new()) };
    let rows = store.state.losses(None).await?;
    let touches = |row: &LossRow| {
        nodes.contains(row.node.as_str())
            && (row.from_ns == 0 || row.from_ns <= last.time.ns)
            && first.time.ns <= row.to_ns
    };
    Ok(rows.into_iter().filter(touches).map(loss).collect())
}

fn loss(row: LossRow) -> Loss {
    let evidence =
        EvidenceRef::Event { node: row.node.clone(), log_id: row.log_id.clone(), position: row.first_position };
    Loss {
        node: row.node,
        class: row.class,
        reason: row.reason,
        count: row.count,
        from: Moment::exact(row.from_ns),
        to: Moment::exact(row.to_ns),
        evidence,
    }
}

async fn nodes(store: &Store, case: &Case, events: &[NodeEvent]) -> Result<Vec<NodeFacts>, GatherError> {
    let mut facts = Vec::new();
    for name in nodes_of(case) {
        if let Some(node) = store.state.node(&name).await? {
            facts.push(node_facts(&node, events));
        }
    }
    Ok(facts)
}

fn node_facts(node: &Node, events: &[NodeEvent]) -> NodeFacts {
    let of_node = || events.iter().filter(|event| event.node == node.name);
    let started = of_node().rev().find_map(|event| match &event.body {
        Body::AgentStarted { kernel_release, refused_hooks, replay, .. } => {
            Some((event, kernel_release.clone(), refused_hooks.clone(), *replay))
        }
        _ => None,
    });
    let first = of_node().next();
    let evidence = started.as_ref().map(|(event, ..)| *event).or(first).map_or_else(
        || EvidenceRef::Event { node: node.name.clone(), log_id: node.log_id.clone(), position: 1 },
        NodeEvent::evidence,
    );
    let since = started.as_ref().map_or(Moment::exact(node.first_seen_ns), |(event, ..)| event.time);
    let newest = of_node().filter(|event| event.log_id == node.log_id).map(|event| event.position).max();
    let (kernel_release, refused_hooks, replay) = started
        .map_or((String::new(), Vec::new(), node.replay), |(_, kernel, refused, replay)| (kernel, refused, replay));
    let silent: BTreeSet<&str> = of_node()
        .filter_map(|event| match &event.body {
            Body::Coverage(coverage) => Some(coverage.silent()),
            _ => None,
        })
        .flatten()
        .collect();
    NodeFacts {
        node: node.name.clone(),
        agent_version: node.agent_version.clone(),
        kernel_release,
        since,
        events_received: newest.unwrap_or(0),
        refused_hooks,
        silent_hooks: silent.into_iter().map(str::to_owned).collect(),
        signing_key: hex::encode(&node.signing_key),
        replay,
        evidence,
    }
}

/// What of each audit log the case rests on.
async fn coverage(store: &Store, entries: &[AuditEntry]) -> Result<Vec<AuditCoverage>, GatherError> {
    let troubled = store.state.troubled_files().await?;
    let mut found = Vec::new();
    for source in [AuditSource::Cloudtrail, AuditSource::Kubernetes] {
        let of_source: Vec<&AuditEntry> = entries.iter().filter(|entry| entry.source == source).collect();
        let (Some(first), Some(last)) = (of_source.first(), of_source.last()) else { continue };
        found.push(AuditCoverage {
            source,
            entries: of_source.len() as u64,
            from: first.time,
            to: last.time,
            refused: troubled.iter().map(|(path, trouble)| format!("{path}: {trouble}")).collect(),
        });
    }
    Ok(found)
}

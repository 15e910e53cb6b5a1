//! What stands at the end for whoever checks: logs, indicators, artifacts, completeness, queries. Takes the input; leaves nothing out silently.

use std::collections::{BTreeMap, BTreeSet};

use super::cite::{Evidence, visible};
use super::document::{ArtifactRow, Completeness, Indicator, LogRow, Query, Sentence};
use super::input::{Artifact, Input};
use super::narrate::{clock, date_and_time, short};
use crate::completeness::Statement;
use crate::model::{AuditSource, Entity, EvidenceRef, Identity, NonEmpty};
use crate::timeline::size;

/// Audit entries printed in full; the rest are in the exported bundle.
const MAX_LOGS: usize = 40;

/// The audit entries that the case rests on, as the provider wrote them.
pub(super) fn logs(input: &Input, evidence: &mut Evidence) -> Vec<LogRow> {
    let row = |entry: &crate::model::AuditEntry| LogRow {
        name: visible(&format!("{} {}", entry.source, entry.id)),
        original: serde_json::to_string_pretty(&entry.original).map(|text| lines(&text)).unwrap_or_default(),
        evidence: evidence.numbers(std::iter::once(&entry.evidence())),
    };
    input.entries.iter().take(MAX_LOGS).map(row).collect()
}

/// Each line made visible by itself: the line ends are ours.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// What others can look for.
pub(super) fn indicators(input: &Input, evidence: &mut Evidence) -> Vec<Indicator> {
    let mut found: BTreeMap<(String, String), Indicator> = BTreeMap::new();
    for finding in &input.case.findings {
        for entity in &finding.entities {
            let Some((kind, value)) = indicator(entity) else { continue };
            let key = (kind.to_owned(), visible(&value));
            if found.contains_key(&key) {
                continue;
            }
            let why = evidence.say(format!("{}: {}", finding.title, finding.why), &finding.evidence);
            found.insert(key.clone(), Indicator { kind: key.0, value: key.1, why });
        }
    }
    for artifact in
        input.artifacts.iter().filter(|artifact| artifact.kind == "executable" && artifact.failure.is_empty())
    {
        let key = ("sha256".to_owned(), artifact.sha256.clone());
        let why = evidence.say_one(format!("The program that ran as {}.", artifact.name), &reference(artifact));
        found.insert(key.clone(), Indicator { kind: key.0, value: key.1, why });
    }
    found.into_values().collect()
}

fn indicator(entity: &Entity) -> Option<(&'static str, String)> {
    match entity {
        Entity::Address { address } => Some(("address", address.to_string())),
        Entity::File { path, .. } => Some(("path", path.clone())),
        Entity::Content { sha256 } => Some(("sha256", sha256.clone())),
        Entity::Process { executable, .. } => Some(("program", executable.clone())),
        Entity::Identity { identity: Identity::AccessKey { id } } => Some(("access key", id.clone())),
        _ => None,
    }
}

fn reference(artifact: &Artifact) -> EvidenceRef {
    EvidenceRef::Artifact {
        capture_id: artifact.capture_id.clone(),
        artifact_id: artifact.artifact_id.clone(),
        sha256: artifact.sha256.clone(),
    }
}

/// What was captured, and each hand it went through.
pub(super) fn artifacts(input: &Input, evidence: &mut Evidence) -> Vec<ArtifactRow> {
    let row = |artifact: &Artifact| {
        let mut steps = vec![format!("sealed on {} {}", artifact.node, clock(artifact.sealed))];
        steps.extend(artifact.signed_by.as_ref().map(|key| format!("signed by {key}")));
        steps.extend(artifact.received.map(|when| format!("received {}", clock(when))));
        steps.extend(artifact.verified.map(|when| format!("hash checked {}", clock(when))));
        let custody =
            if artifact.failure.is_empty() { steps.join(" → ") } else { format!("not had: {}", artifact.failure) };
        ArtifactRow {
            id: visible(&format!("{}/{}", artifact.capture_id, artifact.artifact_id)),
            kind: visible(&artifact.kind.replace('_', " ")),
            name: visible(&artifact.name),
            size: if artifact.failure.is_empty() { size(artifact.size) } else { "–".to_owned() },
            sha256: if artifact.failure.is_empty() { artifact.sha256.clone() } else { "–".to_owned() },
            custody: visible(&custody),
            evidence: evidence.numbers(std::iter::once(&reference(artifact)).filter(|_| artifact.failure.is_empty())),
        }
    };
    input.artifacts.iter().map(row).collect()
}

/// What was watched, what was lost, what nobody watched.
pub(super) fn completeness(input: &Input, evidence: &mut Evidence) -> Completeness {
    let nodes = input.nodes.iter().map(|node| {
        let how = if node.replay { "replays a recorded run since" } else { "watches since" };
        let hooks = match node.refused_hooks.as_slice() {
            [] => "the kernel refused no hook".to_owned(),
            some => format!("the kernel refused {}", some.join(", ")),
        };
        let silent = match node.silent_hooks.as_slice() {
            [] => String::new(),
            some => format!("; at some moment no record came of known calls at {}", some.join(", ")),
        };
        let text = format!(
            "{} {how} {} (agent {}, kernel {}); {} events arrived; {hooks}{silent}.",
            node.node,
            date_and_time(node.since),
            node.agent_version,
            node.kernel_release,
            node.events_received
        );
        evidence.say_one(text, &node.evidence)
    });
    let nodes = nodes.collect();
    let accounts = input.completeness.iter().flat_map(|statement| accounts(statement, evidence)).collect();
    let losses = input.losses.iter().map(|loss| {
        let text = format!(
            "{} lost {} records of class {} between {} and {}: {}.",
            loss.node,
            loss.count,
            loss.class,
            clock(loss.from),
            clock(loss.to),
            loss.reason.replace('_', " ")
        );
        evidence.say_one(text, &loss.evidence)
    });
    let losses = losses.collect();
    let audit_text = input.audit.iter().map(|log| {
        let refused =
            if log.refused.is_empty() { "none was unreadable".to_owned() } else { visible(&log.refused.join("; ")) };
        format!(
            "{}: {} entries from {} to {}; {refused}.",
            name(log.source),
            log.entries,
            date_and_time(log.from),
            date_and_time(log.to)
        )
    });
    Completeness {
        nodes,
        accounts,
        statements: input.completeness.clone(),
        losses,
        lost: input.losses.iter().map(|loss| loss.count).sum(),
        audit_text: audit_text.collect(),
        audit: input.audit.clone(),
        unseen: unseen(input),
    }
}

/// A sentence for each class, and one whether it adds up. Without an account there is nothing to point to, and `unseen` says so.
fn accounts(statement: &Statement, evidence: &mut Evidence) -> Vec<Sentence> {
    let Ok(references) = NonEmpty::try_from(statement.evidence.clone()) else { return Vec::new() };
    let of = &statement.subject;
    let lines = statement.lines.iter().map(|line| format!("Of {of}, {line}."));
    let all = lines.chain([format!("Of {of}: {}", statement.verdict())]);
    all.map(|text| evidence.say(text, &references)).collect()
}

/// As people write it.
const fn name(source: AuditSource) -> &'static str {
    match source {
        AuditSource::Cloudtrail => "AWS CloudTrail",
        AuditSource::Kubernetes => "Kubernetes audit",
    }
}

/// What of which could not be had, and why.
fn failure(artifact: &Artifact) -> String {
    let Artifact { kind, name, failure, .. } = artifact;
    if name.starts_with(kind.as_str()) {
        return format!("{name}: {failure}.");
    }
    format!("{} of {name}: {failure}.", kind.replace('_', " "))
}

fn unseen(input: &Input) -> Vec<String> {
    let mut unseen = Vec::new();
    for source in [AuditSource::Cloudtrail, AuditSource::Kubernetes] {
        if !input.audit.iter().any(|log| log.source == source) {
            unseen.push(format!("No {} log was read: what was done there is not in this report.", name(source)));
        }
    }
    if input.case.edges.iter().any(|edge| matches!(edge.state, crate::model::EdgeState::Pending { .. })) {
        unseen.push("A provider's log was still late when this was written: a later version may say more.".to_owned());
    }
    for statement in input.completeness.iter().filter(|statement| statement.accounted.is_none()) {
        unseen.push(format!("Of {} no node accounted: what was not told of it is not counted.", statement.subject));
    }
    let failed = input.artifacts.iter().filter(|artifact| !artifact.failure.is_empty());
    let lines: BTreeSet<String> = failed.map(|artifact| visible(&failure(artifact))).collect();
    unseen.extend(lines);
    unseen.push("What a process read from or wrote to files that no rule watches, and the content of its connections, is not recorded.".to_owned());
    unseen.push("Data events of cloud storage are in the report only where the audit log holds them.".to_owned());
    unseen
}

/// How somebody with the bundle and nothing of ours finds the same.
pub(super) fn queries(input: &Input) -> Vec<Query> {
    let mut queries = Vec::new();
    let mut ranges: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for event in &input.events {
        let range = ranges.entry(&event.node).or_insert((event.position, event.position));
        *range = (range.0.min(event.position), range.1.max(event.position));
    }
    for (node, (from, to)) in ranges {
        queries.push(Query {
            shows: visible(&format!("the events of {node} that this report rests on")),
            command: visible(&format!(
                "jq 'select(.node == \"{node}\" and .position >= {from} and .position <= {to})' events.jsonl"
            )),
        });
    }
    for entry in input.entries.iter().filter(|entry| entry.source == AuditSource::Cloudtrail).take(3) {
        queries.push(Query {
            shows: visible(&format!("entry {} from AWS itself, for 90 days", short(&entry.id))),
            command: visible(&format!(
                "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventId,AttributeValue={}",
                entry.id
            )),
        });
    }
    queries.push(Query {
        shows: "that nothing in the bundle was changed".to_owned(),
        command: "mayfly verify .".to_owned(),
    });
    queries
}

//! Following bridges outward from findings. Takes what findings are about; gives every edge that is reached, step by step. Each bridge
//! is one file beside this one; here is only the walk.

mod chain;
mod entry;
mod key;
mod lineage;
pub(super) mod metadata;
mod token;

use std::collections::{BTreeMap, BTreeSet};

use super::Correlator;
use super::bridge::EDGES;
use super::facts::Who;
use super::node_side::NodeSide;
use crate::model::{
    Bridge, Edge, EdgeState, Entity, EvidenceRef, Finding, Identity, Moment, NonEmpty, ProcessKey, Strength,
};

/// Something that edges start at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A container on a node.
    Container { node: String, id: String },
    /// A process on a host.
    HostProcess(ProcessKey),
    /// A credential, by its name on the cloud side.
    Credential(String),
}

/// One question: findings, and the edges found so far.
pub(super) struct Question<'a> {
    pub(super) known: &'a Correlator,
    pub(super) now: Moment,
    findings: &'a [Finding],
    asked: BTreeSet<Subject>,
    open: BTreeSet<Subject>,
    edges: BTreeMap<(Bridge, Entity, Entity), Edge>,
}

impl<'a> Question<'a> {
    pub(super) fn new(known: &'a Correlator, findings: &'a [Finding], now: Moment) -> Self {
        let mut question =
            Self { known, now, findings, asked: BTreeSet::new(), open: BTreeSet::new(), edges: BTreeMap::new() };
        for finding in findings {
            let in_container = finding.entities.iter().any(|entity| matches!(entity, Entity::Container { .. }));
            for entity in &finding.entities {
                question.begin(entity, in_container);
            }
        }
        question
    }

    /// An entity of a finding, as where edges may start.
    fn begin(&mut self, entity: &Entity, in_container: bool) {
        match entity {
            Entity::Container { id, node } => self.subject(Subject::Container { node: node.clone(), id: id.clone() }),
            Entity::Process { key, .. } if !in_container => self.subject(Subject::HostProcess(key.clone())),
            Entity::Identity { identity: Identity::AccessKey { id } } => self.subject(Subject::Credential(id.clone())),
            Entity::Identity { identity: Identity::RoleSession { arn } } => {
                self.subject(Subject::Credential(arn.clone()));
            }
            Entity::Pod { uid, .. } => {
                for (name, node) in self.known.nodes_in_order() {
                    for id in node.containers_of_pod(uid) {
                        self.subject(Subject::Container { node: name.to_owned(), id: id.to_owned() });
                    }
                }
            }
            _ => {}
        }
    }

    fn subject(&mut self, subject: Subject) {
        if !self.asked.contains(&subject) {
            self.open.insert(subject);
        }
    }

    pub(super) fn answer(mut self) -> Vec<Edge> {
        while let Some(subject) = self.open.pop_first() {
            if self.edges.len() >= EDGES {
                break;
            }
            self.asked.insert(subject.clone());
            match &subject {
                Subject::Container { node, .. } => self.on_node(node, &subject),
                Subject::HostProcess(process) => self.on_node(&process.node, &subject),
                Subject::Credential(name) => {
                    self.sightings_of(name);
                    self.chain(name);
                    self.metadata_backward(name);
                }
            }
        }
        let findings = self.findings;
        self.lineage(findings);
        self.edges.into_values().collect()
    }

    fn on_node(&mut self, name: &str, subject: &Subject) {
        let Some(node) = self.known.node(name) else { return };
        self.metadata(node, subject);
        self.tokens(node, subject);
        self.entries(node, subject);
        self.keys_seen(subject);
    }

    /// Whether a fact's process is the subject, or on a host descends from it.
    fn is_of(node: &NodeSide, who: &Who, subject: &Subject) -> bool {
        match subject {
            Subject::Container { id, .. } => who.container.as_ref() == Some(id),
            Subject::HostProcess(process) => {
                who.container.is_none()
                    && who.process.boot_id == process.boot_id
                    && node.ancestry(&who.process).contains(&(process.pid, process.start_ns))
            }
            Subject::Credential(_) => false,
        }
    }

    /// Takes an edge; of two between the same ends the joined, stronger, earlier one stays. Its ends are followed.
    fn add(&mut self, edge: Edge) {
        let key = (edge.bridge, edge.from.clone(), edge.to.clone());
        let rank = |edge: &Edge| {
            let joined = edge.state == EdgeState::Joined;
            (joined, edge.strength, std::cmp::Reverse(edge.delta_ns.unsigned_abs()))
        };
        if self.edges.get(&key).is_some_and(|kept| rank(kept) >= rank(&edge)) {
            return;
        }
        if edge.state == EdgeState::Joined && edge.strength >= Strength::Strong {
            for end in [&edge.from, &edge.to] {
                if let Entity::Identity { .. } = end {
                    self.begin(end, false);
                }
            }
        }
        self.edges.insert(key, edge);
    }
}

/// Follows a process that a credential led to: its container, or itself on a host.
pub(super) fn subject_of(who: &Who) -> Subject {
    match &who.container {
        Some(id) => Subject::Container { node: who.process.node.clone(), id: id.clone() },
        None => Subject::HostProcess(who.process.clone()),
    }
}

pub(super) fn process(who: &Who) -> Entity {
    Entity::Process { key: who.process.clone(), executable: who.executable.clone() }
}

pub(super) fn access_key(name: &str) -> Entity {
    let identity = if name.starts_with("arn:") {
        Identity::RoleSession { arn: name.to_owned() }
    } else {
        Identity::AccessKey { id: name.to_owned() }
    };
    Entity::Identity { identity }
}

/// The process, in a sentence: `curl (process 1775 in container 3fa9c0d1e2b4 on node-1)`.
pub(super) fn told(who: &Who) -> String {
    let name = who.executable.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("a process");
    let pid = who.process.pid;
    let node = &who.process.node;
    match &who.container {
        Some(id) => format!("{name} (process {pid} in container {} on {node})", id.get(..12).unwrap_or(id)),
        None => format!("{name} (process {pid} on {node})"),
    }
}

/// A span in words that a reader can compare: `1.1 s`, `10 min 20 s`, `3 h 5 min`.
pub(super) fn span(ns: i64) -> String {
    let milliseconds = ns.unsigned_abs() / 1_000_000;
    let seconds = milliseconds / 1_000;
    if seconds < 60 {
        format!("{}.{} s", seconds, milliseconds % 1_000 / 100)
    } else if seconds < 3_600 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else if seconds < 48 * 3_600 {
        format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60)
    } else {
        format!("{} days", seconds / 86_400)
    }
}

/// Both sides of an edge: the first piece and those that follow.
pub(super) fn both<'e>(
    first: &EvidenceRef,
    others: impl IntoIterator<Item = &'e EvidenceRef>,
) -> NonEmpty<EvidenceRef> {
    let mut evidence = NonEmpty::one(first.clone());
    for other in others {
        if !evidence.iter().any(|known| known == other) {
            evidence.push(other.clone());
        }
    }
    evidence
}

/// Whether `later` may have happened after `earlier`, and within the window.
pub(super) fn follows(earlier: Moment, later: Moment, window_ns: u64) -> bool {
    let slack = (u64::from(earlier.uncertainty_us) + u64::from(later.uncertainty_us)) * 1_000;
    earlier.compare(later) != crate::model::Order::After
        && later.ns <= earlier.ns.saturating_add(window_ns).saturating_add(slack)
}

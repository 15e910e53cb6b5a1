//! All that a report is made from. Gathered by the collector from its stores; the report adds nothing to it.

use serde::{Deserialize, Serialize};

use crate::completeness::Statement;
use crate::custody::{Record, Recorded};
use crate::model::{AuditEntry, AuditSource, Case, Entity, EvidenceRef, Moment, NodeEvent, NonEmpty};
use crate::playbook::{Approval, Outcome, Plan};

/// A captured file that is in the evidence store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The capture it belongs to.
    pub capture_id: String,
    /// Its id within the capture.
    pub artifact_id: String,
    /// `executable`, `recorder`, `process_facts`, …
    pub kind: String,
    /// Name for people; an attacker may have chosen it.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// sha256, hex.
    pub sha256: String,
    /// Node that captured it.
    pub node: String,
    /// Container it is from, where it is from one.
    pub container_id: Option<String>,
    /// When the node sealed it.
    pub sealed: Moment,
    /// When it was whole in the store; absent while on its way.
    pub received: Option<Moment>,
    /// When its hash was last computed again and was the same.
    pub verified: Option<Moment>,
    /// Key id of the manifest's signature, where it was checked and is good.
    pub signed_by: Option<String>,
    /// Why it could not be had, or not whole; empty where it is whole.
    pub failure: String,
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The node.
    pub node: String,
    /// `process`, `network`, `file`, `all`.
    pub class: String,
    /// `ring_full`, `not_received`, …
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Between then.
    pub from: Moment,
    /// And then.
    pub to: Moment,
    /// Where it is recorded.
    pub evidence: EvidenceRef,
}

/// What we know about how a node watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name.
    pub node: String,
    /// The agent's version.
    pub agent_version: String,
    /// The kernel's release.
    pub kernel_release: String,
    /// When watching began.
    pub since: Moment,
    /// Events of the node that arrived.
    pub events_received: u64,
    /// Hooks that the kernel refused, each with its reason.
    pub refused_hooks: Vec<String>,
    /// Hooks that told nothing of a known call at some moment.
    #[serde(default)]
    pub silent_hooks: Vec<String>,
    /// Hex of the ed25519 key that signs its manifests.
    pub signing_key: String,
    /// Its events come from a recorded run.
    pub replay: bool,
    /// Where this stands.
    pub evidence: EvidenceRef,
}

/// What an audit log was read from, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCoverage {
    /// Which log.
    pub source: AuditSource,
    /// Entries read.
    pub entries: u64,
    /// Time of the oldest.
    pub from: Moment,
    /// Time of the newest.
    pub to: Moment,
    /// Objects that could not be read, each with its reason.
    pub refused: Vec<String>,
}

/// Something that the attacker could have reached from something they had. Drawn dashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reachable {
    /// From.
    pub from: Entity,
    /// To.
    pub to: Entity,
    /// By what, one sentence.
    pub reason: String,
    /// What shows it.
    pub evidence: NonEmpty<EvidenceRef>,
}

/// Something to do better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// What.
    pub text: String,
    /// Who.
    pub owner: String,
    /// Until when.
    pub due: Moment,
    /// How much work, in words.
    pub effort: String,
    /// How one sees that it helped.
    pub metric: String,
}

/// Everything about one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The case.
    pub case: Case,
    /// The node events that belong to it, any order.
    pub events: Vec<NodeEvent>,
    /// The audit entries that belong to it, any order.
    pub entries: Vec<AuditEntry>,
    /// The case's records of the journal, in order.
    pub journal: Vec<Record>,
    /// Plans made for it, oldest first.
    pub plans: Vec<Recorded<Plan>>,
    /// What people said to them.
    pub approvals: Vec<Recorded<Approval>>,
    /// What came of them, in order.
    pub outcomes: Vec<Recorded<Outcome>>,
    /// What was captured.
    pub artifacts: Vec<Artifact>,
    /// What is missing.
    pub losses: Vec<Loss>,
    /// The nodes of the case.
    pub nodes: Vec<NodeFacts>,
    /// What became of everything that was seen of each container of the case.
    #[serde(default)]
    pub completeness: Vec<Statement>,
    /// The audit logs that were read.
    pub audit: Vec<AuditCoverage>,
    /// What could have been reached, where a source of permissions was read.
    pub reachable: Vec<Reachable>,
    /// Lessons that a person wrote; without one the report proposes its own, with the owner still to be named.
    pub lessons: Vec<Lesson>,
    /// The moment as of which the report speaks.
    pub now: Moment,
}

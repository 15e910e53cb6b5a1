//! What we make of a group: how bad, how sure, and why. Takes a group of findings with what it reaches; gives a case whose every reason
//! cites evidence. The confidence is the sum of its reasons, so that a person can redo it; nothing is learned and nothing is hidden.

mod reasons;
mod tactics;
mod title;

use std::collections::BTreeSet;

use crate::correlate::{Group, Related};
use crate::model::{
    Bridge, Case, CaseId, CaseStatus, Edge, EdgeState, Entity, Level, Moment, NonEmpty, Severity, Strength, Verdict,
};
use reasons::Scales;

/// From here on a case is called a true positive.
pub const SURE: i32 = 70;

/// From here on it is suspicious; below, the data do not suffice.
pub const WORTH_A_LOOK: i32 = 40;

/// What only the caller knows of a case.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The name it gave, or is keeping.
    pub id: CaseId,
    /// When the first of its findings was made, by the collector's clock.
    pub detected: Moment,
    /// Where the response stands.
    pub status: CaseStatus,
}

/// The case that a group is.
pub fn judge(group: &Group, related: &Related, circumstances: Circumstances) -> Case {
    let mut scales = Scales::default();
    reasons::weigh(group, related, &mut scales);
    let confidence = scales.sum();
    let verdict = verdict(group, &scales, confidence);
    Case {
        id: circumstances.id,
        title: title::of(group, related),
        status: circumstances.status,
        severity: severity(group, related),
        verdict,
        confidence: u8::try_from(confidence).unwrap_or(0),
        techniques: techniques(group),
        entities: entities(group, related),
        first_activity: moments(group, related).min().unwrap_or(circumstances.detected),
        last_activity: moments(group, related).max().unwrap_or(circumstances.detected),
        detected: circumstances.detected,
        replay: related.replay,
        findings: group.findings.clone(),
        edges: group.edges.clone(),
        reasons_for: scales.reasons_for,
        reasons_against: scales.reasons_against,
    }
}

/// Whether a case should be opened for a person to see. A group below that stays a group, and may grow.
pub fn worth_opening(case: &Case) -> bool {
    matches!(case.verdict, Verdict::TruePositive | Verdict::Suspicious)
}

fn verdict(group: &Group, scales: &Scales, confidence: i32) -> Verdict {
    let grave = worst(group) >= Level::Medium;
    match confidence {
        SURE.. => Verdict::TruePositive,
        WORTH_A_LOOK.. => Verdict::Suspicious,
        // Benign needs a reason of its own: that little speaks for an attack is no proof of the contrary.
        _ if scales.known_benign && !grave => Verdict::Benign,
        _ => Verdict::InsufficientData,
    }
}

fn worst(group: &Group) -> Level {
    group.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Informational)
}

/// The level of the worst finding, raised where a chain of tactics or a proven join says that it is more than one event.
fn severity(group: &Group, related: &Related) -> Severity {
    let base = match worst(group) {
        Level::Informational | Level::Low => 0,
        Level::Medium => 1,
        Level::High => 2,
        Level::Critical => 3,
    };
    let stages = tactics::stages(group).len();
    let proven = joined(group).any(|edge| edge.strength == Strength::Exact && crosses(edge));
    let mut rank = base;
    if base > 0 && (proven || stages >= 4) {
        rank += 1;
    }
    if !related.left.is_empty() && joined(group).any(|edge| edge.bridge == Bridge::B1) {
        rank = rank.max(2) + u8::from(stages >= 3 || base >= 2);
    }
    match rank {
        0 => Severity::Low,
        1 => Severity::Medium,
        2 => Severity::High,
        _ => Severity::Critical,
    }
}

/// Edges with both sides.
fn joined(group: &Group) -> impl Iterator<Item = &Edge> {
    group.edges.iter().filter(|edge| edge.state == EdgeState::Joined)
}

/// Whether an edge joins two planes, or two credentials: lineage stays on one node.
fn crosses(edge: &Edge) -> bool {
    edge.bridge != Bridge::Lineage
}

fn techniques(group: &Group) -> Vec<String> {
    let all: BTreeSet<&String> = group.findings.iter().flat_map(|finding| &finding.techniques).collect();
    all.into_iter().cloned().collect()
}

fn entities(group: &Group, related: &Related) -> Vec<Entity> {
    let of_findings = group.findings.iter().flat_map(|finding| &finding.entities);
    let of_edges =
        joined(group).filter(|edge| edge.strength >= Strength::Strong).flat_map(|edge| [&edge.from, &edge.to]);
    let mut all: BTreeSet<&Entity> = of_findings.chain(of_edges).chain(&related.entities).collect();
    // A pod's name joins late: once it is known, the pod is not told a second time without it.
    let named: BTreeSet<&str> = all.iter().filter_map(|entity| named_pod(entity)).collect();
    all.retain(
        |entity| !matches!(entity, Entity::Pod { uid, name } if name.is_empty() && named.contains(uid.as_str())),
    );
    all.into_iter().cloned().collect()
}

fn named_pod(entity: &Entity) -> Option<&str> {
    match entity {
        Entity::Pod { uid, name } if !name.is_empty() => Some(uid),
        _ => None,
    }
}

fn moments<'a>(group: &'a Group, related: &'a Related) -> impl Iterator<Item = Moment> {
    group.findings.iter().map(|finding| finding.time).chain(related.uses.iter().map(|call| call.time))
}

/// Evidence of several things, first one first; `None` when there is nothing.
fn cite<'e>(
    evidence: impl IntoIterator<Item = &'e crate::model::EvidenceRef>,
) -> Option<NonEmpty<crate::model::EvidenceRef>> {
    /// References that one sentence carries: more would not be read.
    const CITED: usize = 8;
    let mut all: Vec<crate::model::EvidenceRef> = Vec::new();
    for item in evidence {
        if all.len() < CITED && !all.contains(item) {
            all.push(item.clone());
        }
    }
    NonEmpty::from_vec(all)
}

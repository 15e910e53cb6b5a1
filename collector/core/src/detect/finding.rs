//! How a match becomes a finding. Takes the rule and what it matched; gives a finding whose name depends on these two alone, so that
//! the node's match and the collector's match of the same event are one.

use rules::{Matched, Rule};
use sha2::{Digest, Sha256};

use crate::model::event::Raw;
use crate::model::{Entity, EvidenceRef, Finding, FindingId, Level, Moment, NonEmpty};

/// Letters of a value that a finding shows: the whole value stays in the evidence.
const SHOWN: usize = 512;

/// The name of a match: sixteen hex digits of sha256 over the rule's id and the evidence.
pub(crate) fn name(rule_id: &str, evidence: &EvidenceRef) -> FindingId {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part(rule_id);
    match evidence {
        EvidenceRef::Event { node, log_id, position } => {
            part(node);
            part(log_id);
            part(&position.to_string());
        }
        // Without the object's hash: a log may be delivered twice, in two files.
        EvidenceRef::Audit { source, id, .. } => {
            part(&source.to_string());
            part(id);
        }
        EvidenceRef::Artifact { .. } | EvidenceRef::Journal { .. } => part(&evidence.to_string()),
    }
    let digest = hash.finalize();
    FindingId(hex::encode(digest.get(..8).expect("sha256 has 32 bytes")))
}

/// A finding of a rule of the engine.
pub(crate) fn of_rule(
    rule: &Rule,
    matched: Vec<Matched>,
    evidence: EvidenceRef,
    time: Moment,
    entities: Vec<Entity>,
) -> Finding {
    Finding {
        id: name(&rule.id, &evidence),
        rule_id: rule.id.clone(),
        title: rule.title.clone(),
        why: if rule.why.is_empty() { rule.description.clone() } else { rule.why.clone() },
        level: level(rule.level),
        techniques: rule.techniques.clone(),
        tactics: rule.tactics.clone(),
        time,
        entities,
        evidence: NonEmpty::one(evidence),
        matched: matched.into_iter().map(|Matched { field, value, .. }| shown(field, value)).collect(),
    }
}

/// A field with its value for people.
pub(super) fn shown(field: String, mut value: Vec<u8>) -> (String, String) {
    let cut = value.len() > SHOWN;
    value.truncate(SHOWN);
    let mut text = Raw(value).escape();
    if cut {
        text.push('…');
    }
    (field, text)
}

pub(super) const fn level(level: rules::Level) -> Level {
    match level {
        rules::Level::Informational => Level::Informational,
        rules::Level::Low => Level::Low,
        rules::Level::Medium => Level::Medium,
        rules::Level::High => Level::High,
        rules::Level::Critical => Level::Critical,
    }
}

/// The level that a node's agent said in words; a word that we do not know is a medium one, as in Sigma.
pub(crate) fn level_of_word(word: &str) -> Level {
    rules::Level::from_name(word).map_or(Level::Medium, self::level)
}

/// Two reports of the same match: the union of what they know. Which came first makes no difference.
pub fn merge(one: &mut Finding, other: &Finding) {
    let mut evidence: Vec<_> = one.evidence.iter().chain(other.evidence.iter()).cloned().collect();
    // The matched event stands first in both, because it named the finding; triggers and captures follow in order.
    let first = evidence.remove(0);
    evidence.retain(|item| *item != first);
    evidence.sort();
    evidence.dedup();
    let mut all = NonEmpty::one(first);
    for item in evidence {
        all.push(item);
    }
    one.evidence = all;
    join(&mut one.entities, other.entities.iter().cloned());
    // The report with the rule's own words is the fuller one.
    if one.why.is_empty() && !other.why.is_empty() {
        one.title.clone_from(&other.title);
        one.why.clone_from(&other.why);
        one.tactics.clone_from(&other.tactics);
    }
    if one.matched.is_empty() {
        one.matched.clone_from(&other.matched);
    }
    join(&mut one.techniques, other.techniques.iter().cloned());
    one.level = one.level.max(other.level);
    // A trigger is written after the event that it is about.
    one.time = one.time.min(other.time);
}

/// Adds what is not there yet.
pub(super) fn join<T: PartialEq>(all: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

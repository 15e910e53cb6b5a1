//! The table of evidence, and the only way to a sentence. Takes claims; gives sentences that carry the numbers of what they rest on.

use super::document::{EvidenceRow, Sentence};
use crate::model::event::Raw;
use crate::model::{Claim, EvidenceRef, NonEmpty};

/// Collects evidence in the order in which the report first names it.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    rows: Vec<EvidenceRow>,
}

impl Evidence {
    /// A sentence from a claim.
    pub(super) fn cite(&mut self, claim: &Claim) -> Sentence {
        let evidence = self.numbers(claim.evidence.iter());
        Sentence { text: visible(&claim.text), evidence }
    }

    /// A sentence from its text and what it rests on.
    pub(super) fn say(&mut self, text: impl Into<String>, evidence: &NonEmpty<EvidenceRef>) -> Sentence {
        self.cite(&Claim::new(text, evidence.clone()))
    }

    /// A sentence that rests on one thing.
    pub(super) fn say_one(&mut self, text: impl Into<String>, evidence: &EvidenceRef) -> Sentence {
        self.say(text, &NonEmpty::one(evidence.clone()))
    }

    /// The numbers of some evidence, sorted, each once.
    pub(super) fn numbers<'a>(&mut self, evidence: impl Iterator<Item = &'a EvidenceRef>) -> Vec<usize> {
        let mut numbers: Vec<usize> = evidence.map(|reference| self.number(reference)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn number(&mut self, reference: &EvidenceRef) -> usize {
        if let Some(row) = self.rows.iter().find(|row| row.reference == *reference) {
            return row.number;
        }
        let number = self.rows.len() + 1;
        let label = visible(&reference.to_string());
        self.rows.push(EvidenceRow { number, label, place: place(reference), reference: reference.clone() });
        number
    }

    /// The table.
    pub(super) fn rows(self) -> Vec<EvidenceRow> {
        self.rows
    }
}

/// Where an exported bundle holds it.
fn place(reference: &EvidenceRef) -> String {
    visible(&match reference {
        EvidenceRef::Event { node, position, .. } => format!("events.jsonl, node {node}, position {position}"),
        EvidenceRef::Audit { id, object_sha256, .. } => format!("audit/{object_sha256}, entry {id}"),
        EvidenceRef::Artifact { capture_id, artifact_id, .. } => format!("captures/{capture_id}/{artifact_id}"),
        EvidenceRef::Journal { sequence, .. } => format!("custody.jsonl, record {sequence}"),
    })
}

/// Text in which control letters and invisible ones are shown instead of obeyed.
pub(super) fn visible(text: &str) -> String {
    Raw(text.as_bytes().to_vec()).escape()
}

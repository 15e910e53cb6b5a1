//! One line of the journal: who did what to which case, and when. Made by `chain`; never changed and never removed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{CaseId, EvidenceRef, Moment};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the description; bodies are given where they are more than a few facts")]
pub enum Kind {
    /// Body: the finding.
    Finding,
    CaseOpened,
    CaseChanged,
    CaseClosed,
    /// Body: the [`crate::playbook::Plan`].
    PlanProposed,
    /// Body: the [`crate::playbook::Approval`].
    Approval,
    /// The gate said no. Body: approval and reason.
    Refusal,
    ActionStarted,
    /// Body: the [`crate::playbook::Outcome`].
    ActionDone,
    /// Body: the [`crate::playbook::Outcome`].
    ActionFailed,
    /// Body: the [`crate::playbook::Outcome`] of the undoing action.
    Undone,
    /// A person takes the case.
    Acknowledged,
    /// A person waives a guard.
    Waived,
    /// The node sealed it.
    Collected,
    /// It arrived here, whole.
    Received,
    /// Its hash was computed again and compared.
    Verified,
    Accessed,
    Derived,
    Exported,
    /// Something is missing, and how much.
    Loss,
    /// A node or a client was refused.
    Refused,
    /// The collector began.
    Started,
}

impl fmt::Display for Kind {
    /// As it is written in JSON: `plan_proposed`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// What a caller knows before it is a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// When.
    pub time: Moment,
    /// Who: a person's name, `collector`, `node NAME`.
    pub actor: String,
    /// What about.
    pub kind: Kind,
    /// Which case; absent where it is about none.
    pub case_id: Option<CaseId>,
    /// The facts.
    pub body: Value,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number: dense, from 1.
    pub sequence: u64,
    /// When.
    pub time: Moment,
    /// Who.
    pub actor: String,
    /// What about.
    pub kind: Kind,
    /// Which case; absent where it is about none.
    pub case_id: Option<CaseId>,
    /// The facts.
    pub body: Value,
    /// `hash` of the record before; 64 zeros for the first.
    pub previous: String,
    /// sha256, hex, of `previous` followed by the sha256, hex, of the canonical JSON of the fields above it. In two parts, so that a record
    /// of another case can be shown as its two hashes alone, and the chain still verifies.
    pub hash: String,
}

impl Record {
    /// The reference by which a claim points here.
    pub fn evidence(&self) -> EvidenceRef {
        EvidenceRef::Journal { sequence: self.sequence, hash: self.hash.clone() }
    }
}

/// A value and the journal record that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded<T> {
    /// The value.
    pub value: T,
    /// Where it is recorded.
    pub evidence: EvidenceRef,
}

//! What a rule claims. Takes a rule and the event or entry that it matched; decides nothing about guilt.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::entity::Entity;
use super::evidence::{EvidenceRef, NonEmpty};
use super::time::Moment;

/// Name of a finding: a hash of rule and evidence, so that the same match has the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingId(pub String);

/// Sigma's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Sigma's own words")]
pub enum Level {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// A rule matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub id: FindingId,
    /// The rule's id.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// Why this is bad, from the rule.
    pub why: String,
    /// How bad by itself.
    pub level: Level,
    /// ATT&CK techniques (`T1552.005`).
    pub techniques: Vec<String>,
    /// ATT&CK tactics (`credential-access`).
    pub tactics: Vec<String>,
    /// When what it matched happened.
    pub time: Moment,
    /// What it is about; the first is the one who did it.
    pub entities: Vec<Entity>,
    /// What it matched.
    pub evidence: NonEmpty<EvidenceRef>,
    /// Which fields matched, with their values, escaped.
    pub matched: Vec<(String, String)>,
}

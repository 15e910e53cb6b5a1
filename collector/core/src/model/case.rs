//! Findings that belong together, and what we make of them. Made by `correlate::group` and `triage`; never edited by hand.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::entity::Entity;
use super::evidence::Claim;
use super::finding::Finding;
use super::time::Moment;

/// Name of a case, for people: `MF-2026-0001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaseId(pub String);

impl fmt::Display for CaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the field's own words")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// What we think it is: names of OCSF `incident_finding.verdict_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "OCSF's own words")]
pub enum Verdict {
    TruePositive,
    Suspicious,
    Benign,
    InsufficientData,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TruePositive => "true positive",
            Self::Suspicious => "suspicious",
            Self::Benign => "benign",
            Self::InsufficientData => "insufficient data",
        })
    }
}

/// Where the response stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the report's status line")]
pub enum CaseStatus {
    Ongoing,
    Contained,
    Resolved,
}

impl fmt::Display for CaseStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ongoing => "ongoing",
            Self::Contained => "contained",
            Self::Resolved => "resolved",
        })
    }
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// What happened, in a few words.
    pub title: String,
    /// Where the response stands.
    pub status: CaseStatus,
    /// How urgent.
    pub severity: Severity,
    /// What we think it is.
    pub verdict: Verdict,
    /// 0 to 100.
    pub confidence: u8,
    /// What speaks for the verdict.
    pub reasons_for: Vec<Claim>,
    /// What speaks against it, or is not known.
    pub reasons_against: Vec<Claim>,
    /// ATT&CK techniques of its findings, sorted, each once.
    pub techniques: Vec<String>,
    /// In order of time.
    pub findings: Vec<Finding>,
    /// Each once, sorted.
    pub entities: Vec<Entity>,
    /// How its facts are joined.
    pub edges: Vec<Edge>,
    /// The first thing in it.
    pub first_activity: Moment,
    /// The last thing in it.
    pub last_activity: Moment,
    /// When a rule first matched, by the collector's clock.
    pub detected: Moment,
    /// Everything comes from a recorded run, not from a kernel.
    pub replay: bool,
}

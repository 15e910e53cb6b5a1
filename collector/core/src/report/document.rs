//! The report before it has a form: sections, sentences, and for each sentence the numbers of its evidence. Takes what the other files of this
//! folder write; every rendering shows the same document. Holds no markup.

use serde::Serialize;

use super::input::{AuditCoverage, Lesson};
use crate::completeness::Statement;
use crate::graph::Graph;
use crate::model::{CaseId, CaseStatus, EvidenceRef, Moment, Severity, Verdict};

/// A sentence with the numbers of its evidence in the table at the end. Made only by [`super::cite::Evidence::cite`], from a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// For people; attacker-chosen text in it is visible, not obeyed.
    pub text: String,
    /// At least one.
    pub evidence: Vec<usize>,
}

/// One row of the evidence table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceRow {
    /// From 1.
    pub number: usize,
    /// Short name.
    pub label: String,
    /// Where it is found in an exported bundle.
    pub place: String,
    /// What exactly is meant.
    pub reference: EvidenceRef,
}

/// A number on the first page, and what it counts in the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tile {
    /// Which number of the body this is.
    pub counts: Count,
    /// The number.
    pub value: u64,
    /// What it counts, for people.
    pub label: String,
    /// A second line.
    pub note: String,
}

/// What can be counted in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words name what is counted")]
pub enum Count {
    Systems,
    Identities,
    CallsWithStolenIdentities,
    ActionsVerified,
}

/// The first page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What happened, without jargon.
    pub verdict: String,
    /// The numbers.
    pub tiles: Vec<Tile>,
    /// How bad it could have been.
    pub worst: String,
    /// What was done, with times.
    pub done: Vec<String>,
    /// What leadership has to decide.
    pub decisions: Vec<String>,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `timeline::Line`, as text")]
pub struct TimelineRow {
    pub date: String,
    pub time: String,
    pub uncertainty: String,
    pub plane: String,
    pub who: String,
    pub what: String,
    pub quoted: String,
    pub finding: String,
    pub order_unknown: bool,
    pub evidence: Vec<usize>,
}

/// What belongs to one ATT&CK tactic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tactic {
    /// `Credential access`.
    pub name: String,
    /// In order of time.
    pub findings: Vec<Analysed>,
}

/// One finding, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Analysed {
    /// What was found.
    pub title: Sentence,
    /// When.
    pub time: String,
    /// `critical`.
    pub level: String,
    /// `T1552.005`.
    pub techniques: Vec<String>,
    /// Why it is bad.
    pub why: String,
    /// Which fields matched.
    pub matched: Vec<(String, String)>,
    /// Commands and calls that were observed with it.
    pub observed: Vec<String>,
}

/// What was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// Machines and containers.
    pub systems: Vec<Sentence>,
    /// Roles, sessions, keys, accounts.
    pub identities: Vec<Sentence>,
    /// What was done with them, one sentence for each call of an audit log by one of them.
    pub calls: Vec<Sentence>,
    /// The drawing's content.
    pub graph: Graph,
    /// The drawing.
    #[serde(skip)]
    pub drawing: String,
    /// The drawing in words.
    pub connections: Vec<Connection>,
}

/// One edge of the drawing in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns' headings are their description")]
pub struct Connection {
    pub number: String,
    pub kind: String,
    pub from: String,
    pub to: String,
    pub time: String,
    pub cut_by: String,
    pub why: Sentence,
}

/// One plan and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the labels of the report are their description")]
pub struct PlanReport {
    pub title: String,
    pub digest: String,
    pub proposed: Sentence,
    pub approvals: Vec<Sentence>,
    pub steps: Vec<StepReport>,
}

/// One step and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the labels of the report are their description")]
pub struct StepReport {
    pub id: String,
    pub title: String,
    pub action: String,
    pub target: String,
    pub phase: String,
    pub reasons: Vec<Sentence>,
    pub allowed_by: String,
    pub reach: String,
    pub status: String,
    /// Worked, waits, failed or refused: how the status is marked.
    pub mark: Mark,
    pub result: Option<Sentence>,
    pub before: String,
    pub after: String,
    pub check: String,
    pub undo: String,
    pub requests: Vec<String>,
}

/// How a status is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the description")]
pub enum Mark {
    Good,
    Waiting,
    Bad,
}

/// Why it could happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// `Exposed service`.
    pub category: String,
    /// What was seen.
    pub seen: Sentence,
    /// What would have prevented it.
    pub control: String,
}

/// What to do better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns' headings are their description")]
pub struct LessonRow {
    pub text: String,
    pub owner: String,
    pub due: String,
    pub effort: String,
    pub metric: String,
    /// No person wrote it: it follows from the causes.
    pub proposed: bool,
}

impl From<&Lesson> for LessonRow {
    fn from(lesson: &Lesson) -> Self {
        Self {
            text: lesson.text.clone(),
            owner: lesson.owner.clone(),
            due: lesson.due.to_string().chars().take(10).collect(),
            effort: lesson.effort.clone(),
            metric: lesson.metric.clone(),
            proposed: false,
        }
    }
}

/// Something to look for elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Indicator {
    /// `address`, `sha256`, `path`, `access key`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// Why it matters.
    pub why: Sentence,
}

/// One captured file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns' headings are their description")]
pub struct ArtifactRow {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub size: String,
    pub sha256: String,
    pub custody: String,
    pub evidence: Vec<usize>,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns' headings are their description")]
pub struct MeasureRow {
    pub name: String,
    pub definition: String,
    pub value: String,
    pub evidence: Vec<usize>,
}

/// What was seen, and what could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// How each node watched.
    pub nodes: Vec<Sentence>,
    /// What became of everything that was seen of each container.
    pub accounts: Vec<Sentence>,
    /// The same, as it was counted.
    pub statements: Vec<Statement>,
    /// What each node lost.
    pub losses: Vec<Sentence>,
    /// How many records were lost.
    pub lost: u64,
    /// Which audit logs were read.
    pub audit: Vec<AuditCoverage>,
    /// The same as sentences.
    pub audit_text: Vec<String>,
    /// What we could not see.
    pub unseen: Vec<String>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the sections' headings are their description")]
pub struct Document {
    pub case_id: CaseId,
    pub title: String,
    pub status: CaseStatus,
    pub severity: Severity,
    pub verdict: Verdict,
    pub confidence: u8,
    pub as_of: Moment,
    /// Everything or a part comes from a recorded run.
    pub replay: bool,
    pub summary: Summary,
    pub measures: Vec<MeasureRow>,
    pub timeline: Vec<TimelineRow>,
    pub timeline_omitted: u64,
    pub analysis: Vec<Tactic>,
    pub reasons_for: Vec<Sentence>,
    pub reasons_against: Vec<Sentence>,
    pub impact: Impact,
    pub response: Vec<PlanReport>,
    pub causes: Vec<Cause>,
    pub causes_unknown: Vec<String>,
    pub lessons: Vec<LessonRow>,
    pub logs: Vec<LogRow>,
    pub indicators: Vec<Indicator>,
    pub artifacts: Vec<ArtifactRow>,
    pub completeness: Completeness,
    pub queries: Vec<Query>,
    pub evidence: Vec<EvidenceRow>,
}

/// One audit entry as the provider wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogRow {
    /// `cloudtrail 8a1f0001`.
    pub name: String,
    /// The entry.
    pub original: String,
    /// Where it stands.
    pub evidence: Vec<usize>,
}

/// How somebody else finds the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Query {
    /// What it shows.
    pub shows: String,
    /// What is typed, in the folder of an exported bundle.
    pub command: String,
}

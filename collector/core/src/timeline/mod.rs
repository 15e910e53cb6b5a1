//! One line for each thing that happened, in order of time, from all planes. Takes node events, audit entries and the journal; gives lines that
//! say who, what and where it stands. Where the clocks cannot tell which of two came first, it says so.

mod powers;
mod reached;
mod words;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::custody::{Kind, Record};
use crate::model::{AuditEntry, AuditSource, Case, EvidenceRef, Moment, NodeEvent, Order};

pub use words::size;

/// Lines beyond this are left out unless a finding or an edge rests on them, and their number is said: people read it.
pub const MAX_LINES: usize = 300;

/// Where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the column")]
pub enum Plane {
    Node,
    Cloud,
    Cluster,
    Response,
}

impl std::fmt::Display for Plane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Node => "node",
            Self::Cloud => "cloud",
            Self::Cluster => "cluster",
            Self::Response => "response",
        })
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub time: Moment,
    /// Where.
    pub plane: Plane,
    /// Who.
    pub who: String,
    /// What, in our words.
    pub what: String,
    /// What, in the attacker's or the provider's own: a command, a path, a call; empty where there is none.
    pub quoted: String,
    /// What a rule made of it; empty where none did.
    pub finding: String,
    /// It may have happened before the line above: the clocks do not say.
    pub order_unknown: bool,
    /// Where it stands.
    pub evidence: EvidenceRef,
}

/// All lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// In order of time.
    pub lines: Vec<Line>,
    /// How many were left out.
    pub omitted: u64,
}

/// The timeline of a case.
pub fn build(case: &Case, events: &[NodeEvent], entries: &[AuditEntry], journal: &[Record]) -> Timeline {
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(events.iter().filter_map(|event| node_line(case, event)));
    lines.extend(entries.iter().map(|entry| audit_line(case, entry)));
    lines.extend(journal.iter().filter_map(journal_line));
    lines.sort_by(|one, other| sort_key(one).cmp(&sort_key(other)));
    lines.dedup_by(|one, other| one.evidence == other.evidence);
    let omitted = shorten(case, &mut lines);
    let mut before: Option<(Moment, EvidenceRef)> = None;
    for line in &mut lines {
        line.order_unknown = before.as_ref().is_some_and(|(time, evidence)| {
            time.compare(line.time) == Order::CannotTell && !is_ordered(evidence, &line.evidence)
        });
        before = Some((line.time, line.evidence.clone()));
    }
    Timeline { lines, omitted }
}

fn sort_key(line: &Line) -> (u64, &EvidenceRef) {
    (line.time.ns, &line.evidence)
}

/// Two lines of one log stand in its order, whatever the clock says.
fn is_ordered(one: &EvidenceRef, other: &EvidenceRef) -> bool {
    match (one, other) {
        (EvidenceRef::Event { log_id, .. }, EvidenceRef::Event { log_id: other, .. }) => log_id == other,
        (EvidenceRef::Journal { .. }, EvidenceRef::Journal { .. }) => true,
        _ => false,
    }
}

fn shorten(case: &Case, lines: &mut Vec<Line>) -> u64 {
    if lines.len() <= MAX_LINES {
        return 0;
    }
    let findings = case.findings.iter().flat_map(|finding| finding.evidence.iter());
    let edges = case.edges.iter().flat_map(|edge| edge.evidence.iter());
    let needed: BTreeSet<&EvidenceRef> = findings.chain(edges).collect();
    let is_needed = |line: &Line| needed.contains(&line.evidence) || line.plane == Plane::Response;
    let mut room = MAX_LINES.saturating_sub(lines.iter().filter(|line| is_needed(line)).count());
    let all = lines.len();
    lines.retain(|line| {
        let keep = is_needed(line) || room > 0;
        room -= usize::from(keep && !is_needed(line));
        keep
    });
    (all - lines.len()) as u64
}

fn finding_of(case: &Case, evidence: &EvidenceRef) -> String {
    let found = case.findings.iter().find(|finding| finding.evidence.first() == evidence);
    found.map(|finding| finding.title.clone()).unwrap_or_default()
}

fn node_line(case: &Case, event: &NodeEvent) -> Option<Line> {
    let (what, quoted) = words::event(event)?;
    let who = words::actor(event);
    let evidence = event.evidence();
    let finding = finding_of(case, &evidence);
    Some(Line { time: event.time, plane: Plane::Node, who, what, quoted, finding, order_unknown: false, evidence })
}

fn audit_line(case: &Case, entry: &AuditEntry) -> Line {
    let (plane, who) = match entry.source {
        AuditSource::Cloudtrail => (Plane::Cloud, words::cloud_caller(entry)),
        AuditSource::Kubernetes => (Plane::Cluster, words::cluster_caller(entry)),
    };
    let from = entry.source_address.map(|address| format!(" from {address}")).unwrap_or_default();
    let what = if entry.denied { format!("was refused a call{from}") } else { format!("made a call{from}") };
    let evidence = entry.evidence();
    let finding = finding_of(case, &evidence);
    Line { time: entry.time, plane, who, what, quoted: entry.action.clone(), finding, order_unknown: false, evidence }
}

fn journal_line(record: &Record) -> Option<Line> {
    let what = words::record(record)?;
    let who = if matches!(record.kind, Kind::Approval) {
        record.body.get("approver").and_then(|name| name.as_str()).unwrap_or(&record.actor).to_owned()
    } else {
        record.actor.clone()
    };
    Some(Line {
        time: record.time,
        plane: Plane::Response,
        who,
        what,
        quoted: String::new(),
        finding: String::new(),
        order_unknown: false,
        evidence: record.evidence(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_example_reads_like_this() {
        let input = example::input();
        let timeline = build(&input.case, &input.events, &input.entries, &input.journal);
        let text: Vec<String> = timeline
            .lines
            .iter()
            .map(|line| {
                let mark = if line.order_unknown { "?" } else { " " };
                format!("{mark}{} {} | {} | {} {}", line.time, line.plane, line.who, line.what, line.quoted)
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn a_log_keeps_its_own_order_and_two_clocks_say_what_they_cannot() {
        let input = example::input();
        let mut entries = input.entries.clone();
        entries[0].time = Moment { uncertainty_us: 500_000, ..input.events[3].time };
        let timeline = build(&input.case, &input.events, &entries, &[]);
        let unknown: Vec<bool> = timeline.lines.iter().map(|line| line.order_unknown).collect();
        assert!(unknown.iter().any(|unknown| *unknown));
        let within = build(&input.case, &input.events, &[], &[]);
        assert!(within.lines.iter().all(|line| !line.order_unknown));
    }

    #[test]
    fn what_a_finding_rests_on_is_never_left_out() {
        let input = example::input();
        let mut events = input.events.clone();
        for number in 0..600 {
            let mut event = input.events[2].clone();
            event.position = 10_000 + number;
            events.push(event);
        }
        let timeline = build(&input.case, &events, &input.entries, &input.journal);
        assert_eq!(timeline.lines.len(), MAX_LINES);
        assert!(timeline.omitted > 300);
        assert!(timeline.lines.iter().any(|line| line.finding == "Program runs from memory"));
    }
}

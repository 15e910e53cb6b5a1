//! The first page. Takes the finished body; gives at most 350 words without addresses, hashes and technique numbers. Each of its numbers is
//! counted in the body.

use std::collections::BTreeSet;

use super::document::{Count, Document, Impact, LessonRow, Mark, PlanReport, Summary, Tile};
use super::input::Input;
use super::narrate::date_and_time;
use crate::metrics::{Milestones, duration};
use crate::model::{Bridge, CaseStatus, EdgeState, Verdict};
use crate::playbook::Phase;

/// The page holds no more than this.
pub(super) const MAX_WORDS: usize = 350;

pub(super) fn write(
    input: &Input,
    milestones: &Milestones,
    impact: &Impact,
    response: &[PlanReport],
    lessons: &[LessonRow],
) -> Summary {
    Summary {
        verdict: verdict(input),
        tiles: tiles(impact, response),
        worst: worst(input, impact),
        done: done(input, milestones),
        decisions: decisions(response, lessons),
    }
}

/// What a number of the first page is in the body.
pub(super) fn count(counts: Count, impact: &Impact, response: &[PlanReport]) -> u64 {
    let length = match counts {
        Count::Systems => impact.systems.len(),
        Count::Identities => impact.identities.len(),
        Count::CallsWithStolenIdentities => impact.calls.len(),
        Count::ActionsVerified => {
            let contain = Phase::Contain.to_string();
            let steps = response.iter().flat_map(|plan| &plan.steps);
            steps.filter(|step| step.phase == contain && step.mark == Mark::Good).count()
        }
    };
    length as u64
}

fn tiles(impact: &Impact, response: &[PlanReport]) -> Vec<Tile> {
    let refused = impact.calls.iter().filter(|call| call.text.contains(" was refused")).count();
    let reachable = impact.connections.iter().filter(|connection| connection.kind == "reachable").count();
    let tile = |counts, label: &str, note: String| Tile {
        counts,
        value: count(counts, impact, response),
        label: label.to_owned(),
        note,
    };
    let could =
        if reachable == 0 { "further reach not modelled".to_owned() } else { format!("{reachable} more within reach") };
    vec![
        tile(Count::Systems, "systems touched", could),
        tile(Count::Identities, "identities involved", "sessions, keys, accounts".to_owned()),
        tile(Count::CallsWithStolenIdentities, "audited calls", format!("{refused} of them refused")),
        tile(Count::ActionsVerified, "containment actions", "each seen to work".to_owned()),
    ]
}

fn tactics(input: &Input) -> BTreeSet<&str> {
    input.case.findings.iter().flat_map(|finding| finding.tactics.iter().map(String::as_str)).collect()
}

fn verdict(input: &Input) -> String {
    let sure = match input.case.verdict {
        Verdict::TruePositive => "An attacker",
        Verdict::Suspicious => "Somebody, probably an attacker,",
        Verdict::Benign => return "What was seen is explained by ordinary work; no attack was found.".to_owned(),
        Verdict::InsufficientData => {
            return "What was seen is not enough to say whether this was an attack.".to_owned();
        }
    };
    let tactics = tactics(input);
    let joined =
        |bridge: Bridge| input.case.edges.iter().any(|edge| edge.bridge == bridge && edge.state == EdgeState::Joined);
    let way_in = if tactics.contains("initial-access") {
        "made a service that faces the network run a command"
    } else {
        "ran a program in one of our workloads that does not belong there"
    };
    let mut then: Vec<&str> = Vec::new();
    if tactics.contains("credential-access") {
        then.push("took credentials from the workload");
    }
    if joined(Bridge::B1) || joined(Bridge::B6) || joined(Bridge::B4) {
        then.push("used them from elsewhere");
    }
    if tactics.contains("persistence") {
        then.push("prepared a way to come back");
    }
    let first = format!("{sure} {way_in} inside a container.");
    match then.as_slice() {
        [] => first,
        [only] => format!("{first} They {only}."),
        [before @ .., last] => format!("{first} They {} and {last}.", before.join(", ")),
    }
}

fn worst(input: &Input, impact: &Impact) -> String {
    let reachable = impact.connections.iter().filter(|connection| connection.kind == "reachable").count();
    let bound = "What the stolen identities were allowed to do bounds the damage";
    if reachable == 0 {
        return format!(
            "{bound}; their permissions were not read, so the worst case is not known and must not be taken for small."
        );
    }
    let cut =
        impact.connections.iter().filter(|connection| connection.kind == "reachable" && !connection.cut_by.is_empty());
    let things = if reachable == 1 { "one more thing was".to_owned() } else { format!("{reachable} more things were") };
    let cut = cut.count();
    let stopped = match (cut, input.case.status) {
        (0, _) => "that way is not cut off yet",
        (all, _) if all == reachable => "that way is cut off now, and its use was not seen",
        _ => "a part of that is cut off now",
    };
    format!(
        "{bound}: from what they held, {things} within reach; {stopped}. Planes that were not modelled are listed beside the drawing."
    )
}

fn done(input: &Input, milestones: &Milestones) -> Vec<String> {
    let case = &input.case;
    let after = |from: crate::model::Moment, to: crate::model::Moment| duration(to.ns.saturating_sub(from.ns));
    let mut done = vec![format!(
        "Detected on {}, {} after the first activity.",
        date_and_time(case.detected),
        after(case.first_activity, case.detected)
    )];
    done.push(match &milestones.contained {
        Some((when, _)) => format!(
            "Contained and seen to be contained on {}, {} after detection.",
            date_and_time(*when),
            after(case.detected, *when)
        ),
        None => "Not contained yet: not every containment step was seen to work.".to_owned(),
    });
    done.push(match (&milestones.recovered, case.status) {
        (Some((when, _)), _) => format!("Closed on {}.", date_and_time(*when)),
        (None, CaseStatus::Resolved) => "Resolved.".to_owned(),
        (None, _) => "Recovery has not begun: the workload still has to be replaced by a fixed one.".to_owned(),
    });
    done
}

fn decisions(response: &[PlanReport], lessons: &[LessonRow]) -> Vec<String> {
    let mut decisions = Vec::new();
    let waiting = response
        .iter()
        .flat_map(|plan| &plan.steps)
        .filter(|step| step.mark == Mark::Waiting && step.status.starts_with("waits"));
    let waiting: Vec<&str> = waiting.map(|step| step.title.as_str()).collect();
    if !waiting.is_empty() {
        decisions.push(format!("Approve or deny: {}.", waiting.join("; ").to_lowercase()));
    }
    let unowned = lessons.iter().filter(|lesson| lesson.owner == "to be named");
    let (count, first) = (unowned.clone().count(), unowned.map(|lesson| lesson.due.clone()).min());
    if let Some(first) = first {
        decisions.push(format!("Name an owner for each of {count} preventive controls; the first is due on {first}."));
    }
    decisions.push(
        "Decide whether this has to be reported to an authority or a customer, and note when that was decided."
            .to_owned(),
    );
    decisions.truncate(3);
    decisions
}

/// Every text of the page, for counting and checking.
pub(super) fn texts(document: &Document) -> Vec<&str> {
    let summary = &document.summary;
    let mut texts = vec![summary.verdict.as_str(), summary.worst.as_str()];
    texts.extend(summary.tiles.iter().flat_map(|tile| [tile.label.as_str(), tile.note.as_str()]));
    texts.extend(summary.done.iter().chain(&summary.decisions).map(String::as_str));
    texts
}

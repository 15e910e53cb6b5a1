//! How fast it went. Takes the case, the journal and the outcomes; gives each measure with the two moments that it is between, or why it cannot
//! be said. Counts nothing as contained that was not seen to be.

use serde::Serialize;

use crate::custody::{Kind, Record, Recorded};
use crate::model::{Case, EvidenceRef, Moment};
use crate::playbook::{Mode, Outcome, Phase, Plan, Status, registry};

/// One measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// `MTTI`.
    pub name: &'static str,
    /// What it is.
    pub definition: &'static str,
    /// From when to when; absent where one of the two has not happened or is not known.
    pub between: Option<(Moment, Moment)>,
    /// Why it cannot be said; empty where it can.
    pub unknown: String,
    /// What the second moment rests on.
    pub evidence: Vec<EvidenceRef>,
}

impl Measure {
    /// The time between, in nanoseconds; `None` where it is not known.
    pub fn nanoseconds(&self) -> Option<u64> {
        self.between.map(|(from, to)| to.ns.saturating_sub(from.ns))
    }
}

/// When something happened for the response, and where that stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Milestones {
    /// Somebody took the case or answered a plan.
    pub acknowledged: Option<(Moment, EvidenceRef)>,
    /// Every contain step that may run was seen to work.
    pub contained: Option<(Moment, EvidenceRef)>,
    /// The case was closed.
    pub recovered: Option<(Moment, EvidenceRef)>,
    /// A plan was first proposed.
    pub proposed: Option<(Moment, EvidenceRef)>,
    /// A plan was first approved.
    pub approved: Option<(Moment, EvidenceRef)>,
}

/// What happened when.
pub fn milestones(plans: &[Recorded<Plan>], outcomes: &[Recorded<Outcome>], journal: &[Record]) -> Milestones {
    let first = |kinds: &[Kind]| {
        let found = journal.iter().find(|record| kinds.contains(&record.kind));
        found.map(|record| (record.time, record.evidence()))
    };
    Milestones {
        acknowledged: first(&[Kind::Acknowledged, Kind::Approval]),
        contained: contained(plans, outcomes),
        recovered: first(&[Kind::CaseClosed]),
        proposed: first(&[Kind::PlanProposed]),
        approved: first(&[Kind::Approval]),
    }
}

/// The measures, in the order in which they are read.
pub fn measure(case: &Case, milestones: &Milestones) -> Vec<Measure> {
    let since = |name, definition, from: Moment, to: &Option<(Moment, EvidenceRef)>, unknown: &str| Measure {
        name,
        definition,
        between: to.as_ref().map(|(to, _)| (from, *to)),
        unknown: if to.is_some() { String::new() } else { unknown.to_owned() },
        evidence: to.iter().map(|(_, evidence)| evidence.clone()).collect(),
    };
    let not_contained = "not every containment step was seen to work yet";
    let (first, detected) = (case.first_activity, case.detected);
    let identified = Measure {
        name: "MTTI",
        definition: "first attacker activity to detection",
        between: Some((first, detected)),
        unknown: String::new(),
        evidence: case.findings.first().map(|finding| finding.evidence.first().clone()).into_iter().collect(),
    };
    vec![
        identified,
        since("MTTA", "detection to the first person", detected, &milestones.acknowledged, "nobody took the case yet"),
        since("MTTC", "detection to verified containment", detected, &milestones.contained, not_contained),
        since(
            "Dwell time",
            "first attacker activity to verified containment",
            first,
            &milestones.contained,
            not_contained,
        ),
        since("MTTR", "detection to recovery", detected, &milestones.recovered, "the case is not closed yet"),
        since(
            "Approval latency",
            "plan proposed to plan approved",
            milestones.proposed.as_ref().map_or(detected, |(moment, _)| *moment),
            &milestones.approved,
            "no plan was approved",
        ),
    ]
}

/// The moment when the last of the newest responding plan's contain steps was seen to work; `None` while one that may run was not.
fn contained(plans: &[Recorded<Plan>], outcomes: &[Recorded<Outcome>]) -> Option<(Moment, EvidenceRef)> {
    let responds = |plan: &&Recorded<Plan>| matches!(plan.value.purpose, crate::playbook::Purpose::Respond { .. });
    let plan = &plans.iter().rev().find(responds)?.value;
    let contain =
        |step: &&crate::playbook::Step| step.phase == Phase::Contain && !matches!(step.mode, Mode::Refused { .. });
    let mut last: Option<(Moment, EvidenceRef)> = None;
    for step in plan.steps.iter().filter(contain) {
        let worked = outcomes.iter().find(|outcome| {
            let value = &outcome.value;
            let contains = registry::definition(value.action.name()).is_some_and(|found| found.phase == Phase::Contain);
            let seen = matches!(value.status, Status::Done | Status::Already);
            contains && seen && value.action.name() == step.action.name() && value.target == step.target
        })?;
        let finished = (worked.value.finished, worked.evidence.clone());
        last = Some(last.map_or(finished.clone(), |last| if last.0.ns >= finished.0.ns { last } else { finished }));
    }
    last
}

/// `41 µs`, `62 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0 if nanoseconds < 1_000_000 => format!("{} µs", nanoseconds / 1_000),
        0 => format!("{} ms", nanoseconds / 1_000_000),
        1..10 => format!("{:.1} s", nanoseconds as f64 / 1e9),
        10..60 => format!("{seconds} s"),
        60..3_600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        3_600..86_400 if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn said(input: &crate::report::Input) -> Vec<String> {
        let milestones = milestones(&input.plans, &input.outcomes, &input.journal);
        let measures = measure(&input.case, &milestones);
        let text = |measure: &Measure| measure.nanoseconds().map_or(measure.unknown.clone(), duration);
        measures.iter().map(|measure| format!("{}: {}", measure.name, text(measure))).collect()
    }

    #[test]
    fn the_example_took_this_long() {
        let expected = [
            "MTTI: 672 ms",
            "MTTA: 2 min 28 s",
            "MTTC: 3 min 40 s",
            "Dwell time: 3 min 40 s",
            "MTTR: the case is not closed yet",
            "Approval latency: 3 min 38 s",
        ];
        assert_eq!(said(&example::input()), expected);
    }

    #[test]
    fn a_call_that_succeeded_but_was_not_seen_to_work_is_no_containment() {
        let mut input = example::input();
        input.outcomes[1].value.status = Status::Unverified;
        assert_eq!(said(&input)[2], "MTTC: not every containment step was seen to work yet");
    }
}

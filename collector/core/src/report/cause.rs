//! Why it could happen and what to do about it. Takes the techniques of the findings; gives causes with the control that would have prevented
//! each, lessons, and what is not known. Never guesses: a cause rests on the finding that shows it.

use super::cite::Evidence;
use super::document::{Cause, LessonRow};
use super::input::Input;
use super::narrate::date;
use crate::model::{Bridge, Moment};

/// What a technique says about what was missing.
struct Known {
    technique: &'static str,
    category: &'static str,
    control: &'static str,
    effort: &'static str,
    metric: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        technique: "T1190",
        category: "Exposed service",
        control: "Fix or filter the service that ran the attacker's command, and give the image no shell and no download tools",
        effort: "days",
        metric: "shells started by the service in production: 0",
    },
    Known {
        technique: "T1552.005",
        category: "Credentials within reach",
        control: "Require session tokens of the instance metadata service with a hop limit of 1, so that a container cannot ask for the machine's role",
        effort: "hours",
        metric: "machines that answer a container's metadata request: 0",
    },
    Known {
        technique: "T1528",
        category: "Credentials within reach",
        control: "Mount no service account token into workloads that do not call the cluster's API",
        effort: "hours",
        metric: "pods with a mounted token that never call the API: 0",
    },
    Known {
        technique: "T1105",
        category: "Writable and executable file system",
        control: "Run the workload with a read-only root file system and mount its scratch space noexec; allow outgoing connections by list",
        effort: "days",
        metric: "programs run that are not in their image: 0",
    },
    Known {
        technique: "T1620",
        category: "Programs may run from memory",
        control: "Have every node stop programs that run from memory, for every workload, and not only report them",
        effort: "hours",
        metric: "programs run from memory and not stopped: 0",
    },
    Known {
        technique: "T1098",
        category: "Role with more rights than it needs",
        control: "Take the right to create access keys from the workload's role, and forbid it by a permissions boundary",
        effort: "hours",
        metric: "workload roles that may create credentials: 0",
    },
    Known {
        technique: "T1609",
        category: "Interactive access to workloads",
        control: "Allow exec into pods only by a time-limited role that somebody else grants",
        effort: "days",
        metric: "exec sessions without a grant: 0",
    },
];

/// The causes that findings show, and what is not known.
pub(super) fn causes(input: &Input, evidence: &mut Evidence) -> (Vec<Cause>, Vec<String>) {
    let mut causes: Vec<Cause> = Vec::new();
    for known in KNOWN {
        let fits = |technique: &String| {
            technique == known.technique
                || technique.strip_prefix(known.technique).is_some_and(|rest| rest.starts_with('.'))
        };
        let shown = input.case.findings.iter().find(|finding| finding.techniques.iter().any(fits));
        let Some(finding) = shown else { continue };
        let seen = evidence.say(format!("{}.", finding.title), &finding.evidence);
        causes.push(Cause { category: known.category.to_owned(), seen, control: known.control.to_owned() });
    }
    let mut unknown = Vec::new();
    if causes.is_empty() {
        unknown.push("The way in is not known: no finding shows it.".to_owned());
    }
    unknown.push(
        "Which commit, build and owner the image comes from is not known: no build records are connected.".to_owned(),
    );
    if input.case.edges.iter().any(|edge| edge.bridge == Bridge::B1) {
        unknown.push(
            "Whether other workloads on the same machine ever asked for the same role before is not examined."
                .to_owned(),
        );
    }
    (causes, unknown)
}

/// What people wrote, or else one lesson for each cause, with the owner still to be named.
pub(super) fn lessons(input: &Input, causes: &[Cause]) -> Vec<LessonRow> {
    if !input.lessons.is_empty() {
        return input.lessons.iter().map(LessonRow::from).collect();
    }
    let row = |known: &Known| {
        let days = if known.effort == "hours" { 7 } else { 30 };
        let due = Moment::exact(input.now.ns.saturating_add(days * 86_400 * 1_000_000_000));
        LessonRow {
            text: known.control.to_owned(),
            owner: "to be named".to_owned(),
            due: date(due),
            effort: known.effort.to_owned(),
            metric: known.metric.to_owned(),
            proposed: true,
        }
    };
    KNOWN.iter().filter(|known| causes.iter().any(|cause| cause.control == known.control)).map(row).collect()
}

//! What we did. Takes plans, approvals and outcomes; gives each step with who allowed it, the state before and after, what the check saw and
//! whether it was taken back. A step that did not run says why.

use serde_json::Value;

use super::cite::{Evidence, visible};
use super::document::{Mark, PlanReport, Sentence, StepReport};
use super::input::Input;
use super::narrate::{clock, date_and_time, short};
use crate::custody::Recorded;
use crate::model::Moment;
use crate::playbook::{Decision, Mode, Outcome, Plan, Purpose, Status, Step, Undo};

/// Every plan, oldest first.
pub(super) fn plans(input: &Input, evidence: &mut Evidence) -> Vec<PlanReport> {
    input.plans.iter().map(|plan| report(input, plan, evidence)).collect()
}

fn report(input: &Input, recorded: &Recorded<Plan>, evidence: &mut Evidence) -> PlanReport {
    let plan = &recorded.value;
    let title = match &plan.purpose {
        Purpose::Respond { playbook, version, .. } => format!("Playbook {playbook} {version}"),
        Purpose::Undo { digest } => format!("Undo of plan {}", short(digest)),
    };
    let proposed = format!("Proposed on {} with {} steps.", date_and_time(plan.created), plan.steps.len());
    let said = input.approvals.iter().filter(|approval| approval.value.plan_digest == plan.digest);
    let approvals: Vec<Sentence> = said
        .map(|approval| {
            let verb = if approval.value.decision == Decision::Approve { "approved" } else { "denied" };
            let text = format!(
                "{} {verb} exactly this digest on {}.",
                approval.value.approver,
                date_and_time(approval.value.given)
            );
            evidence.say_one(text, &approval.evidence)
        })
        .collect();
    PlanReport {
        title: visible(&title),
        digest: plan.digest.clone(),
        proposed: evidence.say_one(proposed, &recorded.evidence),
        approvals,
        steps: plan.steps.iter().map(|step| step_report(input, plan, step, evidence)).collect(),
    }
}

fn step_report(input: &Input, plan: &Plan, step: &Step, evidence: &mut Evidence) -> StepReport {
    let is_its =
        |recorded: &&Recorded<Outcome>| recorded.value.plan_digest == plan.digest && recorded.value.step_id == step.id;
    let outcome = input.outcomes.iter().rev().find(is_its);
    let undone = outcome.and_then(|outcome| undone(input, &outcome.value));
    let (status, mark) = status(step, outcome.map(|outcome| &outcome.value), undone.is_some(), input.now);
    let result = outcome.map(|recorded| evidence.say_one(result(&recorded.value), &recorded.evidence));
    let value = outcome.map(|outcome| &outcome.value);
    StepReport {
        id: step.id.clone(),
        title: step.action.title().to_owned(),
        action: step.action.name().to_owned(),
        target: visible(&step.target.to_string()),
        phase: step.phase.to_string(),
        reasons: step.reasons.iter().map(|claim| evidence.cite(claim)).collect(),
        allowed_by: allowed_by(input, plan, step),
        reach: visible(&step.reach),
        status,
        mark,
        result,
        before: value.map(|value| state(&value.before)).unwrap_or_default(),
        after: value.map(|value| state(&value.after)).unwrap_or_default(),
        check: value.map_or_else(|| step.check.clone(), |value| visible(&value.verified)),
        undo: undo(step, undone),
        requests: value.map(|value| value.request_ids.iter().map(|id| visible(id)).collect()).unwrap_or_default(),
    }
}

fn result(outcome: &Outcome) -> String {
    let took = crate::metrics::duration(outcome.finished.ns.saturating_sub(outcome.started.ns));
    let error = if outcome.error.is_empty() { String::new() } else { format!(": {}", outcome.error) };
    format!(
        "{} at {}, after {took}{error}.",
        super::narrate::capital(&outcome.status.to_string()),
        clock(outcome.finished)
    )
}

fn status(step: &Step, outcome: Option<&Outcome>, is_undone: bool, now: Moment) -> (String, Mark) {
    match (outcome, &step.mode) {
        (Some(_), _) if is_undone => ("taken back".to_owned(), Mark::Waiting),
        (Some(outcome), _) => {
            let mark = match outcome.status {
                Status::Done | Status::Already => Mark::Good,
                Status::Unverified | Status::Skipped => Mark::Waiting,
                Status::Failed | Status::Refused => Mark::Bad,
            };
            (outcome.status.to_string(), mark)
        }
        (None, Mode::Auto { .. }) => ("not run yet".to_owned(), Mark::Waiting),
        (None, Mode::NeedsApproval { expires, .. }) if now.ns > expires.ns => {
            ("not approved in time: nothing was done".to_owned(), Mark::Bad)
        }
        (None, Mode::NeedsApproval { expires, .. }) => {
            (format!("waits for approval until {}", date_and_time(*expires)), Mark::Waiting)
        }
        (None, Mode::Refused { because }) => (format!("refused by a guard: {because}"), Mark::Bad),
    }
}

fn allowed_by(input: &Input, plan: &Plan, step: &Step) -> String {
    match &step.mode {
        Mode::Auto { because } => format!("nobody had to be asked: {because}"),
        Mode::Refused { .. } => "nobody may".to_owned(),
        Mode::NeedsApproval { because, .. } => {
            let yes = input.approvals.iter().filter(|approval| {
                approval.value.plan_digest == plan.digest && approval.value.decision == Decision::Approve
            });
            let names: Vec<String> = yes.map(|approval| visible(&approval.value.approver)).collect();
            if names.is_empty() { format!("a person has to: {because}") } else { names.join(", ") }
        }
    }
}

/// When the step's effect was taken back, if it was.
fn undone(input: &Input, outcome: &Outcome) -> Option<Moment> {
    let undoing = input
        .plans
        .iter()
        .filter(|plan| matches!(&plan.value.purpose, Purpose::Undo { digest } if *digest == outcome.plan_digest));
    let digests: Vec<&str> = undoing.map(|plan| plan.value.digest.as_str()).collect();
    let id = format!("undo/{}", outcome.step_id);
    let found = input.outcomes.iter().map(|recorded| &recorded.value).find(|other| {
        let worked = matches!(other.status, Status::Done | Status::Already);
        digests.contains(&other.plan_digest.as_str()) && other.step_id == id && worked
    });
    found.map(|other| other.finished)
}

fn undo(step: &Step, undone: Option<Moment>) -> String {
    match (&step.undo, undone) {
        (_, Some(when)) => format!("taken back on {}", date_and_time(when)),
        (Undo::By { action, cost }, None) => {
            let expiry = step.ttl_seconds.map(|seconds| {
                format!(" Ends by itself after {}.", crate::metrics::duration(u64::from(seconds) * 1_000_000_000))
            });
            format!("possible by {action}: {cost}.{}", expiry.unwrap_or_default())
        }
        (Undo::Irreversible { reason }, None) => format!("not needed or not possible: {reason}"),
    }
}

fn state(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Object(fields) => {
            let mut parts: Vec<String> = fields
                .iter()
                .map(|(key, value)| {
                    format!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                })
                .collect();
            parts.sort();
            visible(&parts.join(", ").replace("null", "none"))
        }
        other => visible(&other.to_string()),
    }
}

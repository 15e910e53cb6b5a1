//! Taking back what a plan did. Takes the plan's outcomes with the state that each replaced; gives a plan of its own, in reverse order, that
//! needs an approval like any other: to give access back is as grave as to take it.

use serde_json::Value;

use super::action::{Action, Phase};
use super::outcome::{Outcome, Status};
use super::plan::{Mode, OnFailure, Plan, Purpose, RefusedBecause, Step};
use super::planner;
use super::registry;
use crate::canonical;
use crate::custody::Recorded;
use crate::model::{Case, Claim, Moment, NonEmpty};

/// How long the question of an undo stands.
const EXPIRES_SECONDS: u64 = 1_800;
/// An undo that takes longer has failed.
const TIMEOUT_SECONDS: u32 = 60;

/// The plan that takes back `outcomes` of `plan`, newest first. What changed nothing (`Already`, `Failed`, …) or only added evidence is not
/// in it; what cannot be taken back because the prior state is not known stays in it, refused.
pub fn undo_plan(case: &Case, plan: &Plan, outcomes: &[Recorded<Outcome>], now: Moment) -> Plan {
    let mut steps: Vec<Step> = Vec::new();
    for recorded in outcomes.iter().rev() {
        let outcome = &recorded.value;
        let changed = matches!(outcome.status, Status::Done | Status::Unverified);
        if outcome.plan_digest != plan.digest || !changed {
            continue;
        }
        let step = inverse(outcome).map(|inverse| step(case, plan, recorded, inverse, &steps, now));
        steps.extend(step);
    }
    Plan::sealed(case.id.clone(), Purpose::Undo { digest: plan.digest.clone() }, now, steps)
}

/// The undoing action, or why it cannot be built. `None`: there is nothing to take back.
fn inverse(outcome: &Outcome) -> Option<Result<Action, RefusedBecause>> {
    let text = |key: &str| outcome.before.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let unknown = |what: &str| RefusedBecause::Unknown { what: what.to_owned(), target: outcome.target.to_string() };
    match &outcome.action {
        Action::NetQuarantine { node, container_id, cgroup_id, .. } => Some(Ok(Action::NetRelease {
            node: node.clone(),
            container_id: container_id.clone(),
            cgroup_id: *cgroup_id,
        })),
        Action::KeyDeactivate { key_id, user } => Some(
            text("status")
                .zip(text("user").or_else(|| user.clone()))
                .ok_or_else(|| unknown("the status before"))
                .map(|(status, user)| Action::KeyRestore { key_id: key_id.clone(), user, status }),
        ),
        Action::SessionRevoke { role, account, policy, .. } => {
            let document = match outcome.before.get("document") {
                Some(Value::Null) => None,
                Some(Value::String(document)) => Some(document.clone()),
                _ => return Some(Err(unknown("the policy before"))),
            };
            let (role, account, policy) = (role.clone(), account.clone(), policy.clone());
            Some(Ok(Action::SessionAllow { role, account, policy, document }))
        }
        Action::EvidenceSeal { .. }
        | Action::NetRelease { .. }
        | Action::KeyRestore { .. }
        | Action::SessionAllow { .. } => None,
    }
}

fn step(
    case: &Case,
    plan: &Plan,
    recorded: &Recorded<Outcome>,
    inverse: Result<Action, RefusedBecause>,
    before: &[Step],
    now: Moment,
) -> Step {
    let outcome = &recorded.value;
    let expires = Moment { ns: now.ns.saturating_add(EXPIRES_SECONDS * 1_000_000_000), ..now };
    let (action, mode) = match inverse {
        Ok(action) => {
            let because = "an undo gives access back: a person says so".to_owned();
            (action, Mode::NeedsApproval { because, expires })
        }
        Err(because) => (outcome.action.clone(), Mode::Refused { because }),
    };
    let definition = registry::definition(action.name()).expect("every action stands in the registry");
    let last = before.iter().rev().find(|step| !matches!(step.mode, Mode::Refused { .. }));
    let needs = last.map(|step| step.id.clone()).into_iter().collect();
    let reason =
        format!("Step {} of plan {} changed this at {}.", outcome.step_id, short(&plan.digest), outcome.finished);
    Step {
        id: format!("undo/{}", outcome.step_id),
        phase: Phase::Recover,
        target: outcome.target.clone(),
        needs,
        mode,
        reasons: NonEmpty::one(Claim::new(reason, NonEmpty::one(recorded.evidence.clone()))),
        reach: action.reach(),
        undo: planner::undo(definition),
        check: definition.check_sentence.to_owned(),
        permissions: definition.permissions.iter().map(|name| (*name).to_owned()).collect(),
        timeout_seconds: TIMEOUT_SECONDS,
        ttl_seconds: None,
        on_failure: OnFailure::Continue,
        idempotency_key: canonical::digest(&(&case.id, &plan.digest, &outcome.step_id, &action)),
        action,
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

//! The one interpreter of approved plans. Takes an [`Approved`] plan and a provider's hands; gives an outcome for each permitted step: the
//! state before, what was done, what one saw afterwards. Decides nothing. Each step is announced in the journal before it is tried
//! and answered there afterwards, so that a crash in between is seen and the step is finished on the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use collector_core::custody::Kind;
use collector_core::model::{CaseId, Moment};
use collector_core::playbook::{Approved, OnFailure, Outcome, Plan, Purpose, Status, Step};
use serde_json::{Value, json};

use super::ledger::{Ledger, LedgerError};
use crate::clock::Clock;
use crate::connect::contain::{Applied, Before, Contain, ContainError, Context, Seen};

/// A provider may take a moment until it says what it was told (IAM is eventually consistent): the check is repeated this often.
const LOOKS: u32 = 5;
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(400);
/// An order that is not taken within its own timeout is not taken later either.
const ORDER_SLACK_NS: u64 = 1_000_000_000;

/// The hands of all configured providers.
#[derive(Clone, Default)]
pub struct Hands {
    providers: Vec<Arc<dyn Contain>>,
}

impl Hands {
    /// Adds a provider.
    #[must_use]
    pub fn with(mut self, provider: impl Contain + 'static) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    fn of(&self, step: &Step) -> Result<&dyn Contain, ContainError> {
        let found = self.providers.iter().find(|provider| provider.does(&step.action));
        found.map(AsRef::as_ref).ok_or_else(|| ContainError::NotConfigured {
            action: step.id.clone(),
            advice: "for AWS set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for `mayfly serve`".to_owned(),
        })
    }
}

/// What a run needs.
pub struct Executor<'a> {
    /// Who does it.
    pub hands: &'a Hands,
    /// Where it is written down.
    pub ledger: &'a Ledger,
    /// What time it is.
    pub clock: &'a Clock,
}

impl Executor<'_> {
    /// Runs the permitted steps in order. Steps that were done before (same idempotency key) are not done again and give no outcome.
    pub async fn run(&self, plan: &Approved<Plan>) -> Result<Vec<Outcome>, LedgerError> {
        let case = &plan.plan().case_id;
        let mut done = self.ledger.done_keys(case).await?;
        let by_id: BTreeMap<&str, &Step> = plan.plan().steps.iter().map(|step| (step.id.as_str(), step)).collect();
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut stopped: Option<String> = None;
        for step in plan.steps() {
            if done.contains(&step.idempotency_key) {
                continue;
            }
            let missing = waits_for(step, &by_id, &done);
            let outcome = match (&stopped, missing) {
                (Some(why), _) => self.skipped(plan.plan(), step, why),
                (None, Some(needed)) => {
                    self.skipped(plan.plan(), step, &format!("it needs {needed}, which is not done"))
                }
                (None, None) => self.step(plan, step).await?,
            };
            self.ledger.outcome(case, &outcome, kind_of(plan.plan(), &outcome)).await?;
            if matches!(outcome.status, Status::Done | Status::Already) {
                done.insert(step.idempotency_key.clone());
            } else if stopped.is_none() && step.on_failure != OnFailure::Continue {
                stopped = Some(format!("{} {}", step.id, outcome.status));
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn step(&self, plan: &Approved<Plan>, step: &Step) -> Result<Outcome, LedgerError> {
        let started = self.clock.now();
        let limit = Duration::from_secs(u64::from(step.timeout_seconds));
        let mut outcome = Self::blank(plan.plan(), step, started);
        let attempt = self.attempt(plan, step, &mut outcome);
        let ended = match tokio::time::timeout(limit, attempt).await {
            Ok(ended) => ended,
            Err(_) => Ok(Err(ContainError::TooLate { seconds: step.timeout_seconds })),
        };
        if let Err(error) = ended? {
            outcome.status = match error {
                ContainError::NotConfigured { .. } | ContainError::Gone { .. } => Status::Refused,
                _ => Status::Failed,
            };
            outcome.error = error.to_string();
        }
        outcome.finished = self.clock.now();
        Ok(outcome)
    }

    /// Outer error: the journal cannot be written, so nothing may be done. Inner error: the provider's.
    async fn attempt(
        &self,
        plan: &Approved<Plan>,
        step: &Step,
        outcome: &mut Outcome,
    ) -> Result<Result<(), ContainError>, LedgerError> {
        let case = &plan.plan().case_id;
        let hands = match self.hands.of(step) {
            Ok(hands) => hands,
            Err(error) => return Ok(Err(error)),
        };
        let before = match hands.read(&step.action).await {
            Ok(before) => before,
            Err(error) => return Ok(Err(error)),
        };
        // An attempt that a crash interrupted knows better what was there before us.
        let begun = self.ledger.begun(case, &step.idempotency_key);
        outcome.before = begun.clone().unwrap_or_else(|| before.state.clone());
        if before.already && begun.is_none() {
            outcome.status = Status::Already;
            outcome.after = before.state;
            "the state asked for was there before".clone_into(&mut outcome.verified);
            return Ok(Ok(()));
        }
        let context = self.context(plan.plan(), step);
        self.ledger.starting(case, &announcement(plan, step, &outcome.before), &starter(plan))?;
        let applied =
            if before.already { Ok(Applied::default()) } else { hands.apply(&step.action, &before, &context).await };
        Ok(match applied {
            Ok(applied) => {
                outcome.request_ids.clone_from(&applied.request_ids);
                look(hands, step, &applied).await.map(|seen| take(outcome, seen))
            }
            Err(error) => Err(error),
        })
    }

    fn context(&self, plan: &Plan, step: &Step) -> Context {
        let patience = u64::from(step.timeout_seconds) * 1_000_000_000 + ORDER_SLACK_NS;
        Context {
            case_id: plan.case_id.0.clone(),
            plan_digest: plan.digest.clone(),
            idempotency_key: step.idempotency_key.clone(),
            not_after_ns: self.clock.now().ns.saturating_add(patience),
        }
    }

    fn blank(plan: &Plan, step: &Step, started: Moment) -> Outcome {
        Outcome {
            plan_digest: plan.digest.clone(),
            step_id: step.id.clone(),
            action: step.action.clone(),
            target: step.target.clone(),
            status: Status::Failed,
            request_ids: Vec::new(),
            before: Value::Null,
            after: Value::Null,
            verified: String::new(),
            started,
            finished: started,
            error: String::new(),
        }
    }

    fn skipped(&self, plan: &Plan, step: &Step, why: &str) -> Outcome {
        let mut outcome = Self::blank(plan, step, self.clock.now());
        outcome.status = Status::Skipped;
        why.clone_into(&mut outcome.error);
        outcome
    }
}

/// The first step that must be done before this one and is not.
fn waits_for<'a>(step: &'a Step, by_id: &BTreeMap<&str, &Step>, done: &BTreeSet<String>) -> Option<&'a str> {
    step.needs
        .iter()
        .find(|needed| by_id.get(needed.as_str()).is_none_or(|needed| !done.contains(&needed.idempotency_key)))
        .map(String::as_str)
}

async fn look(hands: &dyn Contain, step: &Step, applied: &Applied) -> Result<Seen, ContainError> {
    let mut seen = hands.verify(&step.action, applied).await?;
    for _ in 1..LOOKS {
        if seen.holds {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        seen = hands.verify(&step.action, applied).await?;
    }
    Ok(seen)
}

fn take(outcome: &mut Outcome, seen: Seen) {
    outcome.status = if seen.holds { Status::Done } else { Status::Unverified };
    outcome.after = seen.after;
    outcome.verified = seen.what;
}

fn kind_of(plan: &Plan, outcome: &Outcome) -> Kind {
    match (&plan.purpose, outcome.status) {
        (_, Status::Failed | Status::Refused | Status::Skipped | Status::Unverified) => Kind::ActionFailed,
        (Purpose::Undo { .. }, _) => Kind::Undone,
        (Purpose::Respond { .. }, _) => Kind::ActionDone,
    }
}

fn announcement(plan: &Approved<Plan>, step: &Step, before: &Value) -> Value {
    json!({
        "plan_digest": plan.plan().digest,
        "step": step.id,
        "action": step.action,
        "idempotency_key": step.idempotency_key,
        "approvers": plan.approvers(),
        "before": before,
    })
}

fn starter(plan: &Approved<Plan>) -> String {
    if plan.approvers().is_empty() { "collector".to_owned() } else { plan.approvers().join(", ") }
}

/// The case of a plan, for callers that hold only the plan.
pub fn case_of(plan: &Approved<Plan>) -> &CaseId {
    &plan.plan().case_id
}

/// What a dry look says: whether the state asked for is there already. Changes nothing.
pub async fn dry(hands: &Hands, step: &Step) -> Result<Before, ContainError> {
    hands.of(step)?.read(&step.action).await
}

//! What was announced and what came of it. Takes announcements and outcomes; writes the journal first and the state after it; answers
//! which steps are done, which were begun and never ended, and which nonces are spent. The journal is the truth, the state its index.

use std::collections::BTreeSet;

use collector_core::custody::Kind;
use collector_core::model::CaseId;
use collector_core::playbook::{Approval, Decision, Outcome, Plan, Status};
use serde_json::Value;

use crate::store::journal::{Journal, JournalError};
use crate::store::state::{Document, State, StateError};

/// Journal and state.
#[derive(Clone, Debug)]
pub struct Ledger {
    journal: Journal,
    state: State,
}

/// Why nothing could be written down; then nothing is done either.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal.
    #[error("write down what is done")]
    Journal(#[from] JournalError),
    /// The state.
    #[error("keep what was done")]
    State(#[from] StateError),
}

impl Ledger {
    /// Writes here.
    pub fn new(journal: Journal, state: State) -> Self {
        Self { journal, state }
    }

    /// The journal itself.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The state itself.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// A step is about to be tried.
    pub fn starting(&self, case: &CaseId, announcement: &Value, actor: &str) -> Result<(), LedgerError> {
        self.journal.note(actor, Kind::ActionStarted, Some(case.clone()), announcement.clone())?;
        Ok(())
    }

    /// A step ended.
    pub async fn outcome(&self, case: &CaseId, outcome: &Outcome, kind: Kind) -> Result<(), LedgerError> {
        let body = serde_json::to_value(outcome).expect("an outcome holds only JSON");
        self.journal.note("collector", kind, Some(case.clone()), body)?;
        let (digest, step) = (&outcome.plan_digest, &outcome.step_id);
        self.state.put_outcome(digest, &case.0, step, outcome.finished.ns, outcome).await?;
        Ok(())
    }

    /// A plan was made.
    pub async fn proposed(&self, plan: &Plan, requester: &str) -> Result<(), LedgerError> {
        let body = serde_json::to_value(plan).expect("a plan holds only JSON");
        self.journal.note(requester, Kind::PlanProposed, Some(plan.case_id.clone()), body)?;
        self.state.put_plan(&plan.digest, &plan.case_id.0, plan.created.ns, plan).await?;
        Ok(())
    }

    /// Somebody said yes or no.
    pub async fn approval(&self, case: &CaseId, approval: &Approval) -> Result<(), LedgerError> {
        let body = serde_json::to_value(approval).expect("an approval holds only JSON");
        self.journal.note(&approval.approver, Kind::Approval, Some(case.clone()), body)?;
        self.state.put_approval(&approval.plan_digest, &case.0, approval.given.ns, approval).await?;
        Ok(())
    }

    /// The gate said no.
    pub fn refusal(&self, case: &CaseId, actor: &str, body: Value) -> Result<(), LedgerError> {
        self.journal.note(actor, Kind::Refusal, Some(case.clone()), body)?;
        Ok(())
    }

    /// Who asked for a plan, from the record that proposed it.
    pub fn requester(&self, plan: &Plan) -> String {
        let records = self.journal.of_case(&plan.case_id);
        let proposed = records.iter().find(|record| {
            record.kind == Kind::PlanProposed && text(&record.body, "digest") == Some(plan.digest.as_str())
        });
        proposed.map_or_else(|| "unknown".to_owned(), |record| record.actor.clone())
    }

    /// Idempotency keys of steps that are done and were not undone since.
    pub async fn done_keys(&self, case: &CaseId) -> Result<BTreeSet<String>, LedgerError> {
        let outcomes: Vec<Outcome> = self.state.documents(Document::Outcome, &case.0).await?;
        let plans: Vec<Plan> = self.state.documents(Document::Plan, &case.0).await?;
        let mut done = BTreeSet::new();
        for outcome in outcomes.iter().filter(|outcome| matches!(outcome.status, Status::Done | Status::Already)) {
            let Some(plan) = plans.iter().find(|plan| plan.digest == outcome.plan_digest) else { continue };
            let Some(step) = plan.steps.iter().find(|step| step.id == outcome.step_id) else { continue };
            if let collector_core::playbook::Purpose::Undo { digest } = &plan.purpose {
                forget(&mut done, &plans, digest, outcome);
            }
            done.insert(step.idempotency_key.clone());
        }
        Ok(done)
    }

    /// The state before an attempt that was announced and never answered.
    pub fn begun(&self, case: &CaseId, key: &str) -> Option<Value> {
        let mut open = None;
        for record in self.journal.of_case(case) {
            match record.kind {
                Kind::ActionStarted if text(&record.body, "idempotency_key") == Some(key) => {
                    open = Some((step_of(&record.body), record.body.get("before").cloned().unwrap_or(Value::Null)));
                }
                Kind::ActionDone | Kind::ActionFailed | Kind::Undone => {
                    let answered = (
                        text(&record.body, "plan_digest").map(str::to_owned),
                        text(&record.body, "step_id").map(str::to_owned),
                    );
                    if open.as_ref().is_some_and(|(step, _)| *step == answered) {
                        open = None;
                    }
                }
                _ => {}
            }
        }
        open.map(|(_, before)| before)
    }

    /// Who said no to a plan.
    pub async fn denials(&self, plan: &Plan) -> Result<Vec<Approval>, LedgerError> {
        let mut denials: Vec<Approval> = self.state.documents(Document::Approval, &plan.case_id.0).await?;
        denials.retain(|said| said.plan_digest == plan.digest && said.decision == Decision::Deny);
        Ok(denials)
    }

    /// Nonces that were used in this case.
    pub async fn spent(&self, case: &CaseId) -> Result<BTreeSet<String>, LedgerError> {
        let approvals: Vec<Approval> = self.state.documents(Document::Approval, &case.0).await?;
        Ok(approvals.into_iter().map(|approval| approval.nonce).collect())
    }
}

/// An undone step may be done again: its key counts no more.
fn forget(done: &mut BTreeSet<String>, plans: &[Plan], digest: &str, undoing: &Outcome) {
    let undone = plans.iter().filter(|plan| plan.digest == digest).flat_map(|plan| &plan.steps);
    for step in undone.filter(|step| step.target == undoing.target) {
        done.remove(&step.idempotency_key);
    }
}

fn step_of(body: &Value) -> (Option<String>, Option<String>) {
    (text(body, "plan_digest").map(str::to_owned), text(body, "step").map(str::to_owned))
}

fn text<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str)
}

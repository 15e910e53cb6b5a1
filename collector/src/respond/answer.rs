//! From a case to what is done about it. Takes a case that changed, or a responder's word; gives plans and outcomes, everything written
//! down. One case is answered at a time, so that two words about the same plan cannot cross.

use std::sync::Arc;

use collector_core::custody::Recorded;
use collector_core::model::{Case, CaseId, Moment};
use collector_core::playbook::{
    Approval, Approved, Circumstances, Decision, Mode, Outcome, Plan, Playbook, Purpose, Refusal, answers, approve,
    automatic, compensation, identities, plan, undo_plan,
};
use serde_json::json;
use tokio::sync::Mutex;

use super::config::RespondConfig;
use super::execute::{Executor, Hands};
use super::gather::{self, GatherError};
use super::ledger::{Ledger, LedgerError};
use super::situation;
use crate::clock::Clock;
use crate::store::Store;
use crate::store::state::{Document, StateError};

/// An approval is good for this long after it was given, and never longer than its plan.
const APPROVAL_NS: u64 = 15 * 60 * 1_000_000_000;

/// Why a word of a responder was not followed.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// No such case.
    #[error("there is no case {0}: `mayfly cases` lists them")]
    NoCase(CaseId),
    /// No such plan.
    #[error("case {case} has no plan {digest}: `mayfly plan {case}` shows the newest")]
    NoPlan {
        /// The case.
        case: CaseId,
        /// What was asked for.
        digest: String,
    },
    /// No playbook answers.
    #[error("no playbook answers case {0}: its verdict, severity, confidence or techniques do not meet a trigger")]
    NoPlaybook(CaseId),
    /// Nothing is done about a recorded run.
    #[error("case {0} is a replay of a recorded run: nothing is done about it")]
    Replay(CaseId),
    /// The gate said no.
    #[error("refused")]
    Refused(#[from] Refusal),
    /// Nothing to take back.
    #[error("nothing of case {0} can be taken back: no step of the plan changed anything")]
    NothingToUndo(CaseId),
    /// It cannot be written down.
    #[error("the store")]
    Ledger(#[from] LedgerError),
    /// The facts cannot be read.
    #[error("the facts of the case")]
    Gather(#[from] GatherError),
}

impl From<StateError> for AnswerError {
    fn from(cause: StateError) -> Self {
        Self::Ledger(LedgerError::State(cause))
    }
}

/// What a responder says to a plan.
#[derive(Clone, Debug)]
pub struct Word {
    /// Who, as the control socket knows them.
    pub by: String,
    /// Digest of the plan that they saw, or enough of its beginning to be unique.
    pub digest: String,
    /// Yes or no.
    pub decision: Decision,
    /// Made by the client, used once.
    pub nonce: String,
}

/// The response side of a collector. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    ledger: Ledger,
    clock: Clock,
    hands: Hands,
    playbooks: Vec<Playbook>,
    config: RespondConfig,
    // One word at a time.
    turn: Mutex<()>,
}

impl Answers {
    /// Answers from this store, with these hands.
    pub fn new(store: Store, clock: Clock, hands: Hands, playbooks: Vec<Playbook>, config: RespondConfig) -> Self {
        let ledger = Ledger::new(store.journal.clone(), store.state.clone());
        Self { inner: Arc::new(Inner { store, ledger, clock, hands, playbooks, config, turn: Mutex::new(()) }) }
    }

    /// A case was opened or changed: plan, and do what needs nobody's word. A plan that says what the last one said is not made again.
    pub async fn case_changed(&self, id: &CaseId) -> Result<(), AnswerError> {
        let _turn = self.inner.turn.lock().await;
        let case = self.case(id).await?;
        for playbook in self.inner.playbooks.iter().filter(|playbook| answers(playbook, &case)) {
            let plan = self.draft(&case, playbook).await?;
            let plan = if let Some(before) = self.same_as_before(&plan).await? {
                before
            } else {
                self.inner.ledger.proposed(&plan, "collector").await?;
                plan
            };
            // What a recorded run shows happened elsewhere: nothing is done about it.
            if self.inner.config.automatic
                && !case.replay
                && let Some(approved) = automatic(&plan)
            {
                self.carry_out(&case, &approved).await?;
            }
        }
        Ok(())
    }

    /// The newest plan of a case.
    pub async fn newest(&self, id: &CaseId) -> Result<Plan, AnswerError> {
        let case = self.case(id).await?;
        let plans = self.plans(&case.id).await?;
        plans.into_iter().next_back().ok_or_else(|| AnswerError::NoPlaybook(id.clone()))
    }

    /// A new plan, asked for by a person. Nothing of it runs before somebody else says yes.
    pub async fn plan_anew(&self, id: &CaseId, requester: &str) -> Result<Plan, AnswerError> {
        let _turn = self.inner.turn.lock().await;
        let case = self.case(id).await?;
        let playbook = self.inner.playbooks.iter().find(|playbook| answers(playbook, &case));
        let plan = self.draft(&case, playbook.ok_or_else(|| AnswerError::NoPlaybook(id.clone()))?).await?;
        self.inner.ledger.proposed(&plan, requester).await?;
        Ok(plan)
    }

    /// Somebody says yes or no to a plan. On a yes that the gate lets through the steps that waited for it run; a no binds everybody after it.
    pub async fn word(&self, id: &CaseId, word: Word) -> Result<Vec<Outcome>, AnswerError> {
        let _turn = self.inner.turn.lock().await;
        let case = self.case(id).await?;
        if case.replay {
            return Err(AnswerError::Replay(id.clone()));
        }
        let plan = self.plan_named(&case.id, &word.digest).await?;
        let now = self.inner.clock.now();
        let approval = Approval {
            // What the person typed must be the plan's digest, or an unambiguous beginning of it.
            plan_digest: plan.digest.clone(),
            approver: word.by.clone(),
            decision: word.decision,
            nonce: word.nonce,
            given: now,
            expires: expiry(&plan, now),
        };
        let spent = self.inner.ledger.spent(&case.id).await?;
        let requester = self.inner.ledger.requester(&plan);
        let all = identities(&case);
        let around = Circumstances { requester: &requester, identities: &all, spent: &spent, now };
        let mut said = self.inner.ledger.denials(&plan).await?;
        said.push(approval.clone());
        let gate = approve(&plan, &said, &around);
        self.inner.ledger.approval(&case.id, &approval).await?;
        if approval.decision == Decision::Deny {
            return Ok(Vec::new());
        }
        let approved = match gate {
            Ok(approved) => approved,
            Err(refusal) => {
                let body = json!({"plan_digest": plan.digest, "approver": word.by, "reason": refusal.to_string()});
                self.inner.ledger.refusal(&case.id, "collector", body)?;
                return Err(refusal.into());
            }
        };
        self.carry_out(&case, &approved).await
    }

    /// A plan that takes back what another one did. It waits for a yes like any other.
    pub async fn undo(&self, id: &CaseId, digest: Option<&str>, requester: &str) -> Result<Plan, AnswerError> {
        let _turn = self.inner.turn.lock().await;
        let case = self.case(id).await?;
        let outcomes = gather::outcomes(&self.inner.store, &case.id);
        let plans = match digest {
            Some(digest) => vec![self.plan_named(&case.id, digest).await?],
            None => self.plans(&case.id).await?,
        };
        let now = self.inner.clock.now();
        let undo = plans
            .iter()
            .rev()
            .filter(|plan| matches!(plan.purpose, Purpose::Respond { .. }))
            .map(|plan| undo_plan(&case, plan, &still_done(&outcomes), now))
            .find(|undo| !undo.steps.is_empty())
            .ok_or_else(|| AnswerError::NothingToUndo(id.clone()))?;
        self.inner.ledger.proposed(&undo, requester).await?;
        Ok(undo)
    }

    /// The store that is answered from.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// One case.
    pub async fn case(&self, id: &CaseId) -> Result<Case, AnswerError> {
        let stored = self.inner.store.state.case(id).await?;
        stored.map(|stored| stored.case).ok_or_else(|| AnswerError::NoCase(id.clone()))
    }

    /// Runs what is approved; where a step failed that says so, takes back what was done before it.
    async fn carry_out(&self, case: &Case, approved: &Approved<Plan>) -> Result<Vec<Outcome>, AnswerError> {
        let mut outcomes = self.executor().run(approved).await?;
        if outcomes.is_empty() {
            return Ok(outcomes);
        }
        let recorded = gather::outcomes(&self.inner.store, &case.id);
        if let Some(back) = compensation(approved, case, &recorded, self.inner.clock.now()) {
            self.inner.ledger.proposed(back.plan(), "collector").await?;
            outcomes.extend(self.executor().run(&back).await?);
        }
        Ok(outcomes)
    }

    fn executor(&self) -> Executor<'_> {
        Executor { hands: &self.inner.hands, ledger: &self.inner.ledger, clock: &self.inner.clock }
    }

    async fn draft(&self, case: &Case, playbook: &Playbook) -> Result<Plan, AnswerError> {
        let events = gather::events(&self.inner.store, case).await?;
        let situation = situation::of(case, &events, &self.inner.config);
        Ok(plan(case, playbook, &situation, self.inner.clock.now()))
    }

    async fn plans(&self, id: &CaseId) -> Result<Vec<Plan>, AnswerError> {
        Ok(self.inner.store.state.documents(Document::Plan, &id.0).await?)
    }

    async fn plan_named(&self, id: &CaseId, digest: &str) -> Result<Plan, AnswerError> {
        let unknown = || AnswerError::NoPlan { case: id.clone(), digest: digest.to_owned() };
        if digest.len() < 8 {
            return Err(unknown());
        }
        let mut found = self.plans(id).await?;
        found.retain(|plan| plan.digest.starts_with(digest));
        if found.len() == 1 { found.pop().ok_or_else(unknown) } else { Err(unknown()) }
    }

    /// The last plan of the same playbook, where it has the same steps in the same modes and can still be approved.
    async fn same_as_before(&self, plan: &Plan) -> Result<Option<Plan>, AnswerError> {
        let mut plans = self.plans(&plan.case_id).await?;
        plans.retain(|before| before.purpose == plan.purpose);
        let last = plans.into_iter().next_back();
        Ok(last.filter(|before| {
            shape(before) == shape(plan) && before.expires().is_none_or(|end| end.ns > plan.created.ns)
        }))
    }
}

/// What a plan says, without its times.
fn shape(plan: &Plan) -> Vec<(&str, String, u8)> {
    let mode = |mode: &Mode| match mode {
        Mode::Auto { .. } => 0,
        Mode::NeedsApproval { .. } => 1,
        Mode::Refused { .. } => 2,
    };
    plan.steps.iter().map(|step| (step.id.as_str(), step.target.to_string(), mode(&step.mode))).collect()
}

fn expiry(plan: &Plan, now: Moment) -> Moment {
    let own = now.ns.saturating_add(APPROVAL_NS);
    Moment { ns: plan.expires().map_or(own, |end| end.ns.min(own)), ..now }
}

/// Outcomes whose target was not undone afterwards.
fn still_done(outcomes: &[Recorded<Outcome>]) -> Vec<Recorded<Outcome>> {
    let undoing = |outcome: &Outcome| {
        use collector_core::playbook::Action;
        matches!(outcome.action, Action::NetRelease { .. } | Action::KeyRestore { .. } | Action::SessionAllow { .. })
    };
    let mut left: Vec<Recorded<Outcome>> = Vec::new();
    for recorded in outcomes {
        if undoing(&recorded.value) && recorded.value.error.is_empty() {
            left.retain(|done| done.value.target != recorded.value.target);
        } else {
            left.push(recorded.clone());
        }
    }
    left
}

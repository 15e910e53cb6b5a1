//! The gate between planning and doing. Takes a plan and what people said to its digest; gives an [`Approved`] plan, which nothing else
//! can make, or the reason why not. Never asks anybody, and a doubt is a no.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::outcome::{Outcome, Status};
use super::plan::{Mode, OnFailure, Plan, Step};
use super::undo::undo_plan;
use crate::custody::Recorded;
use crate::model::{Case, Entity, Identity, Moment};

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "yes and no")]
pub enum Decision {
    Approve,
    Deny,
}

/// What one person said to one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Digest of the plan that the person saw.
    pub plan_digest: String,
    /// Who, as the collector authenticated them.
    pub approver: String,
    /// What they said.
    pub decision: Decision,
    /// Used once: a second approval with the same nonce is a replay.
    pub nonce: String,
    /// When they said it.
    pub given: Moment,
    /// It holds until then, and never longer than the plan.
    pub expires: Moment,
}

/// What the gate has to know beside plan and approvals.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Who asked for the plan.
    pub requester: &'a str,
    /// Identities that the case is about: they do not approve what is done about themselves.
    pub identities: &'a [Identity],
    /// Nonces of approvals that were used before.
    pub spent: &'a BTreeSet<String>,
    /// The moment of asking.
    pub now: Moment,
}

/// Why a plan may not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The plan's content does not have the digest that it says.
    #[error("the plan was altered: it says digest {said}, its content has {computed}")]
    PlanAltered {
        /// What it says.
        said: String,
        /// What its content has.
        computed: String,
    },
    /// Nothing in the plan waits for an approval.
    #[error("no step of the plan waits for an approval")]
    NothingToApprove,
    /// The plan's own time is over.
    #[error("the plan expired at {expired}: make a new one")]
    PlanExpired {
        /// When.
        expired: Moment,
    },
    /// Nobody said yes.
    #[error("nobody approved the plan")]
    NoApproval,
    /// Somebody said no.
    #[error("{approver} denied the plan: make a new one")]
    Denied {
        /// Who.
        approver: String,
    },
    /// The approval is for another digest.
    #[error("{approver} approved another plan: digest {said}, this one is {wanted}")]
    DigestAltered {
        /// Who.
        approver: String,
        /// What they approved.
        said: String,
        /// What is asked.
        wanted: String,
    },
    /// The approval's time is over.
    #[error("the approval of {approver} expired at {expired}")]
    Expired {
        /// Who.
        approver: String,
        /// When.
        expired: Moment,
    },
    /// The approval is from before the plan or from the future.
    #[error("the approval of {approver} is of {given}, which is not between the plan and now")]
    NotYet {
        /// Who.
        approver: String,
        /// When it says it was given.
        given: Moment,
    },
    /// The nonce was used before, or is empty.
    #[error("the approval of {approver} repeats a nonce")]
    Repeated {
        /// Who.
        approver: String,
    },
    /// Nobody approves what they asked for.
    #[error("{approver} asked for the plan and cannot approve it")]
    OwnRequest {
        /// Who.
        approver: String,
    },
    /// Nobody approves what is done about themselves.
    #[error("{approver} is part of the case and cannot approve")]
    PartOfCase {
        /// Who.
        approver: String,
    },
    /// No name stands under the approval.
    #[error("an approval has no name")]
    Nameless,
}

/// What may run, and by whose word. There is no public constructor: [`approve`] and [`automatic`] make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved<T> {
    // Invariant: `inner` passed the gate; `permitted` are ids of its steps that may run.
    inner: T,
    permitted: BTreeSet<String>,
    approvers: Vec<String>,
}

impl Approved<Plan> {
    /// The whole plan, for showing it.
    pub fn plan(&self) -> &Plan {
        &self.inner
    }

    /// The steps that may run, in order. Steps of the plan that are not permitted are never given out here.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.inner.steps.iter().filter(|step| self.permitted.contains(&step.id))
    }

    /// Who said yes; empty where nobody had to.
    pub fn approvers(&self) -> &[String] {
        &self.approvers
    }
}

/// The steps that need nobody's word. `None` where there are none, or where the plan was altered.
pub fn automatic(plan: &Plan) -> Option<Approved<Plan>> {
    if plan.computed_digest() != plan.digest {
        return None;
    }
    let permitted = ids(plan, |mode| matches!(mode, Mode::Auto { .. }));
    (!permitted.is_empty()).then(|| Approved { inner: plan.clone(), permitted, approvers: Vec::new() })
}

/// The steps that people allowed: those that need an approval, and only those. Steps that run without one come from [`automatic`].
pub fn approve(
    plan: &Plan,
    approvals: &[Approval],
    circumstances: &Circumstances<'_>,
) -> Result<Approved<Plan>, Refusal> {
    let computed = plan.computed_digest();
    if computed != plan.digest {
        return Err(Refusal::PlanAltered { said: plan.digest.clone(), computed });
    }
    let expires = plan.expires().ok_or(Refusal::NothingToApprove)?;
    if circumstances.now.ns > expires.ns {
        return Err(Refusal::PlanExpired { expired: expires });
    }
    let mut nonces = circumstances.spent.clone();
    for approval in approvals {
        admit(plan, approval, circumstances, &mut nonces)?;
    }
    if approvals.is_empty() {
        return Err(Refusal::NoApproval);
    }
    let permitted = ids(plan, |mode| matches!(mode, Mode::NeedsApproval { .. }));
    let approvers = approvals.iter().map(|approval| approval.approver.clone()).collect();
    Ok(Approved { inner: plan.clone(), permitted, approvers })
}

/// What takes back the done steps of a plan of which one failed that says `on_failure: compensate`. Whoever approved the plan approved
/// that with it; nothing else can be in it. `None` where nothing is to be taken back.
pub fn compensation(
    failed: &Approved<Plan>,
    case: &Case,
    outcomes: &[Recorded<Outcome>],
    now: Moment,
) -> Option<Approved<Plan>> {
    let says_so = failed.steps().any(|step| {
        let ended = outcomes
            .iter()
            .rev()
            .map(|recorded| &recorded.value)
            .find(|outcome| outcome.step_id == step.id && outcome.plan_digest == failed.inner.digest);
        step.on_failure == OnFailure::Compensate
            && ended
                .is_some_and(|outcome| matches!(outcome.status, Status::Failed | Status::Refused | Status::Unverified))
    });
    let undo = says_so.then(|| undo_plan(case, &failed.inner, outcomes, now))?;
    let permitted = ids(&undo, |mode| !matches!(mode, Mode::Refused { .. }));
    let approvers = failed.approvers.clone();
    (!permitted.is_empty()).then_some(Approved { inner: undo, permitted, approvers })
}

/// The identities of a case, for [`Circumstances`].
pub fn identities(case: &Case) -> Vec<Identity> {
    let of = |entity: &Entity| match entity {
        Entity::Identity { identity } => Some(identity.clone()),
        _ => None,
    };
    let named = case.findings.iter().flat_map(|finding| &finding.entities);
    let joined = case.edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
    let mut all: Vec<Identity> = case.entities.iter().chain(named).chain(joined).filter_map(of).collect();
    all.sort();
    all.dedup();
    all
}

fn ids(plan: &Plan, wanted: impl Fn(&Mode) -> bool) -> BTreeSet<String> {
    plan.steps.iter().filter(|step| wanted(&step.mode)).map(|step| step.id.clone()).collect()
}

fn admit(
    plan: &Plan,
    approval: &Approval,
    circumstances: &Circumstances<'_>,
    nonces: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    let approver = approval.approver.clone();
    if fold(&approver).is_empty() {
        return Err(Refusal::Nameless);
    }
    if approval.plan_digest != plan.digest {
        let (said, wanted) = (approval.plan_digest.clone(), plan.digest.clone());
        return Err(Refusal::DigestAltered { approver, said, wanted });
    }
    if approval.decision == Decision::Deny {
        return Err(Refusal::Denied { approver });
    }
    if fold(&approver) == fold(circumstances.requester) {
        return Err(Refusal::OwnRequest { approver });
    }
    if circumstances.identities.iter().any(|identity| is(identity, &approver)) {
        return Err(Refusal::PartOfCase { approver });
    }
    if approval.given.ns < plan.created.ns || approval.given.ns > circumstances.now.ns {
        return Err(Refusal::NotYet { approver, given: approval.given });
    }
    if circumstances.now.ns > approval.expires.ns {
        return Err(Refusal::Expired { approver, expired: approval.expires });
    }
    if approval.nonce.is_empty() || !nonces.insert(approval.nonce.clone()) {
        return Err(Refusal::Repeated { approver });
    }
    Ok(())
}

/// Names are compared without regard to case and surrounding space: a doubt is a no.
fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

fn is(identity: &Identity, approver: &str) -> bool {
    let approver = fold(approver);
    let last = |arn: &str| fold(arn.rsplit('/').next().unwrap_or(arn));
    match identity {
        Identity::Person { name } => fold(name) == approver || last(name) == approver,
        Identity::ServiceAccount { namespace, name } => {
            fold(name) == approver || fold(&format!("system:serviceaccount:{namespace}:{name}")) == approver
        }
        Identity::Role { arn } | Identity::RoleSession { arn } | Identity::CloudUser { arn } => {
            fold(arn) == approver || last(arn) == approver
        }
        Identity::AccessKey { id } => fold(id) == approver,
        Identity::Service { name } => fold(name) == approver,
    }
}

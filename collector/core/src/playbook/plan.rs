//! A plan: concrete steps on concrete targets, bound by a digest. Takes what `planner` decided; never changes once made: a changed plan
//! has another digest, and no approval fits it.

use serde::{Deserialize, Serialize};

use super::action::{Action, Phase, Undo};
use crate::canonical;
use crate::model::{CaseId, Claim, Entity, Moment, NonEmpty};

/// Who lets a step run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Mode {
    /// Nobody has to be asked.
    Auto {
        /// Why, one sentence.
        because: String,
    },
    /// A person has to say yes to the plan's digest.
    NeedsApproval {
        /// Why, one sentence.
        because: String,
        /// After this the answer is no, and a new plan is needed.
        expires: Moment,
    },
    /// A guard says no. The step stays in the plan, so that everybody sees what was not done.
    Refused {
        /// Which guard.
        because: RefusedBecause,
    },
}

/// Which guard refused a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "guard")]
pub enum RefusedBecause {
    /// The target is on the list of what must not be touched.
    #[error("{target} is protected: {reason}")]
    Protected {
        /// The target.
        target: String,
        /// Why it is protected.
        reason: String,
    },
    /// The plan would touch more than the playbook allows.
    #[error("the plan has {targets} targets, the playbook allows {allowed}")]
    TooManyTargets {
        /// How many it has.
        targets: u32,
        /// How many it may have.
        allowed: u32,
    },
    /// Volatile evidence of the target is not sealed, and no step before this one seals it.
    #[error("volatile evidence of {target} is not sealed, and nobody waived it")]
    NotPreserved {
        /// The target.
        target: String,
    },
    /// The playbook wants evidence that the case does not have.
    #[error("the playbook requires {evidence}, which is not there")]
    EvidenceMissing {
        /// Which.
        evidence: String,
    },
    /// What the action needs to know of its target is not known.
    #[error("{what} of {target} is not known")]
    Unknown {
        /// Which fact.
        what: String,
        /// Of what.
        target: String,
    },
    /// There is nothing to act on any more.
    #[error("{target} is gone: {reason}")]
    Gone {
        /// The target.
        target: String,
        /// How we know.
        reason: String,
    },
    /// It waits for a step that is refused itself.
    #[error("it needs {step}, which is refused")]
    NeedsRefused {
        /// The step.
        step: String,
    },
}

/// What happens to the rest of the plan when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing further runs; what was done stays.
    Abort,
    /// Steps that do not need this one run.
    Continue,
    /// Nothing further runs; what was done is undone in reverse.
    Compensate,
}

/// One action on one target, and all that a person needs to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the plan: the playbook's step id, with `/target` where one step has several targets.
    pub id: String,
    /// When in the response.
    pub phase: Phase,
    /// What.
    pub action: Action,
    /// On what, in the case's words.
    pub target: Entity,
    /// Steps that must be done before, by their id in this plan.
    pub needs: Vec<String>,
    /// Who lets it run.
    pub mode: Mode,
    /// Why this target.
    pub reasons: NonEmpty<Claim>,
    /// Who and what feels it, one sentence.
    pub reach: String,
    /// How it is taken back.
    pub undo: Undo,
    /// How one sees that it worked, one sentence.
    pub check: String,
    /// The permissions that it needs.
    pub permissions: Vec<String>,
    /// The executor gives up after this.
    pub timeout_seconds: u32,
    /// It ends by itself after this.
    pub ttl_seconds: Option<u32>,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// Same case, step, target and inputs have the same key: a repeated call is recognised by it.
    pub idempotency_key: String,
}

/// What a plan is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "purpose")]
pub enum Purpose {
    /// Answer the case by a playbook.
    Respond {
        /// The playbook's id.
        playbook: String,
        /// Its version.
        version: String,
        /// sha256, hex, of its text.
        sha256: String,
    },
    /// Take back what another plan did.
    Undo {
        /// Digest of that plan.
        digest: String,
    },
}

/// What we would do. Made by `playbook::plan` and `playbook::undo_plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The case it answers.
    pub case_id: CaseId,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was made.
    pub created: Moment,
    /// In the order in which they run.
    pub steps: Vec<Step>,
    /// sha256, hex, over the canonical JSON of all other fields. Approvals name it.
    pub digest: String,
}

impl Plan {
    /// A plan with its digest.
    pub fn sealed(case_id: CaseId, purpose: Purpose, created: Moment, steps: Vec<Step>) -> Self {
        let mut plan = Self { case_id, purpose, created, steps, digest: String::new() };
        plan.digest = plan.computed_digest();
        plan
    }

    /// The digest that the content has, whatever `digest` says.
    pub fn computed_digest(&self) -> String {
        canonical::digest(&(&self.case_id, &self.purpose, self.created, &self.steps))
    }

    /// Steps of this mode's kind that a person must allow.
    pub fn awaiting(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.mode, Mode::NeedsApproval { .. }))
    }

    /// The earliest moment at which an approval comes too late; `None` where nothing needs one.
    pub fn expires(&self) -> Option<Moment> {
        self.awaiting()
            .filter_map(|step| match step.mode {
                Mode::NeedsApproval { expires, .. } => Some(expires),
                Mode::Auto { .. } | Mode::Refused { .. } => None,
            })
            .min()
    }
}

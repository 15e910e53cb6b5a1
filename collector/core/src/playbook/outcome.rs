//! What came of a step. Written by `collector::respond::execute` into the journal; read by the report and by the undo.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::Action;
use crate::model::{Entity, Moment};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Done, and seen to be done.
    Done,
    /// The state asked for was there before.
    Already,
    /// The call succeeded, but the check did not see the effect.
    Unverified,
    /// Tried and failed; nothing is left half done.
    Failed,
    /// Not tried: the provider, the node or a check before it said no.
    Refused,
    /// Not tried: a step before it did not succeed.
    Skipped,
}

impl std::fmt::Display for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Done => "done and verified",
            Self::Already => "already so",
            Self::Unverified => "done, not verified",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
        })
    }
}

/// One step's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Digest of the plan it was part of.
    pub plan_digest: String,
    /// The step's id in that plan.
    pub step_id: String,
    /// What was done.
    pub action: Action,
    /// On what.
    pub target: Entity,
    /// How it ended.
    pub status: Status,
    /// The provider's or node's own ids of the calls.
    pub request_ids: Vec<String>,
    /// The state that was replaced; the undo starts from it. `key_deactivate`: `{"user", "status"}`; `session_revoke`:
    /// `{"document"}`, the policy that stood under the name, or null; `quarantine`: what the node said.
    pub before: Value,
    /// The state after.
    pub after: Value,
    /// What the check probed and what it saw; empty where there was none.
    pub verified: String,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub finished: Moment,
    /// What went wrong; empty where nothing did.
    pub error: String,
}

//! What we would do about a case. Takes a case, a playbook and what is known of the world; gives an immutable [`Plan`] of typed actions,
//! each with its reach, its undo and its check, and, from approvals, the [`Approved`] plan without which nothing acts. Never acts.

pub mod action;
pub mod approve;
pub mod compile;
mod guard;
pub mod outcome;
pub mod plan;
mod planner;
pub mod registry;
pub mod situation;
pub mod syntax;
mod target;
pub mod trigger;
mod undo;

pub use action::{Action, Phase, Undo};
pub use approve::{Approval, Approved, Circumstances, Decision, Refusal, approve, automatic, compensation, identities};
pub use compile::{Playbook, content, parse};
pub use outcome::{Outcome, Status};
pub use plan::{Mode, OnFailure, Plan, Purpose, RefusedBecause, Step};
pub use planner::{REVOKE_POLICY, answers, plan};
pub use situation::{Container, Key, Protected, Seal, Situation, Waiver};
pub use syntax::SyntaxError;
pub use undo::undo_plan;

#[cfg(test)]
mod tests;

//! What we would do about a case. Takes a case, a playbook and what is known of the world; gives an immutable [`Plan`] of typed actions,
//! each with its reach, its undo and its check, and, from approvals, the [`Approved`] plan without which nothing acts. Never acts.

pub mod action;
pub mod approve;
pub mod outcome;
pub mod plan;
pub mod situation;

pub use action::{Action, Phase, Undo};
pub use approve::{Approval, Approved, Decision, Refusal};
pub use outcome::{Outcome, Status};
pub use plan::{Mode, OnFailure, Plan, Purpose, RefusedBecause, Step};
pub use situation::{Container, Key, Protected, Role, Seal, Situation, Waiver};

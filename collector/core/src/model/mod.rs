//! The words of judgement: events and audit entries as facts, findings, edges, cases, and the evidence behind each. Only types
//! and the rules that live on them; nothing here decides.

pub mod audit;
pub mod case;
pub mod completeness;
pub mod container;
pub mod edge;
pub mod entity;
pub mod event;
pub mod evidence;
pub mod fact;
pub mod file;
pub mod finding;
pub mod kernel;
pub mod network;
pub mod privilege;
pub mod process;
pub mod time;
pub mod told_by;

pub use audit::{AuditEntry, AuditSource};
pub use case::{Case, CaseId, CaseStatus, Severity, Verdict};
pub use edge::{Bridge, Edge, EdgeState, Strength};
pub use entity::{Entity, Identity, ProcessKey};
pub use event::{Actor, Body, NodeEvent, Origin};
pub use evidence::{Claim, EvidenceRef, NonEmpty};
pub use finding::{Finding, FindingId, Level};
pub use kernel::Change;
pub use privilege::Privilege;
pub use time::{Moment, Order};

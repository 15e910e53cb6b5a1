//! The case as people read it. Takes an [`Input`] of stored facts; gives a document and its renderings. Every factual sentence carries its
//! evidence. Never reads a clock or a disk: the same input prints the same bytes.

pub mod input;

pub use input::{Artifact, AuditCoverage, Input, Lesson, Loss, NodeFacts, Reachable};

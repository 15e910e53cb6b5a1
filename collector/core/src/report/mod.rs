//! The case as people read it. Takes an [`Input`] of stored facts; gives a document and its renderings. Every factual sentence carries its
//! evidence. Never reads a clock or a disk: the same input prints the same bytes.

mod analysis;
mod appendix;
mod cause;
mod cite;
pub mod document;
mod html;
pub mod input;
mod json;
mod lint;
mod markdown;
mod narrate;
mod response;
mod summary;

pub use document::Document;
pub use html::html;
pub use input::{Artifact, AuditCoverage, Input, Lesson, Loss, NodeFacts, Reachable};
pub use json::json;
pub use lint::{Problem, lint};
pub use markdown::markdown;
pub use narrate::narrate;

#[cfg(test)]
mod tests;

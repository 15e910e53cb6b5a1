//! Judgement: what happened, how sure we are, what to do about it and how to say it. Takes events, audit entries and records of
//! what was done; gives findings, edges, cases, plans and reports. Has no clock, no disk, no network, no randomness and no
//! async: the same input gives the same bytes, and that is what makes a report checkable.
#![forbid(unsafe_code)]

pub mod canonical;
pub mod completeness;
pub mod correlate;
pub mod custody;
pub mod detect;
#[cfg(test)]
mod example;
pub mod graph;
pub mod metrics;
pub mod model;
pub mod playbook;
pub mod report;
pub mod timeline;
pub mod triage;

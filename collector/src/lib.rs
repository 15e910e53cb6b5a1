//! All of the collector that touches the world. Takes streams, files and requests; gives durable facts, cases, actions and reports. Judgement itself is
//! `collector_core`.
#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod config;
pub mod connect;
pub mod health;
pub mod indicators;
pub mod ingest;
pub mod pipeline;
pub mod pki;
pub mod respond;
pub mod rule_files;
pub mod run;
pub mod store;
pub mod web;

/// An error with all its causes on one line, for logs and for those who are told no.
pub fn say(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

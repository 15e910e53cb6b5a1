//! All of the collector that touches the world. Takes streams, files and requests; gives durable facts, cases, actions and reports. Judgement itself is
//! `collector_core`.
#![forbid(unsafe_code)]

pub mod connect;

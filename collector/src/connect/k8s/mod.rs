//! Kubernetes: only this folder knows its words. The API server's audit log, read from its file or received from its webhook.

pub mod audit;
pub mod log;
pub mod webhook;

//! Providers. A folder a provider, and only that folder knows its words; [`contain`] is what they have in common when they act.

pub mod audit;
pub mod aws;
pub mod contain;
pub mod k8s;
pub mod node;
pub mod watch;

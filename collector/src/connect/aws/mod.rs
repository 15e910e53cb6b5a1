//! Amazon Web Services: the only place that knows its words.

pub mod audit;
pub mod client;
pub mod contain;
pub mod trail;

//! Amazon Web Services: the only place that knows its words.

pub mod client;
pub mod contain;

//! The sensor of one node. Takes records from the kernel; gives events to the node's log and from there to the collector, and
//! acts on the node when a rule or an order asks for it. Never sees a case, never decides beyond its rules.
#![deny(unsafe_code)]

pub mod accounting;
pub mod canary;
pub mod clock;
pub mod config;
pub mod coverage;
pub mod decode;
pub mod deliver;
pub mod health;
pub mod kernel;
pub mod log;
pub mod loss;
mod memory;
pub mod observe;
pub mod origin;
pub mod pipeline;
pub mod recording;
pub mod respond;
pub mod run;

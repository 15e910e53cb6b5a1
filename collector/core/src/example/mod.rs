//! One incident, made up but whole, for the tests of plans and reports. Gives a case, its facts and what was done about it; the same each
//! time. Never compiled outside of tests.

mod facts;
mod findings;
mod response;

pub(crate) use facts::{at, event};
pub(crate) use findings::{case, container};
pub(crate) use response::{PLAYBOOK, input, playbook, situation};

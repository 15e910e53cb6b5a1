//! Answering a case: gather what is known, plan, ask, act, look, write down. Takes cases from the pipeline and words from responders; gives
//! plans, outcomes, reports and bundles. What may be done is decided in `collector_core::playbook`; here it is done.

pub mod answer;
pub mod bundle;
pub mod captures;
pub mod completeness;
pub mod config;
pub mod covered;
pub mod execute;
pub mod gather;
pub mod ledger;
pub mod situation;

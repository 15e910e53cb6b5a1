//! How something is done to the world. Takes one typed action; reads the state that it will replace, applies it, and looks whether it
//! holds. Nothing is decided here: which action, on what and by whose word came from an approved plan.

use std::future::Future;
use std::pin::Pin;

use collector_core::playbook::Action;
use serde_json::Value;

/// A provider's hands. Each call may be repeated: a second `apply` of the same action finds the state already there.
pub trait Contain: Send + Sync {
    /// Whether this provider does this action.
    fn does(&self, action: &Action) -> bool;

    /// The state before: what an undo would put back. Changes nothing.
    fn read<'a>(&'a self, action: &'a Action) -> Doing<'a, Before>;

    /// Does it.
    fn apply<'a>(&'a self, action: &'a Action, before: &'a Before, order: &'a Context) -> Doing<'a, Applied>;

    /// Looks at the world again. Changes nothing.
    fn verify<'a>(&'a self, action: &'a Action, applied: &'a Applied) -> Doing<'a, Seen>;
}

/// A call under way.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, ContainError>> + Send + 'a>>;

/// Why an action is done, for the logs of whoever does it.
#[derive(Clone, Debug)]
pub struct Context {
    /// The case.
    pub case_id: String,
    /// Digest of the plan.
    pub plan_digest: String,
    /// Same step, same key: a repeated call is recognised by it.
    pub idempotency_key: String,
    /// Nanoseconds since 1970: too late afterwards.
    pub not_after_ns: u64,
}

/// The state that an action would replace.
#[derive(Clone, Debug)]
pub struct Before {
    /// As the provider gave it.
    pub state: Value,
    /// The state asked for is there already.
    pub already: bool,
}

/// What the provider said when it was done.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The provider's own ids of the calls.
    pub request_ids: Vec<String>,
    /// Its answer, where it says more than yes.
    pub answer: Value,
}

/// What one saw when one looked again.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The effect is there.
    pub holds: bool,
    /// The state after.
    pub after: Value,
    /// What was probed and what was seen, one sentence.
    pub what: String,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ContainError {
    /// No provider does this.
    #[error("no connector is configured for {action}: {advice}")]
    NotConfigured {
        /// Name of the action.
        action: String,
        /// What to do.
        advice: String,
    },
    /// The provider said no.
    #[error("{call} was refused with {code}: {message}")]
    Refused {
        /// Which call.
        call: &'static str,
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
    /// The provider did not answer.
    #[error("{call} got no answer: {message}")]
    Unreachable {
        /// Which call.
        call: &'static str,
        /// Why, in words.
        message: String,
    },
    /// What is to be acted on is not there.
    #[error("{target} is not there")]
    Gone {
        /// What.
        target: String,
    },
    /// It did not end in time.
    #[error("it took longer than {seconds} s")]
    TooLate {
        /// The limit.
        seconds: u32,
    },
}

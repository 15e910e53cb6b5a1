//! Mayfly's rules: the Sigma engine, and the content that is embedded in both binaries.
//!
//! Takes rule text as (file name, text) pairs, and events through the trait [`Event`]; gives the rules that match, and
//! why. The same on the node and in the collector. It never touches a clock, a disk, a network or another thread, and
//! it allocates nothing while it evaluates.
//!
//! ```
//! use rules::{Engine, JsonEvent, fields};
//!
//! let rule = "
//! title: A copy of the shadow file
//! logsource: {product: linux, category: process_creation}
//! detection:
//!     selection:
//!         Image|endswith: /cp
//!         CommandLine|contains: /etc/shadow
//!     condition: selection
//! ";
//! let (engine, errors) = Engine::load([("copy.yml", rule)]);
//! assert!(errors.is_empty());
//!
//! let event = serde_json::json!({"Image": "/bin/cp", "CommandLine": "cp /etc/shadow /tmp"});
//! let event = JsonEvent::new(&event, fields::PROCESS_CREATION);
//! let mut matches = Vec::new();
//! engine.evaluate(&event, &mut matches);
//! assert_eq!(engine.rule(matches[0]).title, "A copy of the shadow file");
//! ```

#![forbid(unsafe_code)]

mod compile;
mod content;
mod error;
mod evaluate;
mod event;
pub mod example;
pub mod fields;
pub mod indicators;
mod json;
pub mod limits;
mod load;
mod rule;
mod syntax;

pub use content::{content, node_content, overlay};
pub use error::LoadError;
pub use evaluate::explain::Matched;
pub use event::{Event, LogSource, Value};
pub use example::Example;
pub use fields::{Field, Known};
pub use json::{JsonEvent, Spread};
pub use rule::{ExecFlags, Level, Response, Rule, RuleIndex, RuleSource};

use compile::Program;
use compile::index::Index;

/// Loaded rules, ready to evaluate. Shared between threads by reference.
#[derive(Debug, Default)]
pub struct Engine {
    /// As long as `programs`; both are addressed by `RuleIndex`.
    rules: Vec<Rule>,
    programs: Vec<(RuleSource, Program)>,
    index: Index,
}

impl Engine {
    /// Loads rules. Each document that cannot be used is one error; all others are loaded. Two rules of one id are an
    /// error for the second.
    pub fn load<F, T>(sources: impl IntoIterator<Item = (F, T)>) -> (Self, Vec<LoadError>)
    where
        F: AsRef<str>,
        T: AsRef<str>,
    {
        let mut loader = load::Loader::default();
        for (file, text) in sources {
            loader.file(file.as_ref(), text.as_ref());
        }
        let load::Loader { rules, programs, errors } = loader;
        let index = Index::new(&programs);
        (Self { rules, programs, index }, errors)
    }

    /// Appends every rule that matches the event, in the order of loading.
    pub fn evaluate<E: Event + ?Sized>(&self, event: &E, matches: &mut Vec<RuleIndex>) {
        let start = matches.len();
        self.index.candidates(event, |rule| {
            if evaluate::matches(&self.programs[rule.position()].1, event) {
                matches.push(rule);
            }
        });
        matches[start..].sort_unstable();
    }

    /// What a match of the rule rests on: the fields that decided, with their values. Empty when the rule does not
    /// match the event, or matches by what is absent.
    pub fn explain<E: Event + ?Sized>(&self, rule: RuleIndex, event: &E) -> Vec<Matched> {
        let program = &self.programs[rule.position()].1;
        if evaluate::matches(program, event) { evaluate::explain::explain(program, event) } else { Vec::new() }
    }

    /// A rule that this engine gave.
    pub fn rule(&self, rule: RuleIndex) -> &Rule {
        &self.rules[rule.position()]
    }

    /// All rules in the order of loading.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = (RuleIndex, &Rule)> {
        let index = |position| RuleIndex(u32::try_from(position).expect("an engine holds at most 4096 rules"));
        self.rules.iter().enumerate().map(move |(position, rule)| (index(position), rule))
    }

    /// The rule of that id.
    pub fn find(&self, id: &str) -> Option<RuleIndex> {
        self.rules().find(|(_, rule)| rule.id == id).map(|(index, _)| index)
    }

    /// The exec flags on which the kernel is to stop a process in a container, from all rules that ask for it.
    pub fn kernel_stop(&self) -> ExecFlags {
        self.rules.iter().fold(ExecFlags::default(), |all, rule| match rule.response {
            Response::Stop { kernel: Some(flags) } => ExecFlags {
                memfd: all.memfd || flags.memfd,
                upper_layer: all.upper_layer || flags.upper_layer,
                deleted: all.deleted || flags.deleted,
            },
            _ => all,
        })
    }
}

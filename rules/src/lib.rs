//! Mayfly's rules: the Sigma engine, and the content that is embedded in both binaries.
//!
//! Takes rule text as (file name, text) pairs, and events through the trait [`Event`]; gives the rules that match, and
//! why, and through a [`Correlator`] what events of several moments mean together. The same on the node and in the
//! collector. It never touches a clock, a disk, a network or another thread, and evaluating an event against rules builds
//! nothing.
//!
//! A file holds documents of five kinds: rules (`detection`), correlations of rules (`correlation`), filters that take away
//! from rules (`filter`), lists of values for placeholders (`placeholders`), and what rules of a log source call fields
//! that its events have elsewhere (`mapping`). What a file may ask for, and what an event
//! may cost, is bounded by [`limits`].
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
//!
//! Correlations are loaded with the rules and fed with the matches of events, by the events' own time:
//!
//! ```
//! use rules::{Correlator, Engine, JsonEvent, fields};
//!
//! let text = "
//! title: A private key was read
//! name: key_read
//! logsource: {product: linux, category: file_access}
//! detection: {selection: {File.Sensitive: ssh_key}, condition: selection}
//! ---
//! title: Private keys of several places were read
//! correlation:
//!     type: value_count
//!     rules: [key_read]
//!     group-by: [ContainerId]
//!     timespan: 5m
//!     condition: {field: TargetFilename, gte: 2}
//! level: high
//! ";
//! let (engine, errors) = Engine::load([("keys.yml", text)]);
//! assert!(errors.is_empty());
//!
//! let mut correlator = Correlator::new(&engine);
//! let mut firings = Vec::new();
//! for (number, path) in ["/root/.ssh/id_rsa", "/home/u/.ssh/id_rsa"].iter().enumerate() {
//!     let event = serde_json::json!({"File.Sensitive": "ssh_key", "TargetFilename": path, "ContainerId": "c1"});
//!     let event = JsonEvent::new(&event, fields::FILE_ACCESS);
//!     let mut matches = Vec::new();
//!     engine.evaluate(&event, &mut matches);
//!     firings.extend(correlator.observe(&event, &matches, &number, 1_000_000_000 * number as i64));
//! }
//! assert_eq!(firings[0].events.iter().map(|event| event.id).collect::<Vec<_>>(), [0, 1]);
//! assert_eq!(engine.correlation(firings[0].correlation).rule.title, "Private keys of several places were read");
//! ```

#![forbid(unsafe_code)]

mod compile;
mod content;
pub mod correlate;
mod error;
mod evaluate;
mod event;
pub mod example;
pub mod fields;
pub mod indicators;
mod json;
pub mod limits;
mod load;
mod mapping;
mod placeholders;
mod rule;
mod syntax;

pub use content::{content, node_content, overlay};
pub use correlate::{Contribution, Correlation, CorrelationIndex, Correlator, Derived, Firing, Loss};
pub use error::LoadError;
pub use evaluate::explain::{Matched, Part, Unfitting};
pub use event::{Event, LogSource, Value};
pub use example::Example;
pub use fields::{Field, Known};
pub use json::{JsonEvent, Spread};
pub use placeholders::Placeholders;
pub use rule::{ExecFlags, Level, Response, Rule, RuleIndex, RuleSource};

use std::sync::Arc;

use compile::Program;
use compile::index::Index;

/// Loaded rules, ready to evaluate. Shared between threads by reference.
#[derive(Debug, Default)]
pub struct Engine {
    /// As long as `programs`; both are addressed by `RuleIndex`.
    rules: Vec<Rule>,
    programs: Vec<(RuleSource, Program)>,
    index: Index,
    correlations: Arc<[Correlation]>,
}

impl Engine {
    /// Loads rules, correlations, filters and lists of values. Each document that cannot be used is one error; all others are loaded.
    /// Two rules of one id that do not detect the same are an error for the second.
    pub fn load<F, T>(sources: impl IntoIterator<Item = (F, T)>) -> (Self, Vec<LoadError>)
    where
        F: AsRef<str>,
        T: AsRef<str>,
    {
        Self::build(sources, Placeholders::new(), limits::TABLE_BYTES)
    }

    /// The same for a machine whose memory is not ours: the rules take half as much, and looking for their words up to twice as long.
    pub fn load_small<F, T>(sources: impl IntoIterator<Item = (F, T)>) -> (Self, Vec<LoadError>)
    where
        F: AsRef<str>,
        T: AsRef<str>,
    {
        Self::build(sources, Placeholders::new(), 0)
    }

    /// Loads rules, with lists of values for those that have placeholders.
    pub fn load_with<F, T>(
        sources: impl IntoIterator<Item = (F, T)>,
        placeholders: Placeholders,
    ) -> (Self, Vec<LoadError>)
    where
        F: AsRef<str>,
        T: AsRef<str>,
    {
        Self::build(sources, placeholders, limits::TABLE_BYTES)
    }

    fn build<F, T>(
        sources: impl IntoIterator<Item = (F, T)>,
        placeholders: Placeholders,
        table_bytes: usize,
    ) -> (Self, Vec<LoadError>)
    where
        F: AsRef<str>,
        T: AsRef<str>,
    {
        let mut loader = load::Loader::new(placeholders);
        for (file, text) in mapping::EMBEDDED {
            loader.file(file, text);
        }
        for (file, text) in sources {
            loader.file(file.as_ref(), text.as_ref());
        }
        let load::Built { rules, programs, correlations, errors } = loader.finish();
        let index = Index::new(&programs, table_bytes);
        (Self { rules, programs, index, correlations: correlations.into() }, errors)
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

    /// What each part of a rule makes of an event, whether the rule matches it or not.
    pub fn explain_parts<E: Event + ?Sized>(&self, rule: RuleIndex, event: &E) -> Vec<Part> {
        evaluate::explain::parts(&self.programs[rule.position()].1, event)
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

    /// A correlation that this engine gave.
    pub fn correlation(&self, correlation: CorrelationIndex) -> &Correlation {
        &self.correlations[correlation.position()]
    }

    /// All correlations in the order of loading. They are fulfilled through a [`Correlator`].
    pub fn correlations(&self) -> impl ExactSizeIterator<Item = (CorrelationIndex, &Correlation)> {
        let index = |position| CorrelationIndex(u32::try_from(position).expect("an engine holds at most 1024"));
        self.correlations.iter().enumerate().map(move |(position, correlation)| (index(position), correlation))
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

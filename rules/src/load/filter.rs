//! Filters: what rules are not to be told of, put into the rules that they name.
//!
//! Takes a filter once all rules are built; changes their programs. A rule that a filter names and that is not there, or
//! is one of another log source, is an error; the filter is put into the others all the same.

use std::collections::BTreeSet;

use super::{Loader, Waiting};
use crate::compile;
use crate::correlate::Target;
use crate::error::Fault;
use crate::rule::{Response, RuleSource};
use crate::syntax::filter::{Filter, Filtered};

impl Loader {
    pub(super) fn filter(&mut self, waiting: &Waiting<Filter>) -> Result<(), Fault> {
        let Waiting { header, body: filter, .. } = waiting;
        let missing = |key: &str| Fault::new(header.line, key, "is missing");
        header.title.as_ref().ok_or_else(|| missing("title"))?;
        let source = header.source.as_ref().ok_or_else(|| missing("logsource"))?;
        let suppressed = compile::compile(&filter.suppressed, source, &self.surroundings, &mut self.spent)?;
        let (positions, fault) = self.filtered(&filter.rules, source);
        for position in positions {
            let (rule, program) = (&mut self.built.rules[position], &mut self.built.programs[position].1);
            program.without(&suppressed);
            // The kernel knows of no filter.
            if matches!(rule.response, Response::Stop { kernel: Some(_) }) {
                rule.response = Response::Stop { kernel: None };
            }
        }
        fault.map_or(Ok(()), Err)
    }

    /// The positions of the rules that a filter is for, each once, and the first that it cannot be for.
    fn filtered(&self, rules: &Filtered, source: &RuleSource) -> (BTreeSet<usize>, Option<Fault>) {
        let Filtered::Named(named) = rules else {
            let sources = self.built.rules.iter().map(|rule| &rule.source).enumerate();
            let fit = sources.filter(|(_, other)| covers(source, other)).map(|(position, _)| position);
            return (fit.collect(), None);
        };
        let mut positions = BTreeSet::new();
        let mut fault = None;
        for (line, word) in named {
            let rule = self.names.find(word).and_then(|target| match target {
                Target::Rule(rule) => Ok(rule.position()),
                Target::Correlation(_) => Err(format!("`{word}` is a correlation: filters are for rules")),
            });
            let found = rule.and_then(|position| {
                let fits = covers(source, &self.built.rules[position].source);
                fits.then_some(position)
                    .ok_or_else(|| format!("`{word}` is a rule of another log source than this filter"))
            });
            match found {
                Ok(position) => {
                    positions.insert(position);
                }
                Err(message) => fault = fault.or(Some(Fault::new(*line, "filter.rules", message))),
            }
        }
        (positions, fault)
    }
}

/// Whether each word of the filter's log source is the rule's.
fn covers(filter: &RuleSource, rule: &RuleSource) -> bool {
    filter.applies_to(&rule.as_log_source())
}

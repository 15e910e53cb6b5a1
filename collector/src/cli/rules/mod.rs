//! `mayfly rules`: what rules there are, whether they are sound, what they find, and why. Takes words, rule files and events; needs no running
//! collector. Judges with the engine that nodes and collector have, and decides nothing itself.

mod attack;
mod data;
mod explain;
mod lint;
mod list;
mod navigator;
mod prove;
mod show;
mod sources;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use collector_core::model::event::Raw;
use rules::correlate::Target;
use rules::{Engine, Rule, RuleSource};
use serde_json::{Value, json};

use super::{examples, say};
use crate::rule_files::{Loaded, RuleFiles};

/// Which rules, and what about them.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Add the rules of this folder to the built-in ones; a file of the same path replaces a built-in one. Can be given several times.
    #[arg(long = "rules", global = true, value_name = "DIR")]
    added: Vec<PathBuf>,
    /// Lists of values for rules with `expand`: a file with a map `placeholders`. Can be given several times.
    #[arg(long, global = true, value_name = "FILE")]
    placeholders: Vec<PathBuf>,
    #[command(subcommand)]
    command: RulesCommand,
}

/// What can be asked of rules.
#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// The rules, one a row.
    #[command(after_help = examples::RULES_LIST)]
    List(list::Wanted),
    /// One rule: why it matters, what else it could be, what it asks for.
    #[command(after_help = examples::RULES_SHOW)]
    Show {
        /// Its id or the first letters of it, its path, or a file.
        #[arg(value_name = "ID|FILE")]
        which: String,
    },
    /// What is wrong in rule files: file, line, key, and what is allowed. Exit status 1 where anything is.
    #[command(after_help = examples::RULES_LINT)]
    Lint {
        /// Files and folders, which are then read alone. Default: the built-in rules, and those of --rules.
        #[arg(value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// Try rules on their own examples, or on labelled events. Exit status 1 where an example disagrees.
    #[command(after_help = examples::RULES_TEST)]
    Test {
        /// Files and folders, whose rules are then tried alone. Default: the built-in rules, and those of --rules.
        #[arg(value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
        /// Try them on the labelled events (.jsonl) below this folder instead: what is found, what is missed, what is found falsely.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Why rules match an event, or why one does not.
    #[command(after_help = examples::RULES_EXPLAIN)]
    Explain(explain::Wanted),
    /// What is covered, as a layer for the ATT&CK Navigator.
    #[command(after_help = examples::RULES_NAVIGATOR)]
    Navigator,
}

/// Does what was asked.
pub(crate) fn run(wanted: &Wanted, json: bool) -> Result<()> {
    match &wanted.command {
        RulesCommand::List(filter) => list::list(&wanted.load(&[]), filter, json),
        RulesCommand::Show { which } => show::show(wanted, which, json),
        RulesCommand::Lint { paths } => lint::lint(wanted, paths, json),
        RulesCommand::Test { paths, data: None } => prove::prove(&wanted.load(paths), json),
        RulesCommand::Test { paths, data: Some(folder) } => data::test(&wanted.load(paths), folder, json),
        RulesCommand::Explain(asked) => explain::explain(&wanted.load(&[]), asked, json),
        RulesCommand::Navigator => navigator::layer(&wanted.load(&[])),
    }
}

impl Wanted {
    /// The files of these paths, or else of the folders that are added; value lists with both.
    fn files(&self, paths: &[PathBuf]) -> RuleFiles {
        let mut files = RuleFiles::read(if paths.is_empty() { &self.added } else { paths });
        for path in &self.placeholders {
            files.add(path);
        }
        files
    }

    /// Rules of some files and folders alone, or the embedded ones with those that are added. What cannot be used is said beside the answer.
    fn load(&self, paths: &[PathBuf]) -> Loaded {
        let files = self.files(paths);
        let unread: Vec<_> = files.problems.iter().map(ToString::to_string).collect();
        let loaded = engine(files, paths);
        left_out(&unread, &loaded);
        loaded
    }
}

fn engine(files: RuleFiles, paths: &[PathBuf]) -> Loaded {
    say::while_working("loads rules", || if paths.is_empty() { files.load_over_embedded() } else { files.load() })
}

fn left_out(unread: &[String], loaded: &Loaded) {
    const SAID: usize = 10;
    let broken = loaded.errors.iter().map(ToString::to_string);
    let all: Vec<_> = unread.iter().cloned().chain(broken).collect();
    for problem in all.iter().take(SAID) {
        eprintln!("mayfly: left out: {}", printable(problem));
    }
    if let Some(more) = all.len().checked_sub(SAID).filter(|more| *more > 0) {
        eprintln!("mayfly: and {more} more are left out: `mayfly rules lint DIR` names them all");
    }
}

/// Everything that may become a finding or serves one: rules, and correlations of them.
fn all_rules(engine: &Engine) -> impl Iterator<Item = &Rule> {
    let correlations = engine.correlations().map(|(_, correlation)| &correlation.rule);
    engine.rules().map(|(_, rule)| rule).chain(correlations)
}

/// The log sources that a rule is about: of a correlation those of its rules.
fn sources_of<'a>(engine: &'a Engine, rule: &'a Rule) -> Vec<&'a RuleSource> {
    let mut found = Vec::new();
    gather(engine, rule, &mut found, CHAIN);
    found
}

/// Correlations of correlations are followed so far.
const CHAIN: usize = 8;

fn gather<'a>(engine: &'a Engine, rule: &'a Rule, found: &mut Vec<&'a RuleSource>, depth: usize) {
    let mut add = |source: &'a RuleSource| {
        if *source != RuleSource::default() && !found.contains(&source) {
            found.push(source);
        }
    };
    add(&rule.source);
    let correlation = engine.correlations().find(|(_, correlation)| correlation.rule.id == rule.id);
    for member in correlation.iter().flat_map(|(_, correlation)| &correlation.members) {
        match (member, depth.checked_sub(1)) {
            (Target::Rule(rule), _) => gather(engine, engine.rule(*rule), found, 0),
            (Target::Correlation(other), Some(depth)) => {
                gather(engine, &engine.correlation(*other).rule, found, depth);
            }
            (Target::Correlation(_), None) => {}
        }
    }
}

/// A text of a rule or an event as people can read it: whoever wrote it shall not write to a terminal.
fn printable(text: &str) -> String {
    text.split('\n').map(|line| Raw(line.as_bytes().to_vec()).escape()).collect::<Vec<_>>().join("\n")
}

/// `aws/cloudtrail`: the words of the log sources that a rule is about.
fn source_words(engine: &Engine, rule: &Rule) -> String {
    let words = sources_of(engine, rule).into_iter().map(|source| sources::words(&source.as_log_source()));
    words.collect::<Vec<_>>().join(" ")
}

/// What a correlation counts, as the rule file calls it; nothing for a rule.
fn correlates(engine: &Engine, rule: &Rule) -> Option<&'static str> {
    let found = engine.correlations().find(|(_, correlation)| correlation.rule.id == rule.id);
    found.map(|(_, correlation)| correlation.kind.name())
}

/// What machines are told of a rule wherever it is named.
fn summary(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "title": rule.title,
        "level": rule.level.name(),
        "file": rule.file,
        "line": rule.line,
        "logsource": {
            "category": rule.source.category,
            "product": rule.source.product,
            "service": rule.source.service,
        },
        "techniques": rule.techniques,
        "tactics": rule.tactics,
    })
}

#[cfg(test)]
impl Wanted {
    fn nothing_added() -> Self {
        Self { added: Vec::new(), placeholders: Vec::new(), command: RulesCommand::Navigator }
    }
}

/// `1 rule`, `2 rules`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

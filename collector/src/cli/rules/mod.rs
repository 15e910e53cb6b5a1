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
use rules::{Rule, RuleSource};
use serde_json::{Value, json};

use super::{examples, say};
use crate::rule_files::{Loaded, RuleFiles};

/// Which rules, and what about them.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Add the rules of this folder to the built-in ones; a file of the same path replaces a built-in one. Can be given several times.
    #[arg(long = "rules", global = true, value_name = "DIR")]
    added: Vec<PathBuf>,
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
    let added = &wanted.added;
    match &wanted.command {
        RulesCommand::List(filter) => list::list(&load(added), filter, json),
        RulesCommand::Show { which } => show::show(added, which, json),
        RulesCommand::Lint { paths } => lint::lint(added, paths, json),
        RulesCommand::Test { paths, data: None } => prove::prove(&alone(added, paths), json),
        RulesCommand::Test { paths, data: Some(folder) } => data::test(&alone(added, paths), folder, json),
        RulesCommand::Explain(asked) => explain::explain(&load(added), asked, json),
        RulesCommand::Navigator => navigator::layer(&load(added)),
    }
}

/// The embedded rules with those of folders. What cannot be used is said beside the answer.
fn load(added: &[PathBuf]) -> Loaded {
    let files = RuleFiles::read(added);
    let unread: Vec<_> = files.problems.iter().map(ToString::to_string).collect();
    let loaded = say::while_working("loads rules", || files.load_over_embedded());
    left_out(&unread, &loaded);
    loaded
}

/// The rules of some files and folders alone, or of all where none is named.
fn alone(added: &[PathBuf], paths: &[PathBuf]) -> Loaded {
    if paths.is_empty() {
        return load(added);
    }
    let files = RuleFiles::read(paths);
    let unread: Vec<_> = files.problems.iter().map(ToString::to_string).collect();
    let loaded = say::while_working("loads rules", || files.load());
    left_out(&unread, &loaded);
    loaded
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

/// A text of a rule or an event as people can read it: whoever wrote it shall not write to a terminal.
fn printable(text: &str) -> String {
    text.split('\n').map(|line| Raw(line.as_bytes().to_vec()).escape()).collect::<Vec<_>>().join("\n")
}

/// `aws/cloudtrail`: the words that a rule's log source has.
fn source_words(source: &RuleSource) -> String {
    let words = [&source.product, &source.service, &source.category];
    words.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/")
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

/// `1 rule`, `2 rules`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

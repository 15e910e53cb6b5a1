//! `mayfly rules lint`: what is wrong in rule files. Takes files and folders; prints each fault with its place, and is an error where a rule cannot be
//! used. A broken rule hides no fault of another.

use std::path::PathBuf;

use anyhow::{Result, bail};
use rules::{Engine, Rule};
use serde_json::{Value, json};

use super::{Wanted, all_rules, count, engine, printable};
use crate::cli::say;
use crate::rule_files::Loaded;

/// Something to put right.
struct Fault {
    file: String,
    line: u32,
    key: String,
    message: String,
}

/// Prints what is wrong.
pub(super) fn lint(wanted: &Wanted, paths: &[PathBuf], json: bool) -> Result<()> {
    let files = wanted.files(paths);
    if !paths.is_empty() && files.is_empty() && files.problems.is_empty() {
        let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        bail!("no .yml or .yaml file below {}", names.join(", "));
    }
    let unread = files.problems.iter().map(|problem| Fault {
        file: problem.path.display().to_string(),
        line: 0,
        key: "file".to_owned(),
        message: problem.what.clone(),
    });
    let unread: Vec<_> = unread.collect();
    let loaded = engine(files, paths);
    let errors: Vec<_> = unread.into_iter().chain(refused(&loaded)).collect();
    let warnings = all_warnings(&loaded.engine);
    if json {
        let errors = errors.iter().map(|fault| told(fault, "error"));
        errors
            .chain(warnings.iter().map(|fault| told(fault, "warning")))
            .try_for_each(|fault| say::json_line(&fault))?;
    } else {
        print(&loaded, &errors, &warnings)?;
    }
    if errors.is_empty() { Ok(()) } else { bail!("{}", count(errors.len(), "error")) }
}

fn refused(loaded: &Loaded) -> impl Iterator<Item = Fault> {
    loaded.errors.iter().map(|error| Fault {
        file: error.file.clone(),
        line: error.line,
        key: error.key.clone(),
        message: error.message.clone(),
    })
}

fn all_warnings(engine: &Engine) -> Vec<Fault> {
    let proofs = |rule: &Rule| rule.examples.iter().map(|one| one.matches).collect::<Vec<_>>();
    let rules = engine.rules().flat_map(|(_, rule)| warnings(rule, &proofs(rule)));
    let correlations = engine.correlations().flat_map(|(_, one)| {
        let proofs: Vec<_> = one.timelines.iter().map(|timeline| timeline.matches).collect();
        warnings(&one.rule, &proofs)
    });
    rules.chain(correlations).collect()
}

/// What a rule in our own form should say and does not; `proofs` says of each example whether it must match. Rules of other collections are
/// held to their own form.
fn warnings(rule: &Rule, proofs: &[bool]) -> Vec<Fault> {
    let own = !rule.why.is_empty() || !proofs.is_empty();
    let lacks = [
        (rule.why.is_empty(), "mayfly.why", "is missing: the report says it to people"),
        (rule.false_positives.is_empty(), "falsepositives", "is missing: what else could explain a match?"),
        (rule.description.is_empty(), "description", "is missing: what does it look for?"),
        (rule.techniques.is_empty(), "tags", "name no ATT&CK technique, as `attack.t1552.005`"),
        (!proofs.contains(&true), "mayfly.match", "needs at least one example"),
        (!proofs.contains(&false), "mayfly.near_miss", "needs at least one example"),
    ];
    let lacks = lacks.into_iter().filter(|(lacks, _, _)| own && *lacks);
    let fault = |(_, key, message): (bool, &str, &str)| Fault {
        file: rule.file.clone(),
        line: rule.line,
        key: key.to_owned(),
        message: message.to_owned(),
    };
    lacks.map(fault).collect()
}

fn told(fault: &Fault, severity: &str) -> Value {
    json!({
        "severity": severity,
        "file": fault.file,
        "line": fault.line,
        "key": fault.key,
        "message": fault.message,
    })
}

fn print(loaded: &Loaded, errors: &[Fault], warnings: &[Fault]) -> Result<()> {
    let said = |fault: &Fault| {
        let Fault { file, line, key, message } = fault;
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
        printable(&format!("{place}: {key}: {message}"))
    };
    for fault in errors {
        say::line(&format!("{} {}", say::level_word("error", "high"), said(fault)))?;
    }
    for fault in warnings {
        say::line(&format!("{} {}", say::level_word("warning", "medium"), said(fault)))?;
    }
    say::line(&format!(
        "{} in {}: {}, {}",
        count(all_rules(&loaded.engine).count(), "rule"),
        count(loaded.texts.len(), "file"),
        count(errors.len(), "error"),
        count(warnings.len(), "warning")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "title: T\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\nmayfly:\n  why: because\n  \
                       match: [{name: m, event: {a: b}}]\n  near_miss: [{name: n, event: {a: c}}]\n";

    #[test]
    fn a_rule_of_our_form_is_warned_about_and_one_of_another_collection_is_not() {
        let keys = |text: &str| {
            let (engine, errors) = rules::Engine::load([("r.yml", text)]);
            assert!(errors.is_empty(), "{errors:?}");
            all_warnings(&engine).into_iter().map(|fault| fault.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(OWN), ["falsepositives", "description", "tags"]);
        let (public, _) = OWN.split_once("mayfly").expect("it has our key");
        assert!(keys(public).is_empty());
    }

    #[test]
    fn a_broken_rule_is_an_error_and_the_built_in_ones_are_none() {
        assert!(lint(&Wanted::nothing_added(), &[], true).is_ok());
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("good.yml"), OWN).expect("a file of our own");
        assert!(lint(&Wanted::nothing_added(), &[folder.path().to_owned()], true).is_ok());
        std::fs::write(folder.path().join("broken.yml"), "title: [").expect("a file of our own");
        let said =
            lint(&Wanted::nothing_added(), &[folder.path().to_owned()], true).expect_err("one is broken").to_string();
        assert_eq!(said, "1 error");
        let absent = lint(&Wanted::nothing_added(), &[folder.path().join("absent")], true);
        assert!(absent.is_err());
    }
}

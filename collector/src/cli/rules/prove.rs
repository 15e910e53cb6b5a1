//! `mayfly rules test`: whether rules agree with the examples in their files. Takes loaded rules; prints each example that disagrees, with the parts
//! of the rule that decided, and is an error where one does.

use anyhow::{Result, bail};
use rules::example::disagreements;
use rules::{Engine, Example, JsonEvent, RuleIndex};
use serde_json::json;

use super::{count, explain, printable};
use crate::cli::say;
use crate::rule_files::Loaded;

/// Tries all examples.
pub(super) fn prove(loaded: &Loaded, json: bool) -> Result<()> {
    let engine = &loaded.engine;
    let wrong = say::while_working("tries examples", || disagreements(engine));
    for (rule, example) in &wrong {
        disagrees(engine, *rule, example, json)?;
    }
    let examples: usize = engine.rules().map(|(_, rule)| rule.examples.len()).sum();
    let without = engine.rules().filter(|(_, rule)| rule.examples.is_empty()).count();
    if json {
        say::json_line(&json!({
            "rules": engine.rules().len(),
            "examples": examples,
            "without_examples": without,
            "disagree": wrong.len(),
            "left_out": loaded.errors.len(),
        }))?;
    } else {
        let rules = count(engine.rules().len(), "rule");
        let lacking = if without == 0 { String::new() } else { format!("; {} without any", count(without, "rule")) };
        let agree = if wrong.is_empty() { ": all agree" } else { "" };
        say::line(&format!("{rules}, {}{agree}{lacking}", count(examples, "example")))?;
    }
    if !wrong.is_empty() {
        bail!("{} from the rule", differ(wrong.len()));
    }
    if !loaded.errors.is_empty() {
        bail!("{} cannot be used: `mayfly rules lint` says why", count(loaded.errors.len(), "rule"));
    }
    Ok(())
}

fn differ(wrong: usize) -> String {
    if wrong == 1 { "1 example differs".to_owned() } else { format!("{wrong} examples differ") }
}

fn disagrees(engine: &Engine, index: RuleIndex, example: &Example, json: bool) -> Result<()> {
    let rule = engine.rule(index);
    let event = JsonEvent::new(&example.event, rule.source.as_log_source());
    let parts = engine.parts(index, &event);
    if json {
        return say::json_line(&json!({
            "rule": rule.id,
            "title": rule.title,
            "file": rule.file,
            "line": example.line,
            "example": example.name,
            "must_match": example.matches,
            "parts": explain::parts_json(&parts),
        }));
    }
    let must = if example.matches { "must match and does not" } else { "must not match and does" };
    let place = format!("{}:{}: {}: `{}` {must}", rule.file, example.line, rule.title, example.name);
    say::line(&format!("{} {}", say::level_word("wrong", "high"), printable(&place)))?;
    say::line(&explain::parts_text(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_files::RuleFiles;

    #[test]
    fn the_built_in_rules_agree_with_their_examples() {
        let loaded = RuleFiles::default().load_over_embedded();
        prove(&loaded, true).expect("all agree");
    }

    #[test]
    fn an_example_that_disagrees_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rule = "title: T\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\nmayfly:\n  why: because\n  \
                    match: [{name: m, event: {a: x}}]\n  near_miss: [{name: n, event: {a: b}}]\n";
        std::fs::write(folder.path().join("r.yml"), rule).expect("a file of our own");
        let loaded = RuleFiles::read(&[folder.path().to_owned()]).load();
        let said = prove(&loaded, true).expect_err("both are wrong").to_string();
        assert_eq!(said, "2 examples differ from the rule");
    }
}

//! `mayfly rules test`: whether rules agree with the examples in their files. Takes loaded rules; prints each example that disagrees, with the parts
//! of the rule that decided, and is an error where one does.

use anyhow::{Result, bail};
use rules::example::{Timeline, broken_timelines, disagreements};
use rules::{Correlation, Engine, Example, JsonEvent, Part, Rule, RuleIndex};
use serde_json::json;

use super::{count, explain, printable};
use crate::cli::say;
use crate::rule_files::Loaded;

/// Tries all examples.
pub(super) fn prove(loaded: &Loaded, json: bool) -> Result<()> {
    let engine = &loaded.engine;
    let (wrong, broken) = say::while_working("tries examples", || (disagreements(engine), broken_timelines(engine)));
    for (rule, example) in &wrong {
        disagrees(engine, *rule, example, json)?;
    }
    for (correlation, timeline) in &broken {
        breaks(engine.correlation(*correlation), timeline, json)?;
    }
    let wrong = wrong.len() + broken.len();
    let proofs = engine.rules().map(|(_, rule)| rule.examples.len());
    let proofs: Vec<_> = proofs.chain(engine.correlations().map(|(_, one)| one.timelines.len())).collect();
    let examples: usize = proofs.iter().sum();
    let without = proofs.iter().filter(|proofs| **proofs == 0).count();
    if json {
        say::json_line(&json!({
            "rules": proofs.len(),
            "examples": examples,
            "without_examples": without,
            "disagree": wrong,
            "left_out": loaded.errors.len(),
        }))?;
    } else {
        let rules = count(proofs.len(), "rule");
        let lacking = if without == 0 { String::new() } else { format!("; {} without any", count(without, "rule")) };
        let agree = if wrong == 0 && examples > 0 { ": all agree" } else { "" };
        say::line(&format!("{rules}, {}{agree}{lacking}", count(examples, "example")))?;
    }
    if wrong > 0 {
        bail!("{} from the rule", differ(wrong));
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
    let parts = engine.explain_parts(index, &event);
    tell(rule, (example.line, &example.name, example.matches), Some(&parts), json)
}

/// Of a timeline there are no parts to show: what it lacks is in the rules that it is of.
fn breaks(correlation: &Correlation, timeline: &Timeline, json: bool) -> Result<()> {
    tell(&correlation.rule, (timeline.line, &timeline.name, timeline.matches), None, json)
}

/// One example that is not as its file says, by its line, its name, and whether it must match.
fn tell(rule: &Rule, (line, name, matches): (u32, &str, bool), parts: Option<&[Part]>, json: bool) -> Result<()> {
    if json {
        let mut told = json!({
            "rule": rule.id,
            "title": rule.title,
            "file": rule.file,
            "line": line,
            "example": name,
            "must_match": matches,
        });
        if let Some(parts) = parts {
            told["parts"] = explain::parts_json(parts);
        }
        return say::json_line(&told);
    }
    let place = format!("{}:{line}: {}: `{name}` {}", rule.file, rule.title, must(matches));
    say::line(&format!("{} {}", say::level_word("wrong", "high"), printable(&place)))?;
    parts.map_or(Ok(()), |parts| say::line(&explain::parts_text(parts)))
}

fn must(matches: bool) -> &'static str {
    if matches { "must match and does not" } else { "must not match and does" }
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

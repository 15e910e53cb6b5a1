//! `mayfly rules list`. Takes loaded rules and what is wanted of them; prints a row a rule.

use anyhow::Result;
use clap::Args;
use rules::{Engine, Level, Rule};
use serde_json::{Value, json};

use super::sources;
use super::{all_rules, correlates, count, printable, source_words, sources_of, summary};
use crate::cli::say;
use crate::rule_files::Loaded;

/// Which rules.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// About this product, service or kind of event: `aws`, `kubernetes`, `entra`, `linux`, `process_creation`, …
    #[arg(long, value_name = "WORD")]
    source: Option<String>,
    /// Of this level or above.
    #[arg(long, value_parser = level)]
    level: Option<Level>,
    /// About this ATT&CK technique, or one below it: `T1552`, `T1552.005`.
    #[arg(long, value_name = "ID")]
    technique: Option<String>,
}

fn level(word: &str) -> Result<Level, String> {
    let known = || Level::ALL.map(Level::name).join(", ");
    Level::from_name(&word.to_ascii_lowercase()).ok_or_else(|| format!("there are {}", known()))
}

impl Wanted {
    fn fits(&self, engine: &Engine, rule: &Rule) -> bool {
        let about = |word| sources_of(engine, rule).into_iter().any(|source| sources::names(word, source));
        self.level.is_none_or(|level| rule.level >= level)
            && self.source.as_deref().is_none_or(about)
            && self.technique.as_deref().is_none_or(|wanted| rule.techniques.iter().any(|id| below(id, wanted)))
    }
}

/// Whether a technique is the wanted one, or one of its sub-techniques.
fn below(id: &str, wanted: &str) -> bool {
    let (head, rest) = id.split_at_checked(wanted.len()).unwrap_or((id, ""));
    head.eq_ignore_ascii_case(wanted) && (rest.is_empty() || rest.starts_with('.'))
}

/// Prints them.
pub(super) fn list(loaded: &Loaded, wanted: &Wanted, json: bool) -> Result<()> {
    let engine = &loaded.engine;
    let rules: Vec<&Rule> = all_rules(engine).filter(|rule| wanted.fits(engine, rule)).collect();
    if json {
        return rules.iter().try_for_each(|rule| say::json_line(&told(engine, rule)));
    }
    if rules.is_empty() {
        let products = sources::products(engine.rules().map(|(_, rule)| &rule.source));
        return say::line(&format!("No rule is like that. Rules are about {}.", products.join(", ")));
    }
    let mut table = say::table(&["level", "id", "title", "log source", "techniques"]);
    say::whole_column(&mut table, 0);
    say::whole_column(&mut table, 1);
    for rule in &rules {
        table.add_row([
            say::level_cell(rule.level.name()),
            printable(&rule.id).into(),
            printable(&rule.title).into(),
            printable(&source_words(engine, rule)).into(),
            printable(&rule.techniques.join(" ")).into(),
        ]);
    }
    say::line(&table.to_string())?;
    let all = all_rules(engine).count();
    let of = if rules.len() == all { String::new() } else { format!(" of {all}") };
    say::line(&format!("{}{of}. `mayfly rules show ID` says all of one.", count(rules.len(), "rule")))
}

fn told(engine: &Engine, rule: &Rule) -> Value {
    let mut told = summary(rule);
    if let Some(kind) = correlates(engine, rule) {
        told["correlation"] = json!(kind);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(wanted: &Wanted) -> Vec<&'static str> {
        let rules = "title: A\nlevel: high\ntags: [attack.t1552.005]\nlogsource: {product: aws, service: cloudtrail}\n\
                     detection: {s: {a: b}, condition: s}\n---\n\
                     title: B\nlevel: low\ntags: [attack.t1552]\nlogsource: {product: azure, service: signinlogs}\n\
                     detection: {s: {a: b}, condition: s}\n---\n\
                     title: C\nlevel: critical\ncorrelation: {type: event_count, rules: [B], group-by: [u], timespan: 1m, \
                     condition: {gte: 3}}\n";
        let (engine, errors) = rules::Engine::load([("r.yml", rules)]);
        assert!(errors.is_empty(), "{errors:?}");
        let fits = |title: &&str| all_rules(&engine).any(|rule| rule.title == **title && wanted.fits(&engine, rule));
        ["A", "B", "C"].into_iter().filter(fits).collect()
    }

    fn wanted(source: Option<&str>, level: Option<Level>, technique: Option<&str>) -> Wanted {
        Wanted { source: source.map(str::to_owned), level, technique: technique.map(str::to_owned) }
    }

    #[test]
    fn rules_are_chosen_by_source_level_and_technique() {
        assert_eq!(found(&wanted(None, None, None)), ["A", "B", "C"]);
        assert_eq!(found(&wanted(Some("AWS"), None, None)), ["A"]);
        assert_eq!(found(&wanted(Some("entra"), None, None)), ["B", "C"]);
        assert_eq!(found(&wanted(None, Some(Level::Medium), None)), ["A", "C"]);
        assert_eq!(found(&wanted(None, None, Some("t1552"))), ["A", "B"]);
        assert_eq!(found(&wanted(None, None, Some("T1552.005"))), ["A"]);
        assert!(found(&wanted(None, None, Some("T155"))).is_empty());
    }

    #[test]
    fn a_word_that_is_no_level_is_answered_with_all_levels() {
        assert_eq!(level("High"), Ok(Level::High));
        assert_eq!(level("grave"), Err("there are informational, low, medium, high, critical".to_owned()));
    }
}

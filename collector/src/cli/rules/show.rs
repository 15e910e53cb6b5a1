//! `mayfly rules show`: all that a rule says. Takes an id, a path of the content or a file; prints for people, with the file's text.

use std::path::Path;

use anyhow::{Result, bail};
use rules::{Engine, Response, Rule};
use serde_json::{Value, json};

use super::{Wanted, all_rules, attack, correlates, printable, source_words, summary};
use crate::cli::say;
use crate::rule_files::Loaded;

/// Shorter beginnings of an id are more likely a slip.
const PREFIX: usize = 4;

/// Prints a rule, or all of a file.
pub(super) fn show(wanted: &Wanted, which: &str, json: bool) -> Result<()> {
    let path = Path::new(which);
    let loaded = if path.is_file() { file(wanted, path)? } else { wanted.load(&[]) };
    let rules = find(&loaded, which, path.is_file());
    if rules.is_empty() {
        bail!("there is no rule {}: `mayfly rules list` names them", printable(which));
    }
    let files: Vec<_> = rules.iter().map(|rule| &rule.file).collect();
    if !path.is_file() && files.iter().any(|file| *file != files[0]) {
        let ids: Vec<_> = rules.iter().map(|rule| printable(&rule.id)).collect();
        bail!("{} begins more than one id: {}", printable(which), ids.join(", "));
    }
    let text = |rule: &Rule| loaded.texts.iter().find(|(name, _)| *name == rule.file).map(|(_, text)| text.as_str());
    if json {
        return rules.iter().try_for_each(|rule| say::json(&whole(&loaded.engine, rule, text(rule))));
    }
    for rule in &rules {
        say::line(&described(&loaded.engine, rule))?;
    }
    rules.first().and_then(|rule| text(rule)).map_or(Ok(()), |text| say::line(printable(text).trim_end()))
}

/// The rules of a file alone; an error where it has none that can be shown.
fn file(wanted: &Wanted, path: &Path) -> Result<Loaded> {
    let loaded = wanted.load(&[path.to_owned()]);
    if all_rules(&loaded.engine).next().is_none() {
        bail!("{}: there is no rule in it that can be shown", path.display());
    }
    Ok(loaded)
}

fn find<'a>(loaded: &'a Loaded, which: &str, all: bool) -> Vec<&'a Rule> {
    let lower = which.to_ascii_lowercase();
    let rules = || all_rules(&loaded.engine);
    let exact: Vec<_> = rules().filter(|rule| all || rule.id == which || rule.id == lower).collect();
    if !exact.is_empty() {
        return exact;
    }
    let path: Vec<_> = rules().filter(|rule| rule.file == which).collect();
    if !path.is_empty() {
        return path;
    }
    rules().filter(|rule| which.len() >= PREFIX && rule.id.starts_with(&lower)).collect()
}

fn response(rule: &Rule) -> &'static str {
    match rule.response {
        Response::Observe => "observe",
        Response::Capture => "capture",
        Response::Stop { kernel: None } => "stop",
        Response::Stop { kernel: Some(_) } => "stop, in the kernel",
    }
}

fn described(engine: &Engine, rule: &Rule) -> String {
    let mut lines = vec![say::bold(&printable(&rule.title))];
    lines.push(format!(
        "{} · {} · {} · {}:{}",
        say::level(rule.level.name()),
        printable(&rule.id),
        printable(&source_words(engine, rule)),
        printable(&rule.file),
        rule.line
    ));
    lines.extend(correlates(engine, rule).map(|kind| format!("a correlation of the kind {kind}")));
    let mut paragraph = |head: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("\n{head}\n{}", say::wrapped(&printable(text), "  ")));
        }
    };
    paragraph("What it looks for", &rule.description);
    paragraph("Why it matters", &rule.why);
    let mut items = |head: &str, items: Vec<String>| {
        if !items.is_empty() {
            let items: Vec<_> = items.iter().map(|item| format!("  - {}", printable(item))).collect();
            lines.push(format!("\n{head}\n{}", items.join("\n")));
        }
    };
    items("What else it could be", rule.false_positives.clone());
    items("ATT&CK", rule.techniques.iter().map(|id| attack::described(id)).collect());
    items("What a node does on a match", vec![response(rule).to_owned()]);
    let example = |matches: bool| {
        let fitting = rule.examples.iter().filter(move |example| example.matches == matches);
        fitting.map(|example| format!("{} (line {})", example.name, example.line)).collect()
    };
    items("Examples that match", example(true));
    items("Examples that must not match", example(false));
    items("Read on", rule.references.clone());
    lines.push("\nThe rule".to_owned());
    lines.join("\n")
}

fn whole(engine: &Engine, rule: &Rule, text: Option<&str>) -> Value {
    let mut all = summary(rule);
    let examples: Vec<_> = (rule.examples.iter())
        .map(|one| json!({"name": one.name, "line": one.line, "matches": one.matches, "event": one.event}))
        .collect();
    let names: Vec<_> = rule.techniques.iter().map(|id| json!({"id": id, "name": attack::name(id)})).collect();
    all["correlation"] = json!(correlates(engine, rule));
    all["description"] = json!(rule.description);
    all["why"] = json!(rule.why);
    all["falsepositives"] = json!(rule.false_positives);
    all["attack"] = json!(names);
    all["response"] = json!(response(rule));
    all["references"] = json!(rule.references);
    all["examples"] = json!(examples);
    all["yaml"] = json!(text);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_files::RuleFiles;

    fn embedded() -> Loaded {
        RuleFiles::default().load_over_embedded()
    }

    #[test]
    fn a_rule_is_found_by_id_by_its_beginning_and_by_its_path() {
        let loaded = embedded();
        let (_, rule) = loaded.engine.rules().next().expect("there are rules");
        for which in [rule.id.clone(), rule.id.to_ascii_uppercase(), rule.id[..8].to_owned(), rule.file.clone()] {
            let found: Vec<_> = find(&loaded, &which, false).iter().map(|rule| &rule.id).collect();
            assert_eq!(found, [&rule.id], "{which}");
        }
        assert!(find(&loaded, &rule.id[..2], false).is_empty());
    }

    #[test]
    fn all_that_a_rule_says_is_shown() {
        let loaded = embedded();
        let (_, rule) = loaded.engine.rules().find(|(_, rule)| !rule.techniques.is_empty()).expect("there are rules");
        let shown = described(&loaded.engine, rule);
        for said in [&rule.title, &rule.id, &rule.false_positives[0], &rule.techniques[0], &rule.examples[0].name] {
            assert!(shown.contains(said.as_str()), "{said}: {shown}");
        }
        let whole = whole(&loaded.engine, rule, Some("x"));
        assert!(whole["why"].as_str().is_some_and(|why| !why.is_empty()), "{whole}");
    }

    #[test]
    fn a_rule_cannot_write_to_the_terminal() {
        let rules = "title: \"a\\e[2Jb\"\nlogsource: {product: linux}\ndetection: {s: {a: b}, condition: s}\n";
        let (engine, _) = rules::Engine::load([("r.yml", rules)]);
        let (_, rule) = engine.rules().next().expect("one rule");
        let shown = described(&engine, rule);
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}

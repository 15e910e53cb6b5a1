//! `mayfly rules navigator`: what is covered, as a layer that the ATT&CK Navigator opens. Takes loaded rules; prints JSON of its format 4.5.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};

use super::{all_rules, count};
use crate::cli::say;
use crate::rule_files::Loaded;

/// A comment longer than this is a list that nobody reads in a small window.
const TITLES: usize = 20;

/// Prints the layer.
pub(super) fn layer(loaded: &Loaded) -> Result<()> {
    say::json(&described(loaded))
}

fn described(loaded: &Loaded) -> Value {
    let mut titles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in all_rules(&loaded.engine) {
        for id in rule.techniques.iter().collect::<BTreeSet<_>>() {
            titles.entry(id).or_default().push(&rule.title);
        }
    }
    let most = titles.values().map(Vec::len).max().unwrap_or_default();
    let mut techniques: Vec<_> = titles.iter().map(|(id, titles)| technique(id, titles)).collect();
    // A technique without rules of its own opens where one below it has some.
    let parents = titles.keys().filter_map(|id| id.split_once('.')).map(|(parent, _)| parent);
    let mut closed: Vec<_> = parents.filter(|parent| !titles.contains_key(parent)).collect();
    closed.dedup();
    techniques.extend(closed.iter().map(|id| json!({"techniqueID": id, "showSubtechniques": true})));
    json!({
        "name": "Mayfly",
        "versions": {"attack": "19", "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": format!(
            "Techniques that rules of Mayfly name: {} for {}.",
            count(all_rules(&loaded.engine).count(), "rule"), count(titles.len(), "technique"),
        ),
        "sorting": 3,
        "hideDisabled": false,
        "techniques": techniques,
        "gradient": {"colors": ["#d6ebff", "#0b5cad"], "minValue": 1, "maxValue": most.max(2)},
        "legendItems": [],
        "showTacticRowBackground": false,
        "selectTechniquesAcrossTactics": true,
        "selectSubtechniquesWithParent": false,
    })
}

fn technique(id: &str, titles: &[&str]) -> Value {
    let mut lines: Vec<_> = titles.iter().take(TITLES).map(ToString::to_string).collect();
    if let Some(more) = titles.len().checked_sub(TITLES).filter(|more| *more > 0) {
        lines.push(format!("… and {more} more"));
    }
    let comment = lines.join("\n");
    json!({
        "techniqueID": id,
        "score": titles.len(),
        "comment": comment,
        "enabled": true,
        "showSubtechniques": !id.contains('.'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_files::RuleFiles;

    #[test]
    fn a_technique_is_scored_by_its_rules_and_says_their_titles() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rule = |title: &str, tag: &str| {
            format!(
                "title: {title}\ntags: [attack.{tag}]\nlogsource: {{product: aws}}\ndetection: {{s: {{a: b}}, condition: s}}\n"
            )
        };
        let text = [rule("A", "t1552.005"), rule("B", "t1552.005"), rule("C", "t1611")].join("---\n");
        std::fs::write(folder.path().join("r.yml"), text).expect("a file of our own");
        let layer = described(&RuleFiles::read(&[folder.path().to_owned()]).load());
        let said: Vec<_> = (layer["techniques"].as_array().expect("a list").iter())
            .map(|one| format!("{} {} {}", one["techniqueID"], one["score"], one["comment"]))
            .collect();
        assert_eq!(said, [r#""T1552.005" 2 "A\nB""#, r#""T1611" 1 "C""#, r#""T1552" null null"#]);
        assert_eq!((&layer["versions"]["layer"], &layer["domain"]), (&json!("4.5"), &json!("enterprise-attack")));
    }
}

//! The embedded rules: each loads, proves itself on its own examples, and says what a rule has to say.
//!
//! Takes the embedded content; where sample data is present also the list of ATT&CK techniques and recorded events.

mod samples;

use std::collections::BTreeSet;
use std::path::Path;

use rules::{Engine, JsonEvent, Level, Response, content, example, fields};

fn engine() -> Engine {
    let (engine, errors) = Engine::load(content().iter().copied());
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
    engine
}

#[test]
fn every_example_agrees_with_its_rule() {
    let engine = engine();
    let wrong: Vec<_> = (example::disagreements(&engine).iter())
        .map(|(rule, example)| {
            let rule = engine.rule(*rule);
            let must = if example.matches { "match" } else { "not match" };
            format!("{}:{}: `{}` must {must}", rule.file, example.line, example.name)
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_match_is_explained_by_the_fields_that_decided() {
    let engine = engine();
    for (index, rule) in engine.rules() {
        for example in rule.examples.iter().filter(|example| example.matches) {
            let event = JsonEvent::new(&example.event, rule.source.as_log_source());
            assert!(!engine.explain(index, &event).is_empty(), "{}: `{}`", rule.file, example.name);
        }
    }
}

#[test]
fn every_rule_says_why_what_else_it_could_be_and_which_technique_it_is() {
    let engine = engine();
    for (_, rule) in engine.rules() {
        let file = &rule.file;
        assert!(!rule.why.is_empty(), "{file}: why");
        assert!(!rule.description.is_empty(), "{file}: description");
        assert!(!rule.false_positives.is_empty(), "{file}: falsepositives");
        assert!(!rule.techniques.is_empty() && !rule.tactics.is_empty(), "{file}: tags");
        assert!(rule.id.len() == 36, "{file}: id");
        assert!(rule.response != Response::Observe || rule.level < Level::Critical, "{file}: response");
    }
}

#[test]
fn every_file_of_the_folder_is_embedded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("content");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the content is readable") {
            let path = entry.expect("the content is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(&root).expect("the path is below the root").display().to_string());
            }
        }
    }
    assert_eq!(found, content().iter().map(|(file, _)| (*file).to_owned()).collect());
}

#[test]
fn the_kernel_stops_programs_without_a_file() {
    let flags = engine().kernel_stop();
    assert!(flags.memfd && flags.deleted && !flags.upper_layer, "{flags:?}");
}

#[test]
fn every_technique_is_in_attack_and_belongs_to_a_named_tactic() {
    let Some(path) = samples::sample("attack_v19.json") else { return };
    let text = std::fs::read_to_string(path).expect("a sample is readable");
    let attack: serde_json::Value = serde_json::from_str(&text).expect("a sample is JSON");
    let techniques = attack["techniques"].as_array().expect("techniques are a list");
    for (_, rule) in engine().rules() {
        for id in &rule.techniques {
            let technique = techniques.iter().find(|technique| technique["id"] == id.as_str());
            let technique = technique.unwrap_or_else(|| panic!("{}: no technique {id}", rule.file));
            let tactics = technique["tactics"].as_array().expect("tactics are a list");
            let named = tactics.iter().any(|tactic| rule.tactics.iter().any(|named| tactic == named.as_str()));
            assert!(named, "{}: {id} belongs to {tactics:?}, the rule names {:?}", rule.file, rule.tactics);
        }
    }
}

/// Real work on a real machine, outside containers.
#[test]
fn benign_work_raises_nothing_above_medium() {
    let engine = engine();
    let mut found = Vec::new();
    let mut hits = 0;
    let lines = samples::lines("events/linux_benign.jsonl");
    for line in &lines {
        let process = line["logsource"]["category"] == "process_creation";
        let source = if process { fields::PROCESS_CREATION } else { fields::FILE_EVENT };
        found.clear();
        engine.evaluate(&JsonEvent::new(&line["event"], source), &mut found);
        hits += found.len();
        for rule in &found {
            let rule = engine.rule(*rule);
            assert!(rule.level <= Level::Medium, "{}: {}", rule.file, line["event"]);
        }
    }
    println!("benign events: {hits} findings in {}", lines.len());
}

//! The engine against cases and rules that others wrote, where they are present.
//!
//! Takes sample data; prints how many cases agree, and fails on the first that does not.

mod samples;

use rules::{Correlator, Engine, JsonEvent, LogSource, Placeholders};
use serde_json::Value;

fn matches(rule: &str, event: &Value) -> Result<bool, String> {
    let (engine, errors) = Engine::load([("case", rule)]);
    if let Some(error) = errors.first() {
        return Err(error.to_string());
    }
    let source = engine.rules().next().map(|(_, rule)| rule.source.clone()).unwrap_or_default();
    let mut found = Vec::new();
    engine.evaluate(&JsonEvent::new(event, source.as_log_source()), &mut found);
    Ok(!found.is_empty())
}

fn check(name: &str, cases: &[Value], title: fn(&Value) -> String) {
    if cases.is_empty() {
        return;
    }
    let mut wrong = Vec::new();
    for case in cases {
        let rule = case["rule"].as_str().map_or_else(|| case["rule"].to_string(), str::to_owned);
        let answer = matches(&rule, &case["event"]);
        if answer != Ok(case["expect"] == true) {
            wrong.push(format!("{}: {answer:?}, expected {}", title(case), case["expect"]));
        }
    }
    println!("{name}: {} of {} agree", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_micro_case_agrees() {
    check("micro cases", &samples::lines("conformance/sigma_conformance.jsonl"), |case| case["case"].to_string());
}

#[test]
fn every_regression_case_agrees() {
    let cases = samples::lines("conformance/sigmahq_regression.jsonl");
    check("regression cases", &cases, |case| case["rule_path"].to_string());
}

#[test]
fn every_correlation_case_agrees() {
    let cases = samples::lines("conformance/sigma_correlation.jsonl");
    let mut wrong = Vec::new();
    for case in &cases {
        let found = timeline(case);
        let expect = &case["expect"];
        let first = found.first().map(|(at, _)| Value::from(*at));
        let groups: Vec<Value> = found.iter().map(|(_, group)| Value::from(group.clone())).collect();
        let agrees = found.is_empty() != (expect["fires"] == true)
            && (expect["first_at"].is_null() || first.as_ref() == Some(&expect["first_at"]))
            && expect["groups"].as_array().is_none_or(|expected| *expected == groups);
        if !agrees {
            wrong.push(format!("{}: {found:?}, expected {expect}", case["case"]));
        }
    }
    println!("correlation cases: {} of {} agree", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// When the last correlation of a case fires, by the number of the event, and for whom.
fn timeline(case: &Value) -> Vec<(usize, Vec<String>)> {
    let texts = case["rules"].as_array().into_iter().flatten().map(ToString::to_string);
    let (engine, errors) = Engine::load(texts.enumerate().map(|(number, text)| (number.to_string(), text)));
    assert!(errors.is_empty(), "{errors:?}");
    let last = engine.correlations().last().expect("a case has a correlation").0;
    let source = LogSource { category: Some("test"), ..LogSource::default() };
    let mut correlator = Correlator::new(&engine);
    let mut found = Vec::new();
    for (number, line) in case["events"].as_array().into_iter().flatten().enumerate() {
        let event = JsonEvent::new(&line["event"], source);
        let mut matches = Vec::new();
        engine.evaluate(&event, &mut matches);
        let seconds = line["t"].as_i64().expect("a time is whole seconds");
        for firing in correlator.observe(&event, &matches, &number, seconds * 1_000_000_000) {
            if firing.correlation == last {
                let text =
                    |(_, value): (_, Option<Vec<u8>>)| String::from_utf8_lossy(&value.unwrap_or_default()).into();
                found.push((number, firing.group.into_iter().map(text).collect()));
            }
        }
    }
    found
}

/// Nine rules need values for a placeholder; with values they load. One is a copy of another.
#[test]
fn public_rules_load_and_the_others_say_why_not() {
    let mut files = rule_files("sigma");
    files.extend(rule_files("sigma_suzaku"));
    if files.is_empty() {
        return;
    }
    let (engine, errors) = Engine::load(files.iter().map(|(file, text)| (file, text)));
    println!("public rules: {} loaded, {} refused", engine.rules().len(), errors.len());
    assert!(errors.iter().all(|error| error.message.contains("`expand` needs a list of values")), "{errors:?}");
    assert_eq!((engine.rules().len(), engine.correlations().len(), errors.len()), (1311, 5, 9));
    let mut placeholders = Placeholders::new();
    for name in errors.iter().filter_map(|error| error.message.split('%').nth(1)) {
        placeholders.add(name, ["x".to_owned()]);
    }
    // Some need a second list, which only the next refusal names.
    for _ in 0..3 {
        let (_, errors) = Engine::load_with(files.iter().map(|(file, text)| (file, text)), placeholders.clone());
        for name in errors.iter().filter_map(|error| error.message.split('%').nth(1)) {
            placeholders.add(name, ["x".to_owned()]);
        }
    }
    let (engine, errors) = Engine::load_with(files, placeholders);
    assert_eq!((engine.rules().len(), errors.len()), (1320, 0), "{errors:?}");
}

/// Events that name the rules which match them: computed by two other engines, agreeing with each other.
#[test]
fn public_rules_match_the_events_that_others_say_they_match() {
    let mut files = rule_files("sigma");
    files.extend(rule_files("sigma_suzaku"));
    // The other engines left out the rules that stand beside a correlation.
    files.retain(|(_, text)| !text.contains("\ncorrelation:"));
    let (engine, _) = Engine::load(files);
    let mut events = samples::every_line("events");
    events.extend(samples::every_line("incidents"));
    let mut wrong = Vec::new();
    let mut checked = 0;
    let mut found = Vec::new();
    for line in &events {
        let Some(expected) = line["expect"]["sigma"].as_array() else { continue };
        let source = source(line);
        let maybe = line["expect"]["sigma_maybe"].as_array().cloned().unwrap_or_default();
        found.clear();
        engine.evaluate(&JsonEvent::new(&line["event"], source), &mut found);
        let mut found: Vec<_> = found.iter().map(|rule| Value::from(engine.rule(*rule).id.as_str())).collect();
        let mut expected = expected.clone();
        found.retain(|id| !maybe.contains(id));
        expected.retain(|id| !maybe.contains(id));
        found.sort_by_key(ToString::to_string);
        expected.sort_by_key(ToString::to_string);
        checked += 1;
        if found != expected {
            wrong.push(format!("{}\n  found    {found:?}\n  expected {expected:?}", line["event"]));
        }
    }
    println!("events: {} of {checked} agree", checked - wrong.len());
    assert!(wrong.is_empty(), "{} differ, as\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
}

/// The log source of a line: its own words, or those that rules have for what the sample calls its source.
fn source(line: &Value) -> LogSource<'_> {
    let given = &line["logsource"];
    let log = |product, service| LogSource { category: None, product: Some(product), service: Some(service) };
    match line["source"].as_str().unwrap_or_default() {
        "aws.cloudtrail" => rules::fields::CLOUDTRAIL,
        "k8s.audit" | "gcp.k8s_audit" => rules::fields::KUBERNETES_AUDIT,
        "azure.activity" => rules::fields::AZURE_ACTIVITY,
        "azure.entra" if line["event"]["category"] == "SignInLogs" => rules::fields::ENTRA_SIGN_IN,
        "azure.entra" => rules::fields::ENTRA_AUDIT,
        "gcp.audit" => rules::fields::GCP_AUDIT,
        "github.audit" => rules::fields::GITHUB_AUDIT,
        "m365.audit" => rules::fields::M365_AUDIT,
        "okta.system" => rules::fields::OKTA_SYSTEM,
        "onelogin.events" => log("onelogin", "onelogin.events"),
        _ => LogSource {
            category: given["category"].as_str(),
            product: given["product"].as_str(),
            service: given["service"].as_str(),
        },
    }
}

/// Every `.yml` under a folder of samples: (path inside it, text).
fn rule_files(name: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<_> = samples::sample(name).into_iter().collect();
    let root = folders.first().cloned().unwrap_or_default();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a sample folder is readable") {
            let path = entry.expect("a sample folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                let text = std::fs::read_to_string(&path).expect("a sample is readable");
                let name = path.strip_prefix(&root).expect("the path is under the folder").display().to_string();
                files.push((name, text));
            }
        }
    }
    files.sort();
    files
}

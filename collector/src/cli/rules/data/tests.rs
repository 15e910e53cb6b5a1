//! Labelled events of our own, and, where they are present, the sample data with what the embedded rules must reach on it.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::rule_files::RuleFiles;

const RULES: &str = "title: Keys
level: high
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateAccessKey}, condition: s}
---
title: Shell
level: low
logsource: {product: linux, category: process_creation}
detection: {s: {Image|endswith: /sh}, condition: s}
---
title: Sign-in
logsource: {product: azure, service: signinlogs}
detection: {s: {location: XX}, condition: s}
";

fn scores(lines: &str) -> Scores {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("in")).expect("a folder of our own");
    fs::write(folder.path().join("in/e.jsonl"), lines).expect("a file of our own");
    let (engine, errors) = Engine::load([("r.yml", RULES)]);
    assert!(errors.is_empty(), "{errors:?}");
    score(&engine, folder.path()).expect("it is readable")
}

#[test]
fn verdicts_are_held_against_hits_of_medium_and_above() {
    let scores = scores(
        r#"{"source":"aws.cloudtrail","event":{"eventName":"CreateAccessKey"},"expect":{"alert":true}}
{"source":"aws.cloudtrail","event":{"eventName":"CreateUser"},"expect":{"alert":true,"rule":"R","case":"a user"}}
{"source":"aws.cloudtrail","event":{"eventName":"CreateAccessKey"},"expect":{"alert":false}}
{"source":"azure.entra","event":{"category":"SignInLogs","location":"XX"},"expect":{"alert":true}}
{"source":"aws.vpcflow","event":{},"expect":{"alert":true}}
{"source":"okta.system","event":{},"expect":{"alert":true}}
{"rule":"another kind of line","event":{}}
{not JSON
"#,
    );
    let aws = &scores.verdicts["aws.cloudtrail"];
    assert_eq!((aws.events, aws.alerts, aws.found, aws.falsely.len()), (3, 2, 1, 1));
    assert_eq!((aws.recall(), aws.precision()), (Some(0.5), Some(0.5)));
    let miss = &aws.misses[0];
    assert_eq!((miss.file.as_str(), miss.line, miss.name.as_str()), ("in/e.jsonl", 2, "R: a user"));
    assert!(scores.verdicts["azure.entra"].log_sources.contains("azure/signinlogs"));
    let not_tried: Vec<_> = scores.not_tried.keys().map(|(source, _)| source.as_str()).collect();
    assert_eq!(not_tried, ["aws.vpcflow", "okta.system"]);
    assert!(matches!(&scores.problems[..], [one] if one.starts_with("in/e.jsonl:8: ")), "{:?}", scores.problems);
    assert_eq!(tell::json(&scores)["verdicts"][0]["misses"][0]["line"], 2);
}

#[test]
fn attacks_tests_and_quiet_files_are_counted_by_themselves() {
    let process = |image: &str, expect: &str| {
        format!(
            "{{\"source\":\"x\",\"logsource\":{{\"product\":\"linux\",\"category\":\"process_creation\"}},\
             \"event\":{{\"Image\":\"{image}\"}},\"expect\":{expect}}}"
        )
    };
    let call = |name: &str, expect: &str| {
        format!("{{\"source\":\"aws.cloudtrail\",\"event\":{{\"eventName\":\"{name}\"}},\"expect\":{expect}}}")
    };
    let scores = scores(
        &[
            call("CreateAccessKey", r#"{"action":true}"#),
            call("GetUser", r#"{"action":true}"#),
            call("CreateAccessKey", r#"{"incident":null}"#),
            process("/bin/sh", r#"{"test":"t1","name":"one"}"#),
            process("/bin/ls", r#"{"test":"t1","name":"one"}"#),
            process("/bin/ls", r#"{"test":"t2","name":"two"}"#),
            process("/bin/sh", r#"{"sigma":[]}"#),
            call("CreateAccessKey", "{}"),
        ]
        .join("\n"),
    );
    let attack = &scores.attacks["in/e.jsonl"];
    assert_eq!((attack.events, attack.hit, attack.background, attack.background_hits.len()), (2, 1, 1, 1));
    let tests: Vec<_> = scores.tests.values().map(|test| (test.hit, test.counts)).collect();
    assert_eq!(tests, [(true, false), (false, false)]);
    let quiet = &scores.quiet["in/e.jsonl"];
    assert_eq!((quiet.events, quiet.hits.len(), quiet.high), (2, 1, 1));
    tell::print(&scores).expect("it can be told");
}

/// Where the sample data lies that no test may require: `MAYFLY_DATA`, or the folder of samples beside the repository.
fn samples() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join("data");
    let folder = std::env::var_os("MAYFLY_DATA").map_or(beside, PathBuf::from);
    if folder.join("events").is_dir() {
        return Some(folder);
    }
    println!("skipped: there is no sample data (set MAYFLY_DATA to its folder)");
    None
}

#[test]
fn the_built_in_rules_find_what_others_would_alert_on() {
    let Some(folder) = samples() else { return };
    let loaded = RuleFiles::default().load_over_embedded();
    let scores = score(&loaded.engine, &folder).expect("the samples are readable");
    for source in ["aws.cloudtrail", "k8s.audit", "gcp.audit", "azure.activity", "azure.entra", "okta.system"] {
        let one = &scores.verdicts[source];
        let (recall, precision) = (one.recall().unwrap_or_default(), one.precision().unwrap_or_default());
        assert!(recall >= 0.85 && precision >= 0.85, "{source}: recall {recall:.2}, precision {precision:.2}");
    }
}

//! Rules over several events, from entries to findings. Takes rules and entries of `CloudTrail`; prints what is found.

use rules::Engine;
use serde_json::json;

use super::Detector;
use crate::model::{AuditEntry, AuditSource, Finding, Moment};

const SECOND: u64 = 1_000_000_000;

const MANY: &str = "
title: A call
name: a_call
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: Call}, condition: selection}
---
title: Many calls
id: 5f3c2e0a-0000-4000-8000-00000000000a
level: high
tags: [attack.discovery, attack.t1580]
correlation:
    type: event_count
    rules: [a_call]
    group-by: [sourceIPAddress]
    timespan: 1m
    condition: {gte: 3}
";

const WITHOUT: &str = "
title: A call
name: a_call
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: Call}, condition: selection}
---
title: An answer
name: an_answer
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: Answer}, condition: selection}
---
title: A call that nobody answers
id: 5f3c2e0a-0000-4000-8000-00000000000b
level: medium
correlation:
    type: event_count
    rules: [a_call]
    group-by: [sourceIPAddress]
    timespan: 1m
    condition: {gte: 1}
mayfly:
    absent:
        rules: [an_answer]
        when: after
";

fn detector(rules: &str) -> Detector {
    let (engine, errors) = Engine::load([("rules.yml", rules)]);
    assert!(errors.is_empty(), "{errors:?}");
    Detector::new(engine)
}

fn entry(second: u64, name: &str, address: &str) -> AuditEntry {
    AuditEntry {
        source: AuditSource::Cloudtrail,
        id: format!("{name}-{second}"),
        time: Moment::exact(second * SECOND),
        action: name.into(),
        source_address: address.parse().ok(),
        denied: false,
        object_sha256: "00".into(),
        original: json!({"eventName": name, "sourceIPAddress": address}),
    }
}

fn told(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let evidence: Vec<_> = finding.evidence.iter().map(ToString::to_string).collect();
        let matched: Vec<_> = finding.matched.iter().map(|(field, value)| format!("{field}={value}")).collect();
        format!("{} ({}) {} | {}", finding.title, finding.level, matched.join(" "), evidence.len())
    };
    findings.iter().map(line).collect()
}

#[test]
fn what_only_serves_a_sequence_is_no_finding_and_the_sequence_rests_on_all_of_its_events() {
    let mut detector = detector(MANY);
    let calls = [entry(1, "Call", "192.0.2.1"), entry(2, "Call", "192.0.2.2"), entry(3, "Call", "192.0.2.1")];
    assert!(calls.iter().flat_map(|call| detector.audit(call)).next().is_none());
    let findings = detector.audit(&entry(4, "Call", "192.0.2.1"));
    assert_eq!(told(&findings), ["Many calls (high) sourceIPAddress=192.0.2.1 counted=3 | 3"]);
}

#[test]
fn the_same_entries_give_the_same_finding() {
    let calls: Vec<_> = (1..5).map(|second| entry(second, "Call", "192.0.2.1")).collect();
    let run = || {
        let mut detector = detector(MANY);
        calls.iter().flat_map(|call| detector.audit(call)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
    assert_eq!(run().len(), 1);
}

#[test]
fn what_did_not_come_is_found_when_time_has_moved_on_and_not_before() {
    let mut detector = detector(WITHOUT);
    assert!(detector.audit(&entry(1, "Call", "192.0.2.1")).is_empty());
    assert!(detector.audit(&entry(1, "Call", "192.0.2.2")).is_empty());
    // What must be absent is a finding where it is there, unless its own rule says otherwise.
    assert_eq!(told(&detector.audit(&entry(9, "Answer", "192.0.2.2"))), ["An answer (medium) eventName=Answer | 1"]);
    assert!(detector.advance(Moment::exact(30 * SECOND)).is_empty());
    let findings = detector.advance(Moment::exact(3_600 * SECOND));
    assert_eq!(told(&findings), ["A call that nobody answers (medium) sourceIPAddress=192.0.2.1 counted=1 | 1"]);
}

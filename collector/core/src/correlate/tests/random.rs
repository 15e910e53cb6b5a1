//! Anything as an audit entry, and any order of what is true: nothing panics, and the case is the same.

use std::sync::{Arc, LazyLock};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::correlate::group;
use crate::detect::Detector;
use crate::model::{CaseId, CaseStatus};
use crate::triage::{Circumstances, judge};

/// Keys that the extraction looks for, so that random values land where they are read.
const KEYS: &[&str] = &[
    "userIdentity",
    "type",
    "arn",
    "accessKeyId",
    "sessionContext",
    "sessionIssuer",
    "userName",
    "resources",
    "ARN",
    "user",
    "username",
    "extra",
    "authentication.kubernetes.io/pod-uid",
    "objectRef",
    "resource",
    "subresource",
    "name",
    "namespace",
    "requestURI",
    "responseElements",
    "credentials",
    "requestParameters",
    "roleArn",
    "requestReceivedTimestamp",
    "sourceIPAddress",
];

/// Values that open the branches behind them.
const WORDS: &[&str] = &[
    "AssumedRole",
    "Root",
    "WebIdentityUser",
    "AWSService",
    "pods",
    "exec",
    "system:serviceaccount:a:b",
    "system:serviceaccount::",
    "arn:aws:sts::1:assumed-role/R/i-0a1b2c3d4e5f60718",
    "ASIA1",
    "?command=%",
    "/x?command=%f&command=%zz&=&&",
    "2026-03-02T09:00:00Z",
    "",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((proptest::sample::select(KEYS), inner), 0..8).prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

static ENGINE: LazyLock<Arc<rules::Engine>> =
    LazyLock::new(|| Arc::new(rules::Engine::load(rules::content().iter().copied()).0));

/// A whole attack: a container takes the role's credential and its token, both are used, the session makes a key.
fn story() -> (Vec<NodeEvent>, Vec<AuditEntry>) {
    let events =
        vec![pod(WEB, "uid-1", "checkout-1"), metadata(0, WEB, 7), token(1_000, WEB, 7), metadata(2_000, OTHER, 8)];
    let mut issue = call("e2", 700_000, INSTANCE, "ASIAEXAMPLE", "203.0.113.7");
    issue.action = "CreateAccessKey".into();
    issue.original["responseElements"] = json!({"accessKey": {"accessKeyId": "AKIAEXAMPLE"}});
    issue.original["eventSource"] = json!("iam.amazonaws.com");
    issue.original["eventName"] = json!("CreateAccessKey");
    let entries = vec![
        call("e1", 600_000, INSTANCE, "ASIAEXAMPLE", "203.0.113.7"),
        issue,
        call("e3", 800_000, "sam", "AKIAEXAMPLE", "203.0.113.9"),
        call("e4", 100_000, "i-0ffffffffffffffff", "ASIAOTHER", "10.0.0.9"),
    ];
    (events, entries)
}

fn cases(events: &[NodeEvent], entries: &[AuditEntry], entries_first: bool) -> Vec<String> {
    let mut detector = Detector::new(Arc::clone(&ENGINE));
    let mut correlator = World::default().correlator();
    let mut findings = Vec::new();
    let take_entries = |detector: &mut Detector, correlator: &mut Correlator, findings: &mut Vec<Finding>| {
        for entry in entries {
            findings.extend(detector.audit(entry));
            correlator.audit(entry);
        }
    };
    if entries_first {
        take_entries(&mut detector, &mut correlator, &mut findings);
    }
    for event in events {
        findings.extend(detector.node_event(event));
        correlator.node_event(event);
    }
    if !entries_first {
        take_entries(&mut detector, &mut correlator, &mut findings);
    }
    let edges = correlator.edges_for(&findings, at(HOUR));
    let case = |group: &crate::correlate::Group| {
        let circumstances = Circumstances { id: CaseId("MF-1".into()), detected: at(0), status: CaseStatus::Ongoing };
        format!("{:?}", judge(group, &correlator.related(group), circumstances))
    };
    group(&findings, &edges).iter().map(case).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_an_entry_that_panics_nothing(original in json(), cluster in any::<bool>()) {
        let source = if cluster { AuditSource::Kubernetes } else { AuditSource::Cloudtrail };
        let entry = entry(source, "e", 0, "any", "203.0.113.7", original);
        drop(cases(&[pod(WEB, "uid-1", "checkout-1"), metadata(0, WEB, 7)], &[entry], false));
    }

    #[test]
    fn the_order_of_entries_changes_no_case(
        order in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
        entries_first in any::<bool>(),
        repeated in 0..4_usize,
    ) {
        let (events, entries) = story();
        let mut shuffled: Vec<AuditEntry> = order.iter().map(|place| entries[*place].clone()).collect();
        shuffled.push(entries[repeated].clone());
        let straight = cases(&events, &entries, false);
        prop_assert!(!straight.is_empty());
        prop_assert_eq!(straight, cases(&events, &shuffled, entries_first));
    }
}

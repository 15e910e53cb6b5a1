//! What rules see of events, and what findings are about. Takes one rule and one event or entry; prints the finding.

use rules::Engine;
use serde_json::{Value, json};

use super::Detector;
use crate::model::event::{ContainerSeen, Entry, Exec, Raw, Trigger};
use crate::model::{
    Actor, AuditEntry, AuditSource, Body, Entity, Finding, Identity, Level, Moment, NodeEvent, Origin, ProcessKey,
};

const RULE: &str = "
title: A shell asks who it is
id: 5f3c2e0a-0000-4000-8000-000000000001
level: high
tags: [attack.discovery, attack.t1033]
logsource: {product: linux, category: process_creation}
detection:
    selection:
        CommandLine: sh -c id
        ParentImage|endswith: /nginx
        PodName: web-1
    condition: selection
";

const CLOUD: &str = "
title: Any call
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventName: Call
    condition: selection
";

const CLUSTER: &str = "
title: Any request
logsource: {product: kubernetes, service: audit}
detection:
    selection:
        verb: create
    condition: selection
";

fn detector() -> Detector {
    let (engine, errors) = Engine::load([("rule.yml", RULE), ("cloud.yml", CLOUD), ("cluster.yml", CLUSTER)]);
    assert!(errors.is_empty(), "{errors:?}");
    Detector::new(engine)
}

fn process(pid: u32) -> ProcessKey {
    ProcessKey { node: "node-1".into(), boot_id: "boot".into(), pid, start_ns: 1 }
}

fn event(position: u64, pid: u32, parent: u32, body: Body) -> NodeEvent {
    let actor = Actor {
        process: process(pid),
        parent: Some(process(parent)),
        executable: Raw(b"/bin/sh".to_vec()),
        uid: 33,
        origin: Origin::Container { id: "c1".into() },
        entry: Entry::InitTree,
        entered: None,
        in_host_mounts: false,
    };
    NodeEvent {
        node: "node-1".into(),
        log_id: "log".into(),
        position,
        time: Moment::exact(position),
        actor: Some(actor),
        attempt: false,
        body,
    }
}

fn exec(path: &str, arguments: &[&str]) -> Body {
    let arguments = arguments.iter().map(|argument| Raw(argument.as_bytes().to_vec())).collect();
    Body::Exec(Box::new(Exec { path: Raw(path.into()), arguments, ..Exec::default() }))
}

fn pod() -> Body {
    Body::ContainerSeen(Box::new(ContainerSeen {
        container_id: "c1".into(),
        pod_uid: "uid-1".into(),
        pod_name: "web-1".into(),
        pod_namespace: "shop".into(),
        ..ContainerSeen::default()
    }))
}

fn trigger() -> NodeEvent {
    let trigger = Trigger {
        rule_id: "5f3c2e0a-0000-4000-8000-000000000001".into(),
        level: "high".into(),
        event_position: 4,
        ..Trigger::default()
    };
    event(5, 8, 7, Body::Trigger(Box::new(trigger)))
}

/// A server that forks, and a child that executes a shell.
fn story() -> Vec<NodeEvent> {
    vec![
        event(1, 7, 1, pod()),
        event(2, 7, 1, exec("/usr/sbin/nginx", &["nginx"])),
        event(3, 7, 1, Body::Fork { child: process(8) }),
        event(4, 8, 7, exec("/bin/sh", &["sh", "-c", "id"])),
    ]
}

fn told(finding: &Finding) -> String {
    let entities: Vec<String> = finding.entities.iter().map(ToString::to_string).collect();
    let evidence: Vec<String> = finding.evidence.iter().map(ToString::to_string).collect();
    format!(
        "{} ({}) {} | {} | {}",
        finding.title,
        finding.level,
        finding.techniques.join(" "),
        entities.join(", "),
        evidence.join(", ")
    )
}

#[test]
fn a_rule_sees_the_parent_and_the_pod_of_an_exec() {
    let mut detector = detector();
    let findings: Vec<Finding> = story().iter().flat_map(|event| detector.node_event(event)).collect();
    let told: Vec<String> = findings.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "A shell asks who it is (high) T1033 | process 8 (/bin/sh), container c1, pod shop/web-1, node node-1, file /bin/sh | \
          event node-1/4"
        ]
    );
    assert!(findings[0].matched.contains(&("CommandLine".into(), "sh -c id".into())), "{:?}", findings[0].matched);
}

#[test]
fn the_node_s_trigger_is_the_same_finding() {
    let mut detector = detector();
    let findings: Vec<Finding> =
        story().iter().chain([&trigger()]).flat_map(|event| detector.node_event(event)).collect();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].id, findings[1].id);
    assert_eq!(
        findings[1].evidence.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["event node-1/4", "event node-1/5"]
    );
    assert_eq!(findings[0].matched, findings[1].matched);
}

#[test]
fn a_trigger_of_a_rule_that_we_do_not_have_is_a_finding_too() {
    let mut unknown = trigger();
    if let Body::Trigger(trigger) = &mut unknown.body {
        trigger.rule_id = "theirs".into();
        trigger.rule_title = "Theirs".into();
    }
    let findings = detector().node_event(&unknown);
    assert_eq!((findings[0].title.as_str(), findings[0].level), ("Theirs", Level::High));
}

fn entry(source: AuditSource, original: Value) -> AuditEntry {
    AuditEntry {
        source,
        id: "e1".into(),
        time: Moment::exact(1),
        action: "Call".into(),
        source_address: "203.0.113.7".parse().ok(),
        denied: false,
        original,
        object_sha256: "00".into(),
    }
}

#[test]
fn a_rule_that_only_serves_a_correlation_raises_nothing_by_itself() {
    let correlation = "---\ntitle: Many calls\ncorrelation: {type: event_count, rules: [Any call], group-by: [user], \
                       timespan: 1m, condition: {gte: 9}}\n";
    let (engine, errors) = Engine::load([("cloud.yml", format!("{CLOUD}{correlation}"))]);
    assert!(errors.is_empty(), "{errors:?}");
    let found = Detector::new(engine).audit(&entry(AuditSource::Cloudtrail, json!({"eventName": "Call"})));
    assert!(found.is_empty(), "{found:?}");
}

fn caller(user: &Value) -> Vec<String> {
    let original = json!({"eventName": "Call", "userIdentity": user});
    let findings = detector().audit(&entry(AuditSource::Cloudtrail, original));
    findings[0].entities.iter().map(ToString::to_string).collect()
}

#[test]
fn every_shape_of_caller_is_named() {
    let address = "203.0.113.7";
    let session = json!({
        "type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/R/s", "accessKeyId": "ASIA1",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::1:role/R"}},
    });
    assert_eq!(
        caller(&session),
        ["arn:aws:sts::1:assumed-role/R/s", "access key ASIA1", "arn:aws:iam::1:role/R", address]
    );
    let root = json!({"type": "Root", "arn": "arn:aws:iam::1:root", "accountId": "1"});
    assert_eq!(caller(&root), ["arn:aws:iam::1:root", address]);
    let user = json!({"type": "IAMUser", "arn": "arn:aws:iam::1:user/ana", "accessKeyId": "AKIA1"});
    assert_eq!(caller(&user), ["arn:aws:iam::1:user/ana", "access key AKIA1", address]);
    let service = json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"});
    assert_eq!(caller(&service), ["service autoscaling.amazonaws.com", address]);
    let pod = json!({"type": "WebIdentityUser", "userName": "system:serviceaccount:shop:checkout"});
    assert_eq!(caller(&pod), ["service account shop/checkout", address]);
    let person = json!({"type": "SAMLUser", "userName": "li.wei@example.com"});
    assert_eq!(caller(&person), ["li.wei@example.com", address]);
    let federated = json!({
        "type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/x", "accessKeyId": "ASIA2",
        "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ana"}},
    });
    assert_eq!(
        caller(&federated),
        ["arn:aws:sts::1:federated-user/x", "access key ASIA2", "arn:aws:iam::1:user/ana", address]
    );
    assert_eq!(caller(&json!({"type": "SomethingNew", "principalId": "x"})), ["x", address]);
    assert_eq!(caller(&json!(null)), [address]);
}

#[test]
fn a_cluster_s_entry_names_the_pod_that_a_node_knows() {
    let mut detector = detector();
    detector.node_event(&event(1, 7, 1, pod()));
    let original = json!({
        "verb": "create",
        "user": {"username": "sam@example.com"},
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web-1"},
    });
    let findings = detector.audit(&entry(AuditSource::Kubernetes, original));
    let person = Entity::Identity { identity: Identity::Person { name: "sam@example.com".into() } };
    assert_eq!(findings[0].entities[0], person);
    assert!(findings[0].entities.contains(&Entity::Pod { uid: "uid-1".into(), name: "shop/web-1".into() }));
}

/// Rules that match an exec from a memfd in a container's cgroup.
fn of_memfd(in_host_mounts: bool) -> Vec<String> {
    let (engine, errors) = Engine::load(rules::content().iter().copied());
    assert!(errors.is_empty(), "{errors:?}");
    let run = Exec {
        path: Raw(b"/memfd:runc_cloned:/proc/self/exe".to_vec()),
        arguments: vec![Raw(b"runc".to_vec()), Raw(b"init".to_vec())],
        memfd: true,
        ..Exec::default()
    };
    let mut event = event(1, 9, 8, Body::Exec(Box::new(run)));
    let actor = event.actor.as_mut().expect("an exec has an actor");
    (actor.entry, actor.in_host_mounts) = (Entry::RuntimeExec, in_host_mounts);
    Detector::new(engine).node_event(&event).into_iter().map(|finding| finding.title).collect()
}

#[test]
fn a_runtime_that_enters_a_container_from_a_memfd_is_no_attack_and_whoever_is_inside_is() {
    assert_eq!(of_memfd(true), Vec::<String>::new());
    assert_eq!(of_memfd(false), ["Program without a file executed in a container"]);
}

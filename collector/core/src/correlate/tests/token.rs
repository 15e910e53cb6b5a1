//! B4, and what comes near it without being it.

use super::*;

fn by_account(id: &str, milliseconds: i64, account: &str, pod_uid: Option<&str>) -> AuditEntry {
    let mut user = json!({"username": format!("system:serviceaccount:shop:{account}")});
    if let Some(uid) = pod_uid {
        user["extra"] = json!({
            "authentication.kubernetes.io/pod-uid": [uid],
            "authentication.kubernetes.io/pod-name": ["checkout-1"],
            "authentication.kubernetes.io/credential-id": ["JTI=7ee5"],
        });
    }
    let original = json!({"user": user, "verb": "list", "objectRef": {"resource": "secrets", "namespace": "shop"}});
    entry(AuditSource::Kubernetes, id, milliseconds, "list secrets", "203.0.113.7", original)
}

fn world(entries: Vec<AuditEntry>) -> World {
    World { events: vec![pod(WEB, "uid-1", "checkout-1"), token(0, WEB, 7)], entries, ..World::default() }
}

const JOINED: &str = "process 7 (/usr/bin/curl) -> service account shop/checkout";

#[test]
fn a_token_bound_to_the_pod_is_exact() {
    let world = world(vec![by_account("a1", 5_000, "checkout", Some("uid-1"))]);
    world.check(HOUR, &[&format!("B4 Exact joined: {JOINED} 5 s")]);
    let reason = &world.edges(HOUR)[0].reason;
    assert!(reason.ends_with("with a token (token JTI=7ee5) that is bound to pod shop/checkout-1"), "{reason}");
}

#[test]
fn another_pod_of_the_same_account_is_not_joined() {
    world(vec![by_account("a1", 5_000, "checkout", Some("uid-2"))]).check(HOUR, &[]);
}

#[test]
fn an_account_without_a_pod_in_the_log_is_strong() {
    world(vec![by_account("a1", 5_000, "checkout", None)]).check(HOUR, &[&format!("B4 Strong joined: {JOINED} 5 s")]);
}

#[test]
fn another_account_is_not_joined() {
    world(vec![by_account("a1", 5_000, "cart", None)]).check(HOUR, &[]);
}

#[test]
fn a_call_from_before_is_not_joined() {
    world(vec![by_account("a1", -5_000, "checkout", Some("uid-1"))]).check(HOUR, &[]);
}

#[test]
fn a_late_audit_log_is_awaited_and_then_not() {
    let world = world(vec![]);
    world.check(60_000, &[&format!("B4 Strong pending: {JOINED} 0 s")]);
    world.check(130_000, &[]);
}

#[test]
fn the_dated_folder_behind_the_token_counts_without_a_class() {
    let path = Raw(b"/var/run/secrets/kubernetes.io/serviceaccount/..2026_11_21/token".to_vec());
    let body = Body::FileOpen {
        path,
        flags: 0,
        mode: 0,
        sensitive: String::new(),
        result: 3,
        truncated: false,
        object: None,
        created: false,
        by_handle: false,
        alias: Raw::default(),
        repeats: None,
    };
    let events = vec![pod(WEB, "uid-1", "checkout-1"), event(0, WEB, 7, 1, body)];
    let world = World { events, entries: vec![by_account("a1", 5_000, "checkout", Some("uid-1"))], ..World::default() };
    world.check(HOUR, &[&format!("B4 Exact joined: {JOINED} 5 s")]);
}

#[test]
fn the_api_server_counts_where_its_address_is_known() {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let flow = Flow { local: address("10.0.0.5"), local_port: 40_000, remote: address("10.96.0.1"), remote_port: 443 };
    let events = vec![
        pod(WEB, "uid-1", "checkout-1"),
        event(0, WEB, 7, 1, Body::Connect { flow, established: true, metadata_service: false, api_server: false }),
    ];
    let entries = vec![by_account("a1", 5_000, "checkout", Some("uid-1"))];
    let mut world = World { events, entries, ..World::default() };
    world.check(HOUR, &[]);
    world.site.api_servers = vec![(address("10.96.0.1"), 443)];
    world.check(HOUR, &[&format!("B4 Exact joined: {JOINED} 5 s")]);
}

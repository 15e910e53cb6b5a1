//! B5, and what comes near it without being it.

use super::*;

fn asked(id: &str, milliseconds: i64, pod: &str, query: &str) -> AuditEntry {
    let original = json!({
        "user": {"username": "sam@example.com"},
        "verb": "create",
        "requestURI": format!("/api/v1/namespaces/shop/pods/{pod}/exec{query}"),
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": pod},
    });
    entry(AuditSource::Kubernetes, id, milliseconds, "create pods/exec", "194.85.217.41", original)
}

fn world(entries: Vec<AuditEntry>) -> World {
    let events = vec![
        pod(WEB, "uid-1", "checkout-1"),
        entered(1_000, WEB, 7, 5, &["sh", "-c", "id"]),
        entered(1_500, WEB, 8, 7, &["id"]),
    ];
    World { events, entries, ..World::default() }
}

const JOINED: &str = "B5 Strong joined: process 7 (/usr/bin/curl) -> sam@example.com 1 s";

#[test]
fn an_exec_by_kubectl_is_joined_to_the_person() {
    let world = world(vec![asked("a1", 0, "checkout-1", "?command=sh&command=-c&command=id&container=app")]);
    world.check(HOUR, &[JOINED]);
    assert_eq!(
        world.edges(HOUR)[0].reason,
        "sam@example.com asked from 194.85.217.41 for exec in pod shop/checkout-1, with the same command; 1.0 s later curl \
         (process 7 in container 3fa9c0d1e2b4 on node-1) began there from outside the container"
    );
}

#[test]
fn a_log_without_the_command_contradicts_nothing() {
    world(vec![asked("a1", 0, "checkout-1", "")]).check(HOUR, &[JOINED]);
}

#[test]
fn another_pod_is_not_joined() {
    world(vec![asked("a1", 0, "cart-1", "?command=sh&command=-c&command=id")]).check(HOUR, &[]);
}

#[test]
fn another_command_is_not_joined() {
    world(vec![asked("a1", 0, "checkout-1", "?command=ls")]).check(HOUR, &[]);
}

#[test]
fn another_container_of_the_pod_is_not_joined() {
    world(vec![asked("a1", 0, "checkout-1", "?command=sh&command=-c&command=id&container=proxy")]).check(HOUR, &[]);
}

#[test]
fn five_seconds_later_is_not_joined() {
    world(vec![asked("a1", -4_000, "checkout-1", "?command=sh&command=-c&command=id")]).check(HOUR, &[]);
}

#[test]
fn a_refused_request_is_not_joined() {
    let mut refused = asked("a1", 0, "checkout-1", "?command=sh&command=-c&command=id");
    refused.denied = true;
    world(vec![refused]).check(HOUR, &[]);
}

#[test]
fn of_two_that_came_in_at_once_without_a_command_neither_is_sure() {
    let mut world = world(vec![asked("a1", 500, "checkout-1", "")]);
    world.events.push(entered(1_100, WEB, 9, 5, &["ls"]));
    let weak = |pid: u32| format!("B5 Weak joined: process {pid} (/usr/bin/curl) -> sam@example.com 0 s");
    world.check(HOUR, &[&weak(7), &weak(9)]);
}

//! B1, and what comes near it without being it.

use super::*;

const KEY: &str = "ASIAEXAMPLE";
const JOINED: &str = "process 7 (/usr/bin/curl) -> access key ASIAEXAMPLE";

fn world(entries: Vec<AuditEntry>) -> World {
    World { events: vec![metadata(0, WEB, 7)], entries, ..World::default() }
}

#[test]
fn a_credential_used_from_elsewhere_is_joined_and_said_to_have_left() {
    let world = world(vec![call("e1", 600_000, INSTANCE, KEY, "203.0.113.7")]);
    world.check(HOUR, &[&format!("B1 Strong joined: {JOINED} 600 s")]);
    let edge = &world.edges(HOUR)[0];
    assert_eq!(
        edge.reason,
        "curl (process 7 in container 3fa9c0d1e2b4 on node-1) asked the instance metadata service; 10 min 0 s later a session of \
         i-0a1b2c3d4e5f60718, which only that service gives out, called ListBuckets from 203.0.113.7, which is not an address of \
         node-1: the credential has left the node"
    );
    assert_eq!(
        edge.evidence.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["event node-1/10000000007", "cloudtrail e1"]
    );
}

#[test]
fn another_instances_session_is_not_joined() {
    world(vec![call("e1", 600_000, "i-0ffffffffffffffff", KEY, "203.0.113.7")]).check(HOUR, &[]);
}

#[test]
fn a_person_s_session_of_the_same_role_is_not_joined() {
    world(vec![call("e1", 600_000, "sam@example.com", KEY, "203.0.113.7")]).check(HOUR, &[]);
}

#[test]
fn a_use_from_before_is_not_joined() {
    world(vec![call("e1", -600_000, INSTANCE, KEY, "203.0.113.7")]).check(HOUR, &[]);
}

#[test]
fn a_use_after_the_credential_s_end_is_not_joined() {
    world(vec![call("e1", 7 * HOUR, INSTANCE, KEY, "203.0.113.7")]).check(8 * HOUR, &[]);
}

#[test]
fn clocks_that_cannot_tell_do_not_exclude() {
    let mut early = call("e1", -400, INSTANCE, KEY, "203.0.113.7");
    early.time.uncertainty_us = 500_000;
    world(vec![early]).check(HOUR, &[&format!("B1 Strong joined: {JOINED} 0 s")]);
}

#[test]
fn the_node_s_own_use_of_an_older_key_is_weak() {
    let own = [-60_000, 60_000].map(|time| call(&format!("e{time}"), time, INSTANCE, KEY, "10.0.0.5"));
    world(own.into()).check(HOUR, &[&format!("B1 Weak joined: {JOINED} 60 s")]);
}

#[test]
fn a_gateway_that_other_instances_use_is_not_elsewhere() {
    let other = call("e0", -60_000, "i-0ffffffffffffffff", "ASIAOTHER", "198.51.100.1");
    let own = [-60_000, 60_000].map(|time| call(&format!("e{time}"), time, INSTANCE, KEY, "198.51.100.1"));
    let world = world([own.to_vec(), vec![other]].concat());
    world.check(HOUR, &[&format!("B1 Weak joined: {JOINED} 60 s")]);
}

#[test]
fn a_late_log_is_awaited_and_then_not() {
    let world = world(vec![]);
    let awaited = "B1 Strong pending: process 7 (/usr/bin/curl) -> i-0a1b2c3d4e5f60718 0 s";
    world.check(15 * 60_000, &[awaited]);
    world.check(17 * 60_000, &[]);
}

#[test]
fn a_key_that_was_seen_in_the_process_makes_it_exact() {
    let mut world = world(vec![call("e1", 600_000, INSTANCE, KEY, "203.0.113.7")]);
    world.sighted.push((KEY.into(), key::sighting(2_000, WEB, 7)));
    world.check(HOUR, &[&format!("B1 Exact joined: {JOINED} 600 s"), &format!("B6 Exact joined: {JOINED} 598 s")]);
}

#[test]
fn a_finding_in_the_cloud_leads_back_to_the_last_process_that_asked() {
    let used = call("e1", 600_000, INSTANCE, KEY, "203.0.113.7");
    let world = World {
        events: vec![metadata(0, WEB, 7), metadata(60_000, OTHER, 8)],
        entries: vec![used.clone()],
        ..World::default()
    };
    let key = Entity::Identity { identity: crate::model::Identity::AccessKey { id: KEY.into() } };
    let edges = world.correlator().edges_for(&[finding("f", 600_000, used.evidence(), vec![key])], at(HOUR));
    let told: Vec<String> = edges.iter().map(line).collect();
    assert_eq!(told, ["B1 Strong joined: process 8 (/usr/bin/curl) -> access key ASIAEXAMPLE 540 s"]);
}

#[test]
fn one_use_from_elsewhere_is_found_among_thousands_of_the_node_s_own() {
    let own = (1..3_000).map(|number| call(&format!("e{number}"), number * 1_000, INSTANCE, KEY, "10.0.0.5"));
    let stolen = call("stolen", 1_500_500, INSTANCE, KEY, "203.0.113.7");
    world(own.chain([stolen]).collect()).check(HOUR, &[&format!("B1 Strong joined: {JOINED} 1500 s")]);
}

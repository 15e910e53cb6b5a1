//! Process trees and containers, and the ancestors that everybody shares.

use super::*;

fn tree(forks: &[(u32, u32)], findings: [u32; 2]) -> Vec<String> {
    let mut correlator = World::default().correlator();
    for (parent, child) in forks {
        correlator.node_event(&event(-1_000, "", *parent, 0, Body::Fork { child: process(*child) }));
    }
    let found = findings.map(|pid| {
        in_container(&format!("f{pid}"), &event(i64::from(pid), "", pid, 0, Body::Exit { code: 0, signal: 0 }))
    });
    correlator.edges_for(&found, at(HOUR)).iter().map(line).collect()
}

#[test]
fn a_child_s_finding_belongs_to_its_parent_s() {
    let joined = ["Lineage Strong joined: process 30 (/usr/bin/curl) -> process 40 (/usr/bin/curl) 0 s"];
    assert_eq!(tree(&[(1, 20), (20, 30), (30, 40)], [30, 40]), joined);
}

#[test]
fn two_children_of_one_session_belong_together() {
    let joined = ["Lineage Strong joined: process 40 (/usr/bin/curl) -> process 41 (/usr/bin/curl) 0 s"];
    assert_eq!(tree(&[(1, 20), (20, 30), (30, 40), (30, 41)], [40, 41]), joined);
}

#[test]
fn two_children_of_one_service_do_not() {
    // 20 is what init started: its sessions are strangers to each other.
    assert_eq!(tree(&[(1, 20), (20, 30), (20, 31)], [30, 31]), Vec::<String>::new());
}

#[test]
fn two_processes_of_one_container_belong_together() {
    let mut correlator = World::default().correlator();
    let events = [7, 8].map(|pid| metadata(i64::from(pid), WEB, pid));
    for event in &events {
        correlator.node_event(event);
    }
    let found = [in_container("f7", &events[0]), in_container("f8", &events[1])];
    let told: Vec<String> = correlator.edges_for(&found, at(HOUR)).iter().map(line).collect();
    assert_eq!(told, ["Lineage Strong joined: process 7 (/usr/bin/curl) -> process 8 (/usr/bin/curl) 0 s"]);
}

//! What becomes one case and what does not.

use super::*;
use crate::correlate::group;
use crate::model::{Bridge, Identity, Strength};

fn key(id: &str) -> Entity {
    Entity::Identity { identity: Identity::AccessKey { id: id.into() } }
}

fn about(id: &str, milliseconds: i64, entities: Vec<Entity>) -> Finding {
    finding(id, milliseconds, metadata(milliseconds, WEB, 1).evidence(), entities)
}

fn container(id: &str) -> Entity {
    Entity::Container { id: id.into(), node: NODE.into() }
}

fn process_entity(pid: u32) -> Entity {
    Entity::Process { key: process(pid), executable: "/x".into() }
}

fn edge(from: Entity, to: Entity, strength: Strength) -> Edge {
    Edge {
        bridge: Bridge::B1,
        strength,
        from,
        to,
        reason: "because".into(),
        evidence: NonEmpty::one(metadata(99_999, WEB, 3).evidence()),
        delta_ns: 0,
        state: EdgeState::Joined,
    }
}

fn told(findings: &[Finding], edges: &[Edge]) -> Vec<String> {
    let names = |group: &crate::correlate::Group| {
        let names: Vec<&str> = group.findings.iter().map(|finding| finding.id.0.as_str()).collect();
        format!("{}: {}", group.key.0, names.join(" "))
    };
    group(findings, edges).iter().map(names).collect()
}

#[test]
fn one_container_is_one_case_and_one_node_is_not() {
    let node = Entity::Node { name: NODE.into() };
    let found = [
        about("a", 1, vec![container(WEB), node.clone()]),
        about("b", 2, vec![container(OTHER), node.clone()]),
        about("c", 3, vec![container(WEB), node]),
    ];
    assert_eq!(told(&found, &[]), ["a: a c", "b: b"]);
}

#[test]
fn an_exact_edge_merges_two_cases_and_a_weak_one_does_not() {
    let found = [about("a", 1, vec![process_entity(7)]), about("b", 2, vec![key("ASIA1")])];
    let joined = |strength| told(&found, &[edge(process_entity(7), key("ASIA1"), strength)]);
    assert_eq!(joined(Strength::Exact), ["a: a b"]);
    assert_eq!(joined(Strength::Weak), ["a: a", "b: b"]);
}

#[test]
fn an_awaited_edge_stands_in_its_case_and_joins_nothing() {
    let found = [about("a", 1, vec![process_entity(7)]), about("b", 2, vec![key("ASIA1")])];
    let mut awaited = edge(process_entity(7), key("ASIA1"), Strength::Exact);
    awaited.state = EdgeState::Pending { until_ns: 1 };
    let groups = group(&found, &[awaited]);
    assert_eq!(
        groups.iter().map(|group| (group.findings.len(), group.edges.len())).collect::<Vec<_>>(),
        [(1, 1), (1, 1)]
    );
}

#[test]
fn what_many_share_joins_only_by_exact_edges() {
    let found = [about("a", 1, vec![process_entity(7)]), about("b", 2, vec![process_entity(8)])];
    let shared =
        |strength| -> Vec<Edge> { (7..17).map(|pid| edge(process_entity(pid), key("ASIA1"), strength)).collect() };
    // Strong edges of ten processes to one key: the evidence of each is its own.
    let mut strong = shared(Strength::Strong);
    for (place, edge) in strong.iter_mut().enumerate() {
        edge.evidence = NonEmpty::one(metadata(i64::try_from(place).expect("few") + 500_000, WEB, 3).evidence());
    }
    assert_eq!(told(&found, &strong), ["a: a", "b: b"]);
    assert_eq!(told(&found, &shared(Strength::Exact)), ["a: a b"]);
}

#[test]
fn one_caller_from_one_address_is_one_case_within_the_hour() {
    let caller = |name: &str| Entity::Identity { identity: Identity::Person { name: name.into() } };
    let address = |text: &str| Entity::Address { address: text.parse().expect("an address") };
    let found = [
        about("a", 0, vec![caller("sam"), address("203.0.113.7")]),
        about("b", 60_000, vec![caller("sam"), address("203.0.113.7")]),
        about("c", 60_001, vec![caller("kim"), address("203.0.113.7")]),
        about("d", 60_002, vec![caller("sam"), address("198.51.100.1")]),
        about("e", 2 * HOUR, vec![caller("sam"), address("203.0.113.7")]),
    ];
    assert_eq!(told(&found, &[]), ["a: a b", "c: c", "d: d", "e: e"]);
}

#[test]
fn the_same_finding_twice_is_one() {
    let found = about("a", 1, vec![container(WEB)]);
    assert_eq!(told(&[found.clone(), found], &[]), ["a: a"]);
}

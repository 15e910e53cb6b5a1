//! Small worlds for correlation: one node, one cloud account, one cluster. Takes facts in the order a test gives them; prints the edges
//! that come out, one a line. Times are milliseconds after noon.

mod chain;
mod entry;
mod groups;
mod key;
mod lineage;
mod metadata;
mod random;
mod token;

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Correlator, NodeFacts, Site};
use crate::model::event::{ContainerSeen, Entry, Exec, Flow, Raw};
use crate::model::{
    Actor, AuditEntry, AuditSource, Body, Edge, EdgeState, Entity, Finding, FindingId, Level, Moment, NodeEvent,
    NonEmpty, Origin, ProcessKey,
};

const NOON_MS: u64 = 1_795_262_400_000;
const NODE: &str = "node-1";
const WEB: &str = "3fa9c0d1e2b4000000000000000000000000000000000000000000000000aaaa";
const OTHER: &str = "77c1d2e3f405000000000000000000000000000000000000000000000000bbbb";
const INSTANCE: &str = "i-0a1b2c3d4e5f60718";

fn at(milliseconds: i64) -> Moment {
    let ms = NOON_MS.checked_add_signed(milliseconds).expect("times lie around noon");
    Moment { ns: ms * 1_000_000, uncertainty_us: 100 }
}

fn process(pid: u32) -> ProcessKey {
    ProcessKey { node: NODE.into(), boot_id: "boot".into(), pid, start_ns: u64::from(pid) }
}

/// A node event of a process in a container, or on the host where `container` is empty.
fn event(milliseconds: i64, container: &str, pid: u32, parent: u32, body: Body) -> NodeEvent {
    let origin = if container.is_empty() { Origin::Host } else { Origin::Container { id: container.into() } };
    let actor = Actor {
        process: process(pid),
        parent: Some(process(parent)),
        executable: Raw(b"/usr/bin/curl".to_vec()),
        uid: 33,
        origin,
        entry: Entry::InitTree,
        entered: None,
        in_host_mounts: false,
    };
    let position =
        u64::try_from(milliseconds + 1_000_000_000).expect("times lie around noon") * 10 + u64::from(pid % 10);
    NodeEvent {
        node: NODE.into(),
        log_id: "log".into(),
        position,
        time: at(milliseconds),
        actor: Some(actor),
        attempt: false,
        body,
    }
}

fn metadata(milliseconds: i64, container: &str, pid: u32) -> NodeEvent {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let flow =
        Flow { local: address("10.0.0.5"), local_port: 40_000, remote: address("169.254.169.254"), remote_port: 80 };
    event(
        milliseconds,
        container,
        pid,
        1,
        Body::Connect { flow, established: true, metadata_service: true, api_server: false },
    )
}

fn token(milliseconds: i64, container: &str, pid: u32) -> NodeEvent {
    let path = Raw(b"/run/secrets/kubernetes.io/serviceaccount/token".to_vec());
    let body = Body::FileOpen {
        path,
        flags: 0,
        mode: 0,
        sensitive: "service_account_token".into(),
        result: 3,
        truncated: false,
        object: None,
        created: false,
        by_handle: false,
        alias: Raw::default(),
        repeats: None,
    };
    event(milliseconds, container, pid, 1, body)
}

fn entered(milliseconds: i64, container: &str, pid: u32, parent: u32, command: &[&str]) -> NodeEvent {
    let arguments = command.iter().map(|word| Raw(word.as_bytes().to_vec())).collect();
    let mut event =
        event(milliseconds, container, pid, parent, Body::Exec(Box::new(Exec { arguments, ..Exec::default() })));
    event.actor.as_mut().expect("an exec has an actor").entry = Entry::CriExec;
    event
}

fn pod(container: &str, uid: &str, name: &str) -> NodeEvent {
    let seen = ContainerSeen {
        container_id: container.into(),
        pod_uid: uid.into(),
        pod_name: name.into(),
        pod_namespace: "shop".into(),
        name: "app".into(),
        service_account: "checkout".into(),
        ..ContainerSeen::default()
    };
    let mut event = event(-60_000, container, 1, 0, Body::ContainerSeen(Box::new(seen)));
    event.actor = None;
    event
}

fn entry(source: AuditSource, id: &str, milliseconds: i64, action: &str, address: &str, original: Value) -> AuditEntry {
    AuditEntry {
        source,
        id: id.into(),
        time: at(milliseconds),
        action: action.into(),
        source_address: address.parse().ok(),
        denied: false,
        original,
        object_sha256: "00".into(),
    }
}

/// A call by a session of a role, with a key.
fn call(id: &str, milliseconds: i64, session: &str, key: &str, address: &str) -> AuditEntry {
    let user = json!({
        "type": "AssumedRole",
        "arn": format!("arn:aws:sts::1:assumed-role/WebRole/{session}"),
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::1:role/WebRole"}},
    });
    let original = json!({"userIdentity": user, "sourceIPAddress": address});
    entry(AuditSource::Cloudtrail, id, milliseconds, "ListBuckets", address, original)
}

/// A finding about a container's process, or about a key.
fn finding(id: &str, milliseconds: i64, evidence: crate::model::EvidenceRef, entities: Vec<Entity>) -> Finding {
    Finding {
        id: FindingId(id.into()),
        rule_id: format!("rule {id}"),
        title: format!("Finding {id}"),
        why: String::new(),
        level: Level::High,
        techniques: Vec::new(),
        tactics: vec!["credential-access".into()],
        time: at(milliseconds),
        entities,
        evidence: NonEmpty::one(evidence),
        matched: Vec::new(),
    }
}

fn in_container(id: &str, event: &NodeEvent) -> Finding {
    let mut entities = Vec::new();
    let actor = event.actor.as_ref().expect("an event of a process");
    entities.push(Entity::Process { key: actor.process.clone(), executable: actor.executable.escape() });
    entities.extend(event.container().map(|id| Entity::Container { id: id.into(), node: NODE.into() }));
    let milliseconds =
        i64::try_from(event.time.ns / 1_000_000).expect("small") - i64::try_from(NOON_MS).expect("small");
    finding(id, milliseconds, event.evidence(), entities)
}

#[derive(Default)]
struct World {
    events: Vec<NodeEvent>,
    entries: Vec<AuditEntry>,
    sighted: Vec<(String, super::Sighting)>,
    site: Site,
}

impl World {
    fn correlator(&self) -> Correlator {
        let mut correlator = Correlator::new(self.site.clone());
        correlator.node_facts(NodeFacts {
            node: NODE.into(),
            instance_id: Some(INSTANCE.into()),
            addresses: vec!["10.0.0.5".parse().expect("an address")],
        });
        for event in &self.events {
            correlator.node_event(event);
        }
        for entry in &self.entries {
            correlator.audit(entry);
        }
        for (key, sighting) in &self.sighted {
            // Any function of the key does for a hash here.
            let hash = key.chars().rev().collect::<String>();
            correlator.sightings().saw(&hash, sighting.clone());
            correlator.sightings().used(key, &hash);
        }
        correlator
    }

    /// The edges that a finding about the first event's process reaches, an hour after noon unless said otherwise.
    fn edges(&self, now_ms: i64) -> Vec<Edge> {
        let first = self.events.iter().find(|event| event.actor.is_some()).expect("a world has an event");
        self.correlator().edges_for(&[in_container("f1", first)], at(now_ms))
    }

    /// Those edges, one a line: bridge, strength, state, ends, time between.
    fn check(&self, now_ms: i64, expected: &[&str]) {
        let told: Vec<String> = self.edges(now_ms).iter().map(line).collect();
        assert_eq!(told, expected);
    }
}

fn line(edge: &Edge) -> String {
    let state = match edge.state {
        EdgeState::Joined => "joined",
        EdgeState::Pending { .. } => "pending",
    };
    let seconds = edge.delta_ns / 1_000_000_000;
    format!("{:?} {:?} {state}: {} -> {} {seconds} s", edge.bridge, edge.strength, edge.from, edge.to)
}

const HOUR: i64 = 3_600_000;

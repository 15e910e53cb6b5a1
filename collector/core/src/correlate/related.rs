//! What a group reaches beyond its findings: the roles and sessions behind its keys, every call that was made with them, where a
//! credential was used outside of its node, and what was lost meanwhile. Takes a group; gives facts with evidence, and judges nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Correlator;
use super::bridge::CALLER_GAP_NS;
use super::cloud_side::Credential;
use super::facts::{Call, Loss};
use super::group::Group;
use super::join::metadata::{Place, instance, place};
use crate::model::{Bridge, Edge, EdgeState, Entity, EvidenceRef, Identity, Moment, Strength};

/// Calls given in all.
const USES: usize = 2_048;

/// Losses count when they lie this near to the group: what preceded the first finding may be what is missing.
const NEAR_NS: u64 = 300_000_000_000;

/// One call that was made with a credential of the group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// When.
    pub time: Moment,
    /// The credential: an access key id, a session's ARN where the log has no key, or a user of the cluster.
    pub credential: String,
    /// What was called.
    pub action: String,
    /// From where.
    pub address: Option<IpAddr>,
    /// The provider refused it.
    pub denied: bool,
    /// The entry.
    pub evidence: EvidenceRef,
}

/// An instance's credential was used from an address that is not its node's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// The first such call.
    pub time: Moment,
    /// Its address.
    pub address: IpAddr,
    /// The credential.
    pub credential: String,
    /// The call.
    pub evidence: EvidenceRef,
}

/// What a group reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    /// Roles, sessions, keys, addresses and resources of the group's credentials; sorted, each once.
    pub entities: Vec<Entity>,
    /// Calls of the group's credentials since shortly before its first finding, and of a person who was let in; in order of time.
    pub uses: Vec<Use>,
    /// Credentials that left their node: the first call from each address.
    pub left: Vec<Left>,
    /// What was lost on the group's nodes, near the group's time.
    pub losses: Vec<Loss>,
    /// Every node of the group replays a recorded run.
    pub replay: bool,
}

pub(super) fn of(known: &Correlator, group: &Group) -> Related {
    let mut related = Related::default();
    let mut entities = BTreeSet::new();
    let since = group.findings.iter().map(|finding| finding.time).min().unwrap_or(Moment::exact(0));
    for name in credentials(group) {
        let Some(credential) = known.cloud.credential(&name) else { continue };
        entities.extend(credential.identities.iter().cloned().map(|identity| Entity::Identity { identity }));
        related.left.extend(left(known, credential, &name, since));
        // What a long-lived key did in the days before is its ordinary life, not this case.
        let begin = since.ns.saturating_sub(NEAR_NS);
        for call in credential.calls.iter().filter(|call| call.time.ns >= begin) {
            entities.extend(call.address.map(|address| Entity::Address { address }));
            entities.extend(call.resources.iter().cloned().map(|arn| Entity::CloudResource { arn }));
            related.uses.push(used(call, &name));
        }
    }
    for edge in group.edges.iter().filter(|edge| edge.bridge == Bridge::B5 && edge.state == EdgeState::Joined) {
        related.uses.extend(around(known, edge));
    }
    related.uses.sort();
    related.uses.dedup();
    related.uses.truncate(USES);
    related.left.sort();
    related.entities = entities.into_iter().collect();
    let nodes = nodes(group);
    related.losses = losses(known, group, &nodes);
    related.replay = !nodes.is_empty() && nodes.iter().all(|name| known.node(name).is_some_and(|node| node.replay));
    related
}

/// What the one who was let in called besides, from the same address and without a long pause.
fn around(known: &Correlator, edge: &Edge) -> Vec<Use> {
    let Entity::Identity { identity: Identity::Person { name } } = &edge.to else { return Vec::new() };
    let calls: Vec<&Call> = known.cloud.caller(name).collect();
    let Some(asked) = calls.iter().find(|call| edge.evidence.iter().any(|evidence| *evidence == call.evidence)) else {
        return Vec::new();
    };
    let near =
        |call: &&&Call| call.address == asked.address && asked.time.delta_ns(call.time).unsigned_abs() <= CALLER_GAP_NS;
    calls.iter().filter(near).map(|call| used(call, name)).collect()
}

/// Credentials of the group: those its findings name, and those that a joined edge leads to.
fn credentials(group: &Group) -> BTreeSet<String> {
    let of_findings = group.findings.iter().flat_map(|finding| &finding.entities);
    let joined = |edge: &&Edge| edge.state == EdgeState::Joined && edge.strength >= Strength::Strong;
    let of_edges = group.edges.iter().filter(joined).flat_map(|edge| [&edge.from, &edge.to]);
    let name = |entity: &Entity| match entity {
        Entity::Identity { identity: Identity::AccessKey { id } } => Some(id.clone()),
        Entity::Identity { identity: Identity::RoleSession { arn } } => Some(arn.clone()),
        _ => None,
    };
    of_findings.chain(of_edges).filter_map(name).collect()
}

fn used(call: &Call, name: &str) -> Use {
    Use {
        time: call.time,
        credential: name.to_owned(),
        action: call.action.clone(),
        address: call.address,
        denied: call.denied,
        evidence: call.evidence.clone(),
    }
}

/// The first call from each address outside of the credential's node.
fn left(known: &Correlator, credential: &Credential, name: &str, since: Moment) -> Vec<Left> {
    let Some(instance) = instance(credential) else { return Vec::new() };
    let Some(node) = known.node_of_instance(instance) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let outside = credential.calls.iter().filter(|call| {
        let since = since.min(call.time);
        place(known, node, call, instance, credential, since) == Place::Outside
    });
    let first = |call: &Call| {
        let address = call.address.filter(|address| seen.insert(*address))?;
        Some(Left { time: call.time, address, credential: name.to_owned(), evidence: call.evidence.clone() })
    };
    outside.filter_map(first).collect()
}

fn nodes(group: &Group) -> BTreeSet<&str> {
    let of_findings = group.findings.iter().flat_map(|finding| &finding.entities);
    let of_edges = group.edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
    of_findings.chain(of_edges).filter_map(node_of).collect()
}

fn node_of(entity: &Entity) -> Option<&str> {
    match entity {
        Entity::Process { key, .. } => Some(&key.node),
        Entity::Container { node, .. } => Some(node),
        _ => None,
    }
}

fn losses(known: &Correlator, group: &Group, nodes: &BTreeSet<&str>) -> Vec<Loss> {
    let times = || group.findings.iter().map(|finding| finding.time.ns);
    let from = times().min().unwrap_or_default().saturating_sub(NEAR_NS);
    let to = times().max().unwrap_or_default().saturating_add(NEAR_NS);
    let of_nodes = nodes.iter().filter_map(|name| known.node(name)).flat_map(|node| node.losses.iter());
    of_nodes.filter(|loss| loss.from_ns <= to && loss.to_ns >= from).cloned().collect()
}

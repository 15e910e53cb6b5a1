//! Which findings are one case. Takes findings and edges; gives groups, connected along exact and strong edges, one process, one
//! container, one pod, one key. Never joins by what many share: a node, an address, a role, a service account, an API server.

use std::collections::{BTreeMap, BTreeSet};

use super::bridge::{CALLER_GAP_NS, SHARED};
use crate::detect::merge;
use crate::model::{Bridge, Edge, EdgeState, Entity, EvidenceRef, Finding, FindingId, Identity, Strength};

/// Findings that belong together, and what joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name: the id of its earliest finding. A case whose findings hold this id is this group's case; where a group holds
    /// the findings of two cases, they have merged.
    pub key: FindingId,
    /// In order of time, each once.
    pub findings: Vec<Finding>,
    /// Every edge that touches it: joined ones, and those that are awaited.
    pub edges: Vec<Edge>,
}

impl Group {
    /// Whether a finding is part of it.
    pub fn holds(&self, id: &FindingId) -> bool {
        self.findings.iter().any(|finding| finding.id == *id)
    }
}

/// What joins by itself: its key belongs to one actor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Glue {
    Process { node: String, boot_id: String, pid: u32, start_ns: u64 },
    Container(String),
    Pod(String),
    Key(String),
    Session(String),
    Evidence(EvidenceRef),
}

/// Groups of findings, in order of their first finding. The order of the input makes no difference.
pub fn group(findings: &[Finding], edges: &[Edge]) -> Vec<Group> {
    let findings = each_once(findings);
    let mut forest = Forest::default();
    for finding in &findings {
        let glue = of_finding(finding);
        forest.join_all(&glue);
    }
    same_caller(&findings, &mut forest);
    let shared = shared(edges);
    for edge in edges {
        let strong = edge.state == EdgeState::Joined && edge.strength >= Strength::Strong;
        let damped = edge.strength != Strength::Exact && (shared.contains(&&edge.from) || shared.contains(&&edge.to));
        if strong && !damped {
            forest.join_all(&of_edge(edge));
        }
    }
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for finding in findings {
        let root = forest.root_of(&Glue::Evidence(finding.evidence.first().clone()));
        let fresh = || Group { key: finding.id.clone(), findings: Vec::new(), edges: Vec::new() };
        groups.entry(root).or_insert_with(fresh).findings.push(finding);
    }
    attach(edges, &mut forest, &mut groups);
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|one, other| first(one).cmp(&first(other)));
    groups
}

fn first(group: &Group) -> Option<(u64, &FindingId)> {
    group.findings.first().map(|finding| (finding.time.ns, &finding.id))
}

/// Findings in order of time; reports of the same match become one.
fn each_once(findings: &[Finding]) -> Vec<Finding> {
    let mut by_id: BTreeMap<&FindingId, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_id.entry(&finding.id).or_default().push(finding);
    }
    let mut once: Vec<Finding> = by_id.into_values().filter_map(one_of).collect();
    once.sort_by(|one, other| (one.time.ns, &one.id).cmp(&(other.time.ns, &other.id)));
    once
}

fn one_of(mut reports: Vec<&Finding>) -> Option<Finding> {
    // The fullest first; its own text decides between equals, so that the order of arrival does not.
    reports.sort_by_cached_key(|report| (std::cmp::Reverse(report.matched.len()), format!("{report:?}")));
    let (fullest, others) = reports.split_first()?;
    let mut one = (*fullest).clone();
    for other in others {
        merge(&mut one, other);
    }
    Some(one)
}

fn of_finding(finding: &Finding) -> Vec<Glue> {
    let mut glue: Vec<Glue> = finding.evidence.iter().cloned().map(Glue::Evidence).collect();
    let keyed = finding.entities.iter().any(|entity| matches!(key_of(entity), Some(Glue::Key(_))));
    let of_entity = |entity| key_of(entity).filter(|glue| !keyed || !matches!(glue, Glue::Session(_)));
    glue.extend(finding.entities.iter().filter_map(of_entity));
    glue
}

fn of_edge(edge: &Edge) -> Vec<Glue> {
    let ends = [key_of(&edge.from), key_of(&edge.to)].into_iter().flatten();
    ends.chain(edge.evidence.iter().cloned().map(Glue::Evidence)).collect()
}

fn key_of(entity: &Entity) -> Option<Glue> {
    match entity {
        Entity::Process { key, .. } => Some(Glue::Process {
            node: key.node.clone(),
            boot_id: key.boot_id.clone(),
            pid: key.pid,
            start_ns: key.start_ns,
        }),
        Entity::Container { id, .. } => Some(Glue::Container(id.clone())),
        Entity::Pod { uid, .. } => Some(Glue::Pod(uid.clone())),
        Entity::Identity { identity: Identity::AccessKey { id } } => Some(Glue::Key(id.clone())),
        Entity::Identity { identity: Identity::RoleSession { arn } } => Some(Glue::Session(arn.clone())),
        _ => None,
    }
}

/// One caller from one address, without a long pause between: neither alone would do.
fn same_caller(findings: &[Finding], forest: &mut Forest) {
    let mut last: BTreeMap<(&Entity, &Entity), &Finding> = BTreeMap::new();
    for finding in findings {
        let Some(caller @ Entity::Identity { identity }) = finding.entities.first() else { continue };
        if matches!(identity, Identity::Service { .. } | Identity::Role { .. }) {
            continue;
        }
        let Some(address) = finding.entities.iter().find(|entity| matches!(entity, Entity::Address { .. })) else {
            continue;
        };
        if let Some(earlier) = last.insert((caller, address), finding)
            && finding.time.ns.saturating_sub(earlier.time.ns) <= CALLER_GAP_NS
        {
            let both = [earlier, finding].map(|finding| Glue::Evidence(finding.evidence.first().clone()));
            forest.join_all(&both);
        }
    }
}

/// Entities that more than a few strong edges lead to: an agent that asks for everybody's credentials, an account of many pods.
fn shared(edges: &[Edge]) -> BTreeSet<&Entity> {
    let mut others: BTreeMap<&Entity, BTreeSet<&Entity>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.strength == Strength::Strong && edge.bridge != Bridge::Lineage) {
        others.entry(&edge.from).or_default().insert(&edge.to);
        others.entry(&edge.to).or_default().insert(&edge.from);
    }
    others.into_iter().filter(|(_, others)| others.len() > SHARED).map(|(entity, _)| entity).collect()
}

/// Gives each edge to every group that one of its ends, or its evidence, is part of. A weak one must have both ends in it: it
/// may add to a case, and not widen it.
fn attach(edges: &[Edge], forest: &mut Forest, groups: &mut BTreeMap<usize, Group>) {
    let mut order: Vec<&Edge> = edges.iter().collect();
    order.sort_by_key(|edge| (edge.bridge, &edge.from, &edge.to, edge.strength, &edge.reason));
    order.dedup();
    for edge in order {
        if edge.strength == Strength::Weak {
            let mut root = |entity| key_of(entity).and_then(|glue| forest.known_root(&glue));
            let (from, to) = (root(&edge.from), root(&edge.to));
            if from.is_none() || from != to {
                continue;
            }
        }
        let roots: BTreeSet<usize> = of_edge(edge).iter().filter_map(|glue| forest.known_root(glue)).collect();
        for root in roots {
            if let Some(group) = groups.get_mut(&root) {
                group.edges.push(edge.clone());
            }
        }
    }
}

/// Sets that can be joined.
#[derive(Default)]
struct Forest {
    place: BTreeMap<Glue, usize>,
    parent: Vec<usize>,
}

impl Forest {
    fn root_of(&mut self, glue: &Glue) -> usize {
        if let Some(root) = self.known_root(glue) {
            return root;
        }
        let fresh = self.parent.len();
        self.parent.push(fresh);
        self.place.insert(glue.clone(), fresh);
        fresh
    }

    fn known_root(&mut self, glue: &Glue) -> Option<usize> {
        let mut place = *self.place.get(glue)?;
        while let Some(parent) = self.parent.get(place).copied().filter(|parent| *parent != place) {
            let above = self.parent.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parent.get_mut(place) {
                *slot = above;
            }
            place = parent;
        }
        Some(place)
    }

    fn join_all(&mut self, glue: &[Glue]) {
        let Some((head, rest)) = glue.split_first() else { return };
        let mut root = self.root_of(head);
        for other in rest {
            let other = self.root_of(other);
            let (low, high) = (root.min(other), root.max(other));
            if let Some(slot) = self.parent.get_mut(high) {
                *slot = low;
            }
            root = low;
        }
    }
}

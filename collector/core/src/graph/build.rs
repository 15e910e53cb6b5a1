//! From facts to nodes and edges. Takes the case, its events, outcomes and what could be reached; decides what is drawn as one. Knows nothing of
//! pictures.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::collapse::{collapse, number};
use super::{Column, Cut, Edge, EdgeKind, Graph, Kind, Node};
use crate::custody::Recorded;
use crate::model::{
    Body, Case, EdgeState, Entity, EvidenceRef, Finding, Identity, Moment, NodeEvent, Origin, ProcessKey,
};
use crate::playbook::{Action, Outcome, Status};
use crate::report::Reachable;

/// The blast radius of a case.
pub fn build(case: &Case, events: &[NodeEvent], outcomes: &[Recorded<Outcome>], reachable: &[Reachable]) -> Graph {
    let mut sketch = Sketch { places: places(events), lines: BTreeMap::new() };
    sketch.flows(case, events);
    sketch.findings(case);
    sketch.edges(case);
    sketch.reachable(reachable);
    let (cuts, cut_of) = cuts(outcomes);
    let mut graph = sketch.graph(&cut_of);
    graph.cuts = cuts;
    graph.not_modelled = not_modelled(reachable);
    collapse(graph)
}

/// An edge before it has a number.
struct Line {
    time: Option<Moment>,
    reason: String,
    evidence: Vec<EvidenceRef>,
}

struct Sketch {
    /// In which container a process ran.
    places: BTreeMap<ProcessKey, Entity>,
    lines: BTreeMap<(EdgeKind, Entity, Entity), Line>,
}

fn places(events: &[NodeEvent]) -> BTreeMap<ProcessKey, Entity> {
    let place = |event: &NodeEvent| {
        let actor = event.actor.as_ref()?;
        let entity = match &actor.origin {
            Origin::Container { id } => Entity::Container { id: id.clone(), node: event.node.clone() },
            Origin::Host | Origin::Unknown { .. } => Entity::Node { name: event.node.clone() },
        };
        Some((actor.process.clone(), entity))
    };
    events.iter().filter_map(place).collect()
}

impl Sketch {
    /// A process is drawn as the container that it ran in; a file is not drawn.
    fn drawn(&self, case: &Case, entity: &Entity) -> Option<Entity> {
        match entity {
            Entity::Process { key, .. } => Some(self.places.get(key).cloned().unwrap_or_else(|| {
                let in_finding = |finding: &&Finding| finding.entities.contains(entity);
                let finding = case.findings.iter().find(in_finding);
                let container = finding.and_then(|finding| finding.entities.iter().find(|other| is_container(other)));
                container.cloned().unwrap_or(Entity::Node { name: key.node.clone() })
            })),
            Entity::File { .. } | Entity::Content { .. } => None,
            Entity::Identity { identity: Identity::AccessKey { id } } if id.starts_with("ASIA") => {
                Some(session_of(case, entity).unwrap_or(entity).clone())
            }
            Entity::Address { address } if is_local(*address) => None,
            _ => Some(entity.clone()),
        }
    }

    fn add(&mut self, kind: EdgeKind, from: Entity, to: Entity, line: Line) {
        if from == to {
            return;
        }
        let known = self.lines.entry((kind, from, to)).or_insert_with(|| Line { evidence: Vec::new(), ..line });
        known.time = known.time.min(line.time).or(line.time);
        for evidence in line.evidence {
            if !known.evidence.contains(&evidence) {
                known.evidence.push(evidence);
            }
        }
    }

    /// Addresses of the case that its containers spoke with.
    fn flows(&mut self, case: &Case, events: &[NodeEvent]) {
        for event in events {
            let (flow, is_inward) = match &event.body {
                Body::Accept { flow } => (flow, true),
                Body::Connect { flow, metadata_service: false, .. }
                | Body::DatagramFlow { flow, metadata_service: false } => (flow, false),
                _ => continue,
            };
            let Some(here) = event.actor.as_ref().and_then(|actor| self.places.get(&actor.process)).cloned() else {
                continue;
            };
            let there = Entity::Address { address: flow.remote };
            let is_known = case.entities.contains(&there) && case.entities.contains(&here);
            if !is_known || is_local(flow.remote) {
                continue;
            }
            let (from, to, reason) = if is_inward {
                (there, here, "This address connected to the workload.")
            } else {
                (here, there, "The workload connected to this address.")
            };
            let evidence = vec![event.evidence()];
            self.add(
                EdgeKind::Observed,
                from,
                to,
                Line { time: Some(event.time), reason: reason.to_owned(), evidence },
            );
        }
    }

    /// An address of a finding and the one who did it: the call came from there. Where a flow says the same, the flow is drawn.
    fn findings(&mut self, case: &Case) {
        for finding in &case.findings {
            let Some(subject) = finding.entities.first().and_then(|first| self.drawn(case, first)) else { continue };
            for entity in finding.entities.iter().skip(1) {
                let Some(other) = self.drawn(case, entity) else { continue };
                let both = (other.clone(), subject.clone());
                let is_drawn = |(_, from, to): &(EdgeKind, Entity, Entity)| {
                    (*from == both.0 && *to == both.1) || (*from == both.1 && *to == both.0)
                };
                if self.lines.keys().any(is_drawn) {
                    continue;
                }
                let (from, to) = match &other {
                    Entity::Address { .. } => (other, subject.clone()),
                    _ if is_container(&other) || matches!(other, Entity::Node { .. } | Entity::Pod { .. }) => continue,
                    _ => (subject.clone(), other),
                };
                let evidence = finding.evidence.iter().cloned().collect();
                let line = Line { time: Some(finding.time), reason: format!("{}.", finding.title), evidence };
                self.add(EdgeKind::Observed, from, to, line);
            }
        }
    }

    fn edges(&mut self, case: &Case) {
        for edge in &case.edges {
            let ends = self.drawn(case, &edge.from).zip(self.drawn(case, &edge.to));
            let Some((from, to)) = ends else { continue };
            let evidence: Vec<EvidenceRef> = edge.evidence.iter().cloned().collect();
            let (kind, reason) = match edge.state {
                EdgeState::Joined => (EdgeKind::Observed, edge.reason.clone()),
                EdgeState::Pending { .. } => (EdgeKind::Reachable, format!("{} (its use was not seen)", edge.reason)),
            };
            let time = first_seen(case, edge);
            self.lines.remove(&(kind, from.clone(), to.clone()));
            self.add(kind, from, to, Line { time, reason, evidence });
        }
    }

    fn reachable(&mut self, reachable: &[Reachable]) {
        for reach in reachable {
            let evidence = reach.evidence.iter().cloned().collect();
            let line = Line { time: None, reason: reach.reason.clone(), evidence };
            self.add(EdgeKind::Reachable, reach.from.clone(), reach.to.clone(), line);
        }
    }

    fn graph(self, cut_of: &BTreeMap<Entity, Vec<usize>>) -> Graph {
        let mut entities: Vec<&Entity> = self.lines.keys().flat_map(|(_, from, to)| [from, to]).collect();
        entities.sort_by_key(|entity| (column(entity), *entity));
        entities.dedup();
        let nodes: Vec<Node> = entities.iter().map(|entity| node(entity, cut_of)).collect();
        let index =
            |entity: &Entity| entities.iter().position(|known| *known == entity).expect("each end of a line is a node");
        let mut edges: Vec<Edge> = self
            .lines
            .iter()
            .map(|((kind, from, to), line)| {
                let (from, to) = (index(from), index(to));
                let mut cut_by: Vec<usize> = cut(&nodes, from, to);
                cut_by.sort_unstable();
                cut_by.dedup();
                let (reason, evidence) = (line.reason.clone(), line.evidence.clone());
                Edge { from, to, kind: *kind, number: 0, time: line.time, reason, evidence, cut_by }
            })
            .collect();
        edges.sort_by_key(|edge| (edge.kind, edge.time.map_or(u64::MAX, |time| time.ns), edge.from, edge.to));
        number(&mut edges);
        Graph { nodes, edges, cuts: Vec::new(), not_modelled: Vec::new() }
    }
}

/// An edge is cut where the thing that it leaves was cut off, or, for a connection, where either end was.
fn cut(nodes: &[Node], from: usize, to: usize) -> Vec<usize> {
    let (Some(from), Some(to)) = (nodes.get(from), nodes.get(to)) else { return Vec::new() };
    match (from.kind, to.kind) {
        (Kind::Container, Kind::Identity | Kind::Key) => to.cut_by.clone(),
        (_, Kind::Key) => [from.cut_by.as_slice(), &to.cut_by].concat(),
        (Kind::Address, _) => to.cut_by.clone(),
        _ => from.cut_by.clone(),
    }
}

/// When an edge came to be: its latest finding, or else the first finding about both of its ends, or about one.
fn first_seen(case: &Case, edge: &crate::model::Edge) -> Option<Moment> {
    let rests_on =
        |finding: &&Finding| finding.evidence.iter().any(|one| edge.evidence.iter().any(|other| one == other));
    let names = |finding: &Finding, entity: &Entity| finding.entities.contains(entity);
    let both = |finding: &&Finding| names(finding, &edge.from) && names(finding, &edge.to);
    let one = |finding: &&Finding| names(finding, &edge.from) || names(finding, &edge.to);
    let findings = || case.findings.iter();
    let latest = findings().filter(rests_on).map(|finding| finding.time).max();
    let latest = latest.or_else(|| findings().filter(both).map(|finding| finding.time).min());
    latest.or_else(|| findings().filter(one).map(|finding| finding.time).min())
}

/// A temporary key is drawn as the session that it belongs to.
fn session_of<'a>(case: &'a Case, key: &Entity) -> Option<&'a Entity> {
    let is_session = |entity: &&Entity| matches!(entity, Entity::Identity { identity: Identity::RoleSession { .. } });
    let mut ends =
        case.edges.iter().filter(|edge| edge.from == *key || edge.to == *key).flat_map(|edge| [&edge.from, &edge.to]);
    ends.find(is_session)
}

fn is_container(entity: &Entity) -> bool {
    matches!(entity, Entity::Container { .. })
}

fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unspecified(),
    }
}

fn cuts(outcomes: &[Recorded<Outcome>]) -> (Vec<Cut>, BTreeMap<Entity, Vec<usize>>) {
    let mut cuts: Vec<Cut> = Vec::new();
    let mut cut_of: BTreeMap<Entity, Vec<usize>> = BTreeMap::new();
    for recorded in outcomes {
        let outcome = &recorded.value;
        let worked = matches!(outcome.status, Status::Done | Status::Already);
        match &outcome.action {
            Action::NetQuarantine { .. } | Action::KeyDeactivate { .. } | Action::SessionRevoke { .. } if worked => {
                let number = cuts.len() + 1;
                let what = format!("{} ({})", outcome.action.title(), outcome.target);
                cuts.push(Cut { number, what, time: outcome.finished, evidence: recorded.evidence.clone() });
                cut_of.entry(outcome.target.clone()).or_default().push(number);
            }
            Action::NetRelease { .. } | Action::KeyRestore { .. } | Action::SessionAllow { .. } if worked => {
                cut_of.remove(&outcome.target);
            }
            _ => {}
        }
    }
    (cuts, cut_of)
}

fn not_modelled(reachable: &[Reachable]) -> Vec<String> {
    let is_cloud = |entity: &Entity| matches!(entity, Entity::CloudResource { .. } | Entity::Identity { .. });
    let is_cluster = |entity: &Entity| matches!(entity, Entity::ClusterObject { .. } | Entity::Pod { .. });
    let mut planes = Vec::new();
    if !reachable.iter().any(|reach| is_cloud(&reach.to)) {
        planes.push("what the stolen cloud identities are allowed to do (no IAM policies were read)".to_owned());
    }
    if !reachable.iter().any(|reach| is_cluster(&reach.to)) {
        planes.push("what the workload's service account is allowed to do (no cluster roles were read)".to_owned());
    }
    planes.push("which other machines the container's network could reach (no network policies were read)".to_owned());
    planes
}

fn column(entity: &Entity) -> Column {
    match entity {
        Entity::Address { .. } => Column::Outside,
        Entity::Node { .. } | Entity::Pod { .. } | Entity::Container { .. } | Entity::Process { .. } => {
            Column::Workload
        }
        Entity::Identity { identity } => match identity {
            Identity::AccessKey { .. } | Identity::CloudUser { .. } => Column::Key,
            _ => Column::Session,
        },
        Entity::File { .. } | Entity::Content { .. } | Entity::CloudResource { .. } | Entity::ClusterObject { .. } => {
            Column::Target
        }
    }
}

fn node(entity: &Entity, cut_of: &BTreeMap<Entity, Vec<usize>>) -> Node {
    let kind = match entity {
        Entity::Address { .. } => Kind::Address,
        Entity::Node { .. } => Kind::Machine,
        Entity::Pod { .. } | Entity::Container { .. } | Entity::Process { .. } => Kind::Container,
        Entity::Identity { identity: Identity::AccessKey { .. } } => Kind::Key,
        Entity::Identity { .. } => Kind::Identity,
        Entity::File { .. } | Entity::Content { .. } | Entity::CloudResource { .. } | Entity::ClusterObject { .. } => {
            Kind::Resource
        }
    };
    let full = entity.to_string();
    let label = label(entity, &full);
    let mut cut_by = cut_of.get(entity).cloned().unwrap_or_default();
    for (target, numbers) in cut_of {
        if is_session_of(entity, target) {
            cut_by.extend(numbers);
        }
    }
    cut_by.sort_unstable();
    Node { column: column(entity), kind, label, full, cut_by, count: 1 }
}

/// A session is cut off by what was done to its role.
fn is_session_of(entity: &Entity, role: &Entity) -> bool {
    match (entity, role) {
        (
            Entity::Identity { identity: Identity::RoleSession { arn } },
            Entity::Identity { identity: Identity::Role { arn: role } },
        ) => {
            let name = role.rsplit('/').next().unwrap_or(role);
            arn.contains(&format!(":assumed-role/{name}/"))
        }
        _ => false,
    }
}

fn label(entity: &Entity, full: &str) -> String {
    match entity {
        Entity::Container { id, .. } => id.chars().take(12).collect(),
        Entity::Node { name } => name.clone(),
        Entity::Identity { identity: Identity::AccessKey { id } } => id.clone(),
        Entity::Identity { identity: Identity::RoleSession { arn } } => {
            arn.split(":assumed-role/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(arn).to_owned()
        }
        Entity::Identity { identity: Identity::Role { arn } | Identity::CloudUser { arn } } => {
            arn.rsplit('/').next().unwrap_or(arn).to_owned()
        }
        Entity::Identity { identity: Identity::ServiceAccount { namespace, name } } => format!("{namespace}/{name}"),
        _ => full.to_owned(),
    }
}

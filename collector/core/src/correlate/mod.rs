//! How facts on different planes become one story. Takes all node events and all audit entries, in any order across logs; gives edges
//! between the things that findings are about, each with its key, its strength and both pieces of evidence. Never says guilty, and never
//! joins by time or address alone.

pub mod bridge;
mod cloud_side;
pub mod facts;
pub mod group;
mod join;
mod node_side;
mod related;
mod sighting;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::detect::Map;
use crate::model::{AuditEntry, Edge, Finding, Moment, NodeEvent};
use cloud_side::CloudSide;
pub use facts::Loss;
pub use group::{Group, group};
pub use node_side::NodeFacts;
use node_side::NodeSide;
pub use related::{Left, Related, Use};
pub use sighting::{KeySightings, Sighting};

/// What the operator knows about the place and no log says.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Addresses and ports of the cluster's API server, as pods see it. Empty: only token reads count for B4.
    pub api_servers: Vec<(IpAddr, u16)>,
    /// Addresses that many share on the way out: gateways, proxies, offices. A credential used from there has not left.
    pub egress: Vec<IpNet>,
}

/// Facts go in, edges come out. Holds a bounded number of facts; what it gives does not depend on the order in which logs arrive.
#[derive(Debug)]
pub struct Correlator {
    site: Site,
    nodes: Map<String, NodeSide>,
    instances: Map<String, String>,
    cloud: CloudSide,
    sightings: KeySightings,
}

impl Correlator {
    /// A correlator that has seen nothing.
    pub fn new(site: Site) -> Self {
        Self {
            site,
            nodes: Map::default(),
            instances: Map::default(),
            cloud: CloudSide::new(),
            sightings: KeySightings::default(),
        }
    }

    /// What a node said when it connected. Replaces what it said before.
    pub fn node_facts(&mut self, facts: NodeFacts) {
        if let Some(instance) = &facts.instance_id {
            self.instances.insert(instance.clone(), facts.node.clone());
        }
        let node = self.nodes.entry(facts.node.clone()).or_default();
        node.facts = facts;
    }

    /// Takes in one event of a node's log. Most hold no fact, and cost a comparison.
    pub fn node_event(&mut self, event: &NodeEvent) {
        if !node_side::matters(event, &self.site.api_servers) {
            return;
        }
        if let Some(node) = self.nodes.get_mut(event.node.as_str()) {
            node.learn(event, &self.site.api_servers);
        } else {
            let node = self.nodes.entry(event.node.clone()).or_default();
            node.facts.node.clone_from(&event.node);
            node.learn(event, &self.site.api_servers);
        }
    }

    /// Takes in one entry of an audit log. The same entry twice is the same as once.
    pub fn audit(&mut self, entry: &AuditEntry) {
        self.cloud.learn(entry);
    }

    /// Keyed hashes of access keys: those that nodes saw, and those of the keys in the logs. The key of the hash stays
    /// with the caller.
    pub fn sightings(&mut self) -> &mut KeySightings {
        &mut self.sightings
    }

    /// Ids of all access keys in the logs: what the caller hashes for [`KeySightings::used`].
    pub fn access_keys(&self) -> BTreeSet<&str> {
        self.cloud.access_keys()
    }

    /// The edges that reach out from these findings along bridges, step by step, until nothing new is reached. `now` is the
    /// caller's clock: it decides which late logs are still awaited.
    pub fn edges_for(&self, findings: &[Finding], now: Moment) -> Vec<Edge> {
        join::Question::new(self, findings, now).answer()
    }

    /// What else a group of findings and edges reaches: roles, sessions, addresses and calls of its credentials, and what
    /// was lost on its nodes.
    pub fn related(&self, group: &Group) -> Related {
        related::of(self, group)
    }

    fn node(&self, name: &str) -> Option<&NodeSide> {
        self.nodes.get(name)
    }

    /// The node that runs as this instance.
    fn node_of_instance(&self, instance: &str) -> Option<&NodeSide> {
        self.nodes.get(self.instances.get(instance)?)
    }

    /// Nodes in order of name.
    fn nodes_in_order(&self) -> Vec<(&str, &NodeSide)> {
        let mut nodes: Vec<_> = self.nodes.iter().map(|(name, node)| (name.as_str(), node)).collect();
        nodes.sort_unstable_by_key(|(name, _)| *name);
        nodes
    }
}

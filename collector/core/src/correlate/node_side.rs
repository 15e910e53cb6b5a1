//! What correlation keeps of one node: who reached for credentials, who entered containers, who is whose parent, what was lost. Takes
//! the node's events in the order of its log; gives facts by process and container. Bounded, and free of cost for other events.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::bridge::{ANCESTORS, CONTACT_SPAN_NS, FACTS, PROCESSES};
use super::facts::{self, Asked, Contact, Entered, Kept, Loss};
use crate::detect::Map;
use crate::model::event::ContainerSeen;
use crate::model::{Body, NodeEvent, ProcessKey};

/// What a node says about itself when it connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub node: String,
    /// Its cloud instance (`i-…`), where known.
    pub instance_id: Option<String>,
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
}

/// Pid and start time.
type Key = (u32, u64);

const fn key(process: &ProcessKey) -> Key {
    (process.pid, process.start_ns)
}

/// Bucket of time, process, and what it asked for: an SDK that asks every minute is one fact in ten.
type ContactKey = (u64, u32, u64, Asked);

#[derive(Debug)]
pub(crate) struct NodeSide {
    pub(crate) facts: NodeFacts,
    pub(crate) contacts: Kept<ContactKey, Contact>,
    pub(crate) entered: Kept<(u64, u64), Entered>,
    pub(crate) losses: Kept<(u64, u64), Loss>,
    pub(crate) replay: bool,
    boot_id: String,
    parents: Map<Key, Key>,
    parents_in_order: VecDeque<Key>,
    containers: Map<String, ContainerSeen>,
    containers_in_order: VecDeque<String>,
}

impl Default for NodeSide {
    fn default() -> Self {
        Self {
            facts: NodeFacts::default(),
            contacts: Kept::newest(FACTS),
            entered: Kept::newest(FACTS),
            losses: Kept::newest(FACTS),
            replay: false,
            boot_id: String::new(),
            parents: Map::default(),
            parents_in_order: VecDeque::new(),
            containers: Map::default(),
            containers_in_order: VecDeque::new(),
        }
    }
}

/// Whether an event can hold a fact at all: decided before anything is looked up.
pub(crate) fn matters(event: &NodeEvent, api_servers: &[(IpAddr, u16)]) -> bool {
    match &event.body {
        Body::Fork { .. } | Body::Exec(_) | Body::ContainerSeen(_) | Body::Loss { .. } | Body::AgentStarted { .. } => {
            true
        }
        body => facts::asked(body, api_servers).is_some(),
    }
}

impl NodeSide {
    pub(crate) fn learn(&mut self, event: &NodeEvent, api_servers: &[(IpAddr, u16)]) {
        match &event.body {
            Body::Fork { child } => {
                if let Some(actor) = &event.actor {
                    self.same_boot(child);
                    self.parent(key(child), key(&actor.process));
                }
            }
            Body::Exec(exec) => {
                let Some(actor) = &event.actor else { return };
                self.same_boot(&actor.process);
                if let Some(parent) = &actor.parent {
                    self.parent(key(&actor.process), key(parent));
                }
                if actor.entry.is_exec()
                    && !actor.in_host_mounts
                    && event.container().is_some()
                    && let Some(entered) = facts::entered(event, exec)
                {
                    self.entered.add((event.time.ns, event.position), entered);
                }
            }
            Body::ContainerSeen(seen) => self.container_seen(seen),
            Body::Loss { class, reason, count, from_ns, to_ns } => {
                let loss = Loss {
                    from_ns: *from_ns,
                    to_ns: *to_ns,
                    node: event.node.clone(),
                    class: class.clone(),
                    reason: reason.clone(),
                    count: *count,
                    evidence: event.evidence(),
                };
                self.losses.add((*from_ns, event.position), loss);
            }
            Body::AgentStarted { replay, .. } => self.replay = *replay,
            body => {
                if let (Some(asked), Some(who)) = (facts::asked(body, api_servers), facts::who(event)) {
                    let bucket = event.time.ns / CONTACT_SPAN_NS;
                    let contact = Contact { time: event.time, evidence: event.evidence(), asked, who };
                    let process = key(&contact.who.process);
                    self.contacts.add((bucket, process.0, process.1, asked), contact);
                }
            }
        }
    }

    /// What is known about a container.
    pub(crate) fn container(&self, id: &str) -> Option<&ContainerSeen> {
        self.containers.get(id)
    }

    /// Ids of the containers of one pod.
    pub(crate) fn containers_of_pod(&self, uid: &str) -> Vec<&str> {
        let of_pod = self.containers.values().filter(|seen| seen.pod_uid == uid);
        let mut ids: Vec<&str> = of_pod.map(|seen| seen.container_id.as_str()).collect();
        ids.sort_unstable();
        ids
    }

    /// The process and those it descends from, nearest first, as far as they are known.
    pub(crate) fn ancestry(&self, process: &ProcessKey) -> Vec<Key> {
        let mut line = vec![key(process)];
        if process.boot_id != self.boot_id {
            return line;
        }
        while line.len() < ANCESTORS {
            let Some(parent) = line.last().and_then(|youngest| self.parents.get(youngest)) else { break };
            // Two records that contradict each other must not make a circle.
            if line.contains(parent) {
                break;
            }
            line.push(*parent);
        }
        line
    }

    fn same_boot(&mut self, process: &ProcessKey) {
        if self.boot_id != process.boot_id {
            self.parents.clear();
            self.parents_in_order.clear();
            self.boot_id.clone_from(&process.boot_id);
        }
    }

    /// The first word on a parent stays: after the parent's death the kernel names another.
    fn parent(&mut self, child: Key, parent: Key) {
        if self.parents.contains_key(&child) {
            return;
        }
        self.parents.insert(child, parent);
        self.parents_in_order.push_back(child);
        if self.parents_in_order.len() > PROCESSES
            && let Some(oldest) = self.parents_in_order.pop_front()
        {
            self.parents.remove(&oldest);
        }
    }

    /// Later facts repeat a container with more fields: a field that was known stays known.
    fn container_seen(&mut self, seen: &ContainerSeen) {
        let Some(kept) = self.containers.get_mut(&seen.container_id) else {
            self.containers.insert(seen.container_id.clone(), seen.clone());
            self.containers_in_order.push_back(seen.container_id.clone());
            if self.containers_in_order.len() > FACTS
                && let Some(oldest) = self.containers_in_order.pop_front()
            {
                self.containers.remove(&oldest);
            }
            return;
        };
        for (old, new) in [
            (&mut kept.runtime, &seen.runtime),
            (&mut kept.pod_uid, &seen.pod_uid),
            (&mut kept.pod_name, &seen.pod_name),
            (&mut kept.pod_namespace, &seen.pod_namespace),
            (&mut kept.image, &seen.image),
            (&mut kept.name, &seen.name),
            (&mut kept.service_account, &seen.service_account),
        ] {
            if !new.is_empty() {
                old.clone_from(new);
            }
        }
    }
}

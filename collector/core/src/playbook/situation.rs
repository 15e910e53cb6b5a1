//! What the planner has to know of the world beside the case: which containers live, what is sealed, what must not be touched. Read by
//! the collector; the core only takes it.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{Entity, EvidenceRef, Moment};

/// A container as its node last told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Full id.
    pub id: String,
    /// Node it runs on.
    pub node: String,
    /// Its cgroup.
    pub cgroup_id: u64,
    /// Name, or `namespace/pod` where it is in one; empty where not known.
    pub name: String,
    /// Its image; empty where not known.
    pub image: String,
    /// When it ended, if it did.
    pub gone: Option<Moment>,
    /// Where this stands.
    pub evidence: EvidenceRef,
}

/// Volatile evidence of a container that is sealed on its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Name of the capture.
    pub capture_id: String,
    /// The container.
    pub container_id: String,
    /// Where the seal stands (`CaptureSealed` event, or journal).
    pub evidence: EvidenceRef,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `AKIA…`.
    pub id: String,
    /// The user that owns it.
    pub user: String,
}

/// Something that must not be touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    /// A node's name, a container's name or image, a role's name, a user's name: compared as a whole; `*` at the end stands for any rest.
    pub pattern: String,
    /// Why.
    pub reason: String,
}

/// A named person allows a step although the evidence is not sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// For what.
    pub entity: Entity,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it is recorded.
    pub evidence: EvidenceRef,
}

/// What is known of the world at the moment of planning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Situation {
    /// Containers that the nodes told of.
    pub containers: Vec<Container>,
    /// What is sealed.
    pub seals: Vec<Seal>,
    /// Keys whose owner is known.
    pub keys: Vec<Key>,
    /// What must not be touched, beside what the playbook protects.
    pub protected: Vec<Protected>,
    /// What named persons waived.
    pub waivers: Vec<Waiver>,
    /// Destinations that a quarantined container keeps (the collector).
    pub allow: Vec<IpNet>,
}

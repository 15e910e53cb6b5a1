//! The things a case is about. Takes names that are unique by themselves; gives values that can be compared and ordered. Never guesses:
//! two entities are the same only when their keys are.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One process for the life of one boot of one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessKey {
    /// Name of the node.
    pub node: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Thread group id in the host's pid namespace.
    pub pid: u32,
    /// `CLOCK_BOOTTIME` at the fork, nanoseconds.
    pub start_ns: u64,
}

/// Somebody, or something that acts for somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Identity {
    /// A person's account, as its provider names it.
    Person {
        /// User name, mail address or ARN.
        name: String,
    },
    /// A Kubernetes service account.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A cloud role.
    Role {
        /// ARN.
        arn: String,
    },
    /// A session of a role.
    RoleSession {
        /// `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
        arn: String,
    },
    /// An access key, by its id (never the secret).
    AccessKey {
        /// `AKIA…` or `ASIA…`.
        id: String,
    },
    /// A cloud user.
    CloudUser {
        /// ARN.
        arn: String,
    },
    /// A part of a provider or of the cluster that acts by itself: `autoscaling.amazonaws.com`, `system:kube-scheduler`.
    Service {
        /// As the log names it.
        name: String,
    },
}

/// Anything that a case can be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Entity {
    /// A machine.
    Node {
        /// Its name.
        name: String,
    },
    /// A Kubernetes pod.
    Pod {
        /// Its unique id.
        uid: String,
        /// `namespace/name`; empty where it is not known (yet). Not part of what makes it unique.
        name: String,
    },
    /// A container.
    Container {
        /// Full id.
        id: String,
        /// Node it ran on.
        node: String,
    },
    /// A process.
    Process {
        /// Its key.
        key: ProcessKey,
        /// Path of its executable at the time, escaped.
        executable: String,
    },
    /// A file on a node or in a container.
    File {
        /// Where it is: a container id or a node's name.
        place: String,
        /// Path, escaped.
        path: String,
    },
    /// Content, wherever it lies.
    Content {
        /// sha256, hex.
        sha256: String,
    },
    /// An address.
    Address {
        /// v4 or v6.
        address: IpAddr,
    },
    /// Somebody.
    Identity {
        /// Who.
        identity: Identity,
    },
    /// A cloud resource.
    CloudResource {
        /// ARN.
        arn: String,
    },
    /// A Kubernetes object other than a pod.
    ClusterObject {
        /// `resource/namespace/name`.
        name: String,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { name } => write!(formatter, "{name}"),
            Self::ServiceAccount { namespace, name } => write!(formatter, "service account {namespace}/{name}"),
            Self::Role { arn } | Self::RoleSession { arn } | Self::CloudUser { arn } => write!(formatter, "{arn}"),
            Self::AccessKey { id } => write!(formatter, "access key {id}"),
            Self::Service { name } => write!(formatter, "service {name}"),
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { name } => write!(formatter, "node {name}"),
            Self::Pod { uid, name } if name.is_empty() => write!(formatter, "pod {uid}"),
            Self::Pod { name, .. } => write!(formatter, "pod {name}"),
            Self::Container { id, .. } => write!(formatter, "container {}", id.get(..12).unwrap_or(id)),
            Self::Process { key, executable } => write!(formatter, "process {} ({executable})", key.pid),
            Self::File { path, .. } => write!(formatter, "file {path}"),
            Self::Content { sha256 } => write!(formatter, "content {}", sha256.get(..16).unwrap_or(sha256)),
            Self::Address { address } => write!(formatter, "{address}"),
            Self::Identity { identity } => write!(formatter, "{identity}"),
            Self::CloudResource { arn } => write!(formatter, "{arn}"),
            Self::ClusterObject { name } => write!(formatter, "{name}"),
        }
    }
}

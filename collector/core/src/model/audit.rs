//! One entry of an audit log: the provider's own JSON, and the few facts that every log has. Made by `collector::connect::<provider>::audit`;
//! never loses the original.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::evidence::EvidenceRef;
use super::time::Moment;

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditSource {
    /// AWS `CloudTrail`.
    Cloudtrail,
    /// Kubernetes API server audit (`audit.k8s.io/v1`).
    Kubernetes,
}

impl fmt::Display for AuditSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cloudtrail => "cloudtrail",
            Self::Kubernetes => "kubernetes",
        })
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Which log.
    pub source: AuditSource,
    /// The provider's id of the entry: with `source` this is its identity.
    pub id: String,
    /// When, by the provider's clock.
    pub time: Moment,
    /// `eventName`, or `verb resource[/subresource]`.
    pub action: String,
    /// Where the call came from, where the log says an address.
    pub source_address: Option<IpAddr>,
    /// Whether the provider refused the call.
    pub denied: bool,
    /// The entry as the provider wrote it.
    pub original: serde_json::Value,
    /// sha256, hex, of the object (file or request body) that it came in.
    pub object_sha256: String,
}

impl AuditEntry {
    /// The reference by which a claim points here.
    pub fn evidence(&self) -> EvidenceRef {
        EvidenceRef::Audit { source: self.source, id: self.id.clone(), object_sha256: self.object_sha256.clone() }
    }

    /// A text in the original by its keys, outermost first.
    pub fn text(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().try_fold(&self.original, |value, key| value.get(key))?.as_str()
    }
}

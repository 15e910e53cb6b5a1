//! What a sentence rests on. Takes references to stored bytes; gives [`Claim`], which cannot be made without one. Never holds the bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes that can be shown: where they are and how they are known to be the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum EvidenceRef {
    /// An event in a node's hash-chained log.
    Event {
        /// Name of the node.
        node: String,
        /// The log it stands in.
        log_id: String,
        /// Its position there.
        position: u64,
    },
    /// One entry of an audit log, kept as the provider wrote it.
    Audit {
        /// Which log.
        source: super::AuditSource,
        /// The provider's own id of the entry (`eventID`, `auditID`).
        id: String,
        /// sha256, hex, of the object (file, request) that it came in.
        object_sha256: String,
    },
    /// A captured file.
    Artifact {
        /// The capture it belongs to.
        capture_id: String,
        /// Its id within the capture.
        artifact_id: String,
        /// sha256 of its bytes, hex.
        sha256: String,
    },
    /// A record of the case's own hash-chained journal: an approval, an action, its check.
    Journal {
        /// Its number, from 1.
        sequence: u64,
        /// sha256 of the record, hex.
        hash: String,
    },
}

impl fmt::Display for EvidenceRef {
    /// Short and unique within a case: `event node-1/4711`, `cloudtrail 8a1f…`, `artifact executable 5c9e01ab`, `journal 7`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { node, position, .. } => write!(formatter, "event {node}/{position}"),
            Self::Audit { source, id, .. } => write!(formatter, "{source} {id}"),
            Self::Artifact { artifact_id, sha256, .. } => {
                write!(formatter, "artifact {artifact_id} {}", sha256.get(..8).unwrap_or(sha256))
            }
            Self::Journal { sequence, .. } => write!(formatter, "journal {sequence}"),
        }
    }
}

/// A list with at least one element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>")]
#[serde(bound(serialize = "T: Clone + Serialize"))]
pub struct NonEmpty<T> {
    // Invariant: `rest` is what follows `first`; there is always a first.
    first: T,
    rest: Vec<T>,
}

/// A list was empty where one element is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a list that must not be empty is empty")]
pub struct Empty;

impl<T> NonEmpty<T> {
    /// A list of one.
    pub fn one(first: T) -> Self {
        Self { first, rest: Vec::new() }
    }

    /// `None` where `items` is empty.
    pub fn from_vec(items: Vec<T>) -> Option<Self> {
        let mut items = items.into_iter();
        let first = items.next()?;
        Some(Self { first, rest: items.collect() })
    }

    /// Adds one more.
    pub fn push(&mut self, item: T) {
        self.rest.push(item);
    }

    /// The first element.
    pub fn first(&self) -> &T {
        &self.first
    }

    /// All elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl<T> TryFrom<Vec<T>> for NonEmpty<T> {
    type Error = Empty;

    fn try_from(items: Vec<T>) -> Result<Self, Empty> {
        Self::from_vec(items).ok_or(Empty)
    }
}

impl<T> From<NonEmpty<T>> for Vec<T> {
    fn from(items: NonEmpty<T>) -> Self {
        std::iter::once(items.first).chain(items.rest).collect()
    }
}

/// A sentence and what it rests on. The report is made of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// One sentence, for people. Attacker-chosen text in it is escaped.
    pub text: String,
    /// What shows it.
    pub evidence: NonEmpty<EvidenceRef>,
}

impl Claim {
    /// A sentence with its evidence.
    pub fn new(text: impl Into<String>, evidence: NonEmpty<EvidenceRef>) -> Self {
        Self { text: text.into(), evidence }
    }
}

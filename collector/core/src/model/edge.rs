//! How two facts on different planes are one story: the bridge, how strong it is, and both pieces of evidence. Drawn by `correlate`.

use serde::{Deserialize, Serialize};

use super::entity::Entity;
use super::evidence::{EvidenceRef, NonEmpty};

/// Which key joined them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Bridge {
    /// A process asked the instance metadata service; a session of the instance's role was then used.
    B1,
    /// A process read its service account token; that service account called the API server.
    B4,
    /// A process entered a container from outside; somebody asked the API server for an exec.
    B5,
    /// An access key stood in a process' environment; it was then used.
    B6,
    /// One session issued the next one's key.
    C2,
    /// The same process tree or container on one node.
    Lineage,
}

/// How much the key alone proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Shared by many: adds up only.
    Weak,
    /// Nobody else is likely.
    Strong,
    /// The key is unique.
    Exact,
}

/// Whether the other side has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum EdgeState {
    /// Both sides are there.
    Joined,
    /// The log may still be late.
    Pending {
        /// Nanoseconds since 1970: after this it is not expected any more.
        until_ns: u64,
    },
}

/// One join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// By which key.
    pub bridge: Bridge,
    /// How strong.
    pub strength: Strength,
    /// From.
    pub from: Entity,
    /// To.
    pub to: Entity,
    /// One sentence: why these two belong together.
    pub reason: String,
    /// Both pieces of evidence.
    pub evidence: NonEmpty<EvidenceRef>,
    /// Time from the first to the second, nanoseconds.
    pub delta_ns: i64,
    /// Whether it is complete.
    pub state: EdgeState,
}

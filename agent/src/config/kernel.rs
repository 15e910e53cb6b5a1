//! What of the kernel programs outlives the agent. Takes a table of the configuration; gives a folder and bounds of time.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// What the kernel keeps while the agent restarts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KernelKeeps {
    /// A folder of a BPF filesystem, root's alone, that no other agent has. Default `/sys/fs/bpf/mayfly`; where nothing is mounted at
    /// `/sys/fs/bpf` the agent mounts it, if it runs in the host's mount namespace. Empty: nothing outlives the agent.
    pub pins: PathBuf,
    /// The kernel goes on recording when the agent ends well, as it does when the agent is killed. Default true. False: the agent takes
    /// everything with it.
    pub stay: bool,
    /// Recording ends when no agent has read for so long. Default 10 m; 10 s … 24 h. Less: a slow upgrade is a hole. More: a node whose
    /// agent is gone for good pays longer for nothing.
    #[serde(deserialize_with = "quantity::duration")]
    pub away: Duration,
}

impl Default for KernelKeeps {
    fn default() -> Self {
        Self { pins: PathBuf::from("/sys/fs/bpf/mayfly"), stay: true, away: Duration::from_mins(10) }
    }
}

//! `[kernel]`: what the agent must be told of the kernel that it cannot find by itself, and what of its programs outlives it. Takes a table of
//! the configuration; gives paths and bounds of time.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// Where a kernel describes its types, if it was built to (`CONFIG_DEBUG_INFO_BTF`).
pub const OWN_TYPES: &str = "/sys/kernel/btf/vmlinux";

/// The kernel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kernel {
    /// Where the types of this kernel are described (BTF). Default `/sys/kernel/btf/vmlinux`. For a kernel that was built without them: a
    /// file made for exactly this build, as `BTFHub` has them; what needs the kernel's own (typed tracepoints, and with them processes) is
    /// refused there even so, hook by hook. A file of another build: hooks read from wrong places. No file: the agent runs, sees nothing,
    /// and says so.
    pub btf: PathBuf,
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

impl Default for Kernel {
    fn default() -> Self {
        Self {
            btf: PathBuf::from(OWN_TYPES),
            pins: PathBuf::from("/sys/fs/bpf/mayfly"),
            stay: true,
            away: Duration::from_mins(10),
        }
    }
}

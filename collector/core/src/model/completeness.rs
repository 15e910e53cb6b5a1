//! What a node says of itself: what it covers, and what became of all that it saw. Takes what `collector::ingest` made from the wire; never
//! holds a wire type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of all that a node's kernel programs had to tell since the accounting before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Accounting` in `proto/sensor/v1/event.proto`")]
pub struct Accounting {
    pub from_ns: u64,
    pub to_ns: u64,
    pub after_position: u64,
    pub accounts: Vec<Account>,
}

/// One class of one cgroup's account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Account` in `proto/sensor/v1/event.proto`")]
pub struct Account {
    pub cgroup_id: u64,
    pub container_id: String,
    pub class: String,
    pub shared: bool,
    pub seen: u64,
    pub emitted: u64,
    pub aggregated: u64,
    pub throttled: u64,
    pub excluded: u64,
    /// By reason: `ring_full`, `scratch_busy`, `oversize`, `read_fault`; only those that there were.
    pub lost: BTreeMap<String, u64>,
    pub told: u64,
    pub silent: u64,
    pub under_way: u64,
}

/// What a node covered at one moment, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Each hook.
    pub hooks: Vec<HookCoverage>,
    /// Nothing that is needed was missing.
    pub ready: bool,
    /// What was missing, in words.
    pub lacks: Vec<String>,
    /// The moment on the node's boot clock, on which `seen_ns` is counted too.
    #[serde(default)]
    pub boot_ns: u64,
}

impl Coverage {
    /// Hooks that were attached and told nothing of a known call.
    pub fn silent(&self) -> impl Iterator<Item = &str> {
        self.hooks.iter().filter(|hook| hook.canary == "missed").map(|hook| hook.name.as_str())
    }
}

/// One hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `HookCoverage` in `proto/sensor/v1/event.proto`")]
pub struct HookCoverage {
    pub name: String,
    pub noun: String,
    /// Empty where it is not attached.
    pub tier: String,
    /// Why it is not attached, or not by a better tier.
    pub refusal: String,
    /// What the kernel cannot do at all, so that there is nothing to see.
    #[serde(default)]
    pub absent: String,
    /// `untried`, `seen`, `missed`, `refused`.
    pub canary: String,
    /// Why the known call is never made, or was refused.
    #[serde(default)]
    pub canary_why: String,
    pub seen_ns: u64,
    pub skipped: u64,
    /// Absent where the kernel does not say, or nothing can be missed.
    #[serde(default)]
    pub missed: Option<u64>,
}

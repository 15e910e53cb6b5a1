//! How the kernel programs are to be loaded. One struct, read whole before anything starts.

use std::path::PathBuf;
use std::time::Duration;

use ebpf_common::account::Budget;
use ebpf_common::hook::Tier;

use super::pins::PinConfig;
use super::sensitive::SensitivePath;
use crate::config::OWN_TYPES;

/// Settings of the kernel programs.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// Where the kernel's types are described.
    pub types: PathBuf,
    /// Room of the rings. Too small: records are lost while the agent is slow, and counted.
    pub rings: RingBytes,
    /// What each cgroup may send.
    pub budgets: Budgets,
    /// Leave out what the agent itself does, which is counted as excluded. Its processes are always told.
    pub exclude_self: bool,
    /// Paths whose opening for reading is told too; at most 64. Empty: only what is opened for writing, or refused.
    pub sensitive: Vec<SensitivePath>,
    /// Names of cgroups whose children are containers whatever they are called, each at most 39 bytes. For runtimes that let
    /// the user name the container (containerd's `ctr` puts them under its namespace: `default`).
    pub container_parents: Vec<String>,
    /// Facts for which a process of any container is stopped at exec; 0: none.
    pub watch_containers: u32,
    /// After this long without a send, a datagram to the same peer is told again.
    pub datagram_window: Duration,
    /// Opens of the same file by the same process within so long are told once and counted; zero: each is told.
    pub repeat_window: Duration,
    /// Inode number of the mount namespace in which the container runtimes run; `None`: that of process 1.
    pub host_mount_namespace: Option<u32>,
    /// Better ways into the kernel than this are not tried. Lower: what the worse ways do not see is not seen.
    pub highest_tier: Tier,
    /// A reader that has not looked into the rings for so long hangs: nobody is stopped for it any more. Whether it has ended the kernel knows
    /// by itself; a short span would let whoever keeps it from running switch the stops off.
    pub hangs_after: Duration,
    /// What outlives this process; `None`: nothing.
    pub pins: Option<PinConfig>,
}

/// What each cgroup may send of what comes by the thousand. A cgroup below a container's shares that one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Records of connections.
    pub network: Rate,
    /// Records of files.
    pub file: Rate,
}

/// So many records a second, and as many at once after a second of silence; 0: any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u32);

impl Default for Budgets {
    /// What one cgroup may send in a second fits into half of its ring, and many of them into what the agent reads in one.
    fn default() -> Self {
        let usual = crate::config::Budget::default();
        Self { network: Rate(usual.connections), file: Rate(usual.files) }
    }
}

impl Rate {
    /// As the kernel programs reckon, for a ring of this size.
    pub(super) fn in_kernel(self, ring: u32) -> Budget {
        const SECOND_NS: u64 = 1_000_000_000;
        match SECOND_NS.checked_div(self.0.into()) {
            None => Budget::NONE,
            Some(cost_ns) => {
                Budget { cost_ns: cost_ns.max(1), burst_ns: SECOND_NS, strained_bytes: u64::from(ring / 2) }
            }
        }
    }
}

/// Room of each ring in bytes, rounded up to a power of two of whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingBytes {
    /// Processes and cgroups.
    pub process: u32,
    /// Privilege and the kernel itself.
    pub guard: u32,
    /// Connections.
    pub network: u32,
    /// Files.
    pub file: u32,
}

const MIB: u32 = 1024 * 1024;

impl Default for RingBytes {
    /// A quarter of a second of a fork bomb and of a connection flood, half of one of an unpacking archive; the rings are read every few
    /// milliseconds. Each page is mapped twice, and so counts twice where a process's resident memory is looked at.
    fn default() -> Self {
        Self { process: 4 * MIB, guard: MIB, network: 2 * MIB, file: 8 * MIB }
    }
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            types: PathBuf::from(OWN_TYPES),
            rings: RingBytes::default(),
            budgets: Budgets::default(),
            exclude_self: true,
            sensitive: SensitivePath::usual(),
            container_parents: Vec::new(),
            watch_containers: 0,
            datagram_window: Duration::from_mins(1),
            repeat_window: crate::config::Files::default().repeats,
            host_mount_namespace: None,
            highest_tier: Tier::Lsm,
            hangs_after: Duration::from_secs(30),
            pins: None,
        }
    }
}

//! What the agent tells the kernel programs: once at load ([`Config`], a constant for the verifier), and later through maps.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::account::Budget;

/// Settings that do not change while the programs are loaded. The verifier sees their values and drops what they switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Config {
    /// After this long without a send, a datagram to the same peer is the first of a new flow.
    pub datagram_window_ns: u64,
    /// Opens of the same file are counted together for so long after the first was told; 0: each is told.
    pub repeat_window_ns: u64,
    /// Which last components of paths may be on the sensitive list.
    pub sensitive_names: Sieve,
    /// Which folders may be on it.
    pub sensitive_folders: Sieve,
    /// What each cgroup may send of connections.
    pub network_budget: Budget,
    /// What each cgroup may send of files.
    pub file_budget: Budget,
    /// The version 2 cgroup of the agent; 0: not known.
    pub agent_cgroup: u64,
    /// Records about this process are counted as excluded, but those of the class process; 0: of none.
    pub own_pid: u32,
    /// Inode number of the initial mount namespace: what runs in it is never stopped at exec, because a container runtime
    /// enters the container's cgroup from there, and may run from an anonymous file.
    pub host_mount_namespace: u32,
    /// 1: `sched_process_exit` says whether the last thread ended (since 6.16); 0: it is read from the count of live threads.
    pub exit_says_group_dead: u32,
    /// 1: the kernel gives programs the current task with its type (since 5.11); 0: as a number.
    pub typed_task: u32,
    /// Where the registers of a system call stand in its task's stack; 0: the kernel gives them (since 5.15).
    pub registers_in_stack: u32,
    /// The agent: what is done to it is told as that.
    pub agent_pid: u32,
    /// How many arguments the tracepoint of a request to an `io_uring` has, its own context among them: what they are has changed
    /// with their number. 0: this kernel has none.
    pub uring_arguments: u32,
    /// 1: kernel memory is read by plain loads, because this kernel takes [`CAST`] for a promise that only that is done with an address (since
    /// 6.17); 0: by calls.
    pub plain_loads: u32,
}

/// The number of a helper function that no kernel has. Where the programs call it, the loader puts a call of the kernel's
/// `bpf_rdonly_cast`, whose number is another on each kernel, or leaves the address as it is.
pub const CAST: u32 = 0x7974_7361;

/// The components of a table, each as one of 256 bits: a name whose bit is not set is not in the table, and nobody has to look there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sieve(pub [u64; Self::WORDS]);

impl Sieve {
    /// Words of it.
    pub const WORDS: usize = 4;

    /// The word and the bit in it of a name of `length` bytes whose first eight are `begin`, little-endian; what stands
    /// behind a shorter name does not count.
    #[inline(always)]
    pub const fn of(length: u32, begin: u64) -> (usize, u64) {
        // 2^64 by the golden ratio: neighbours fall far apart.
        const FAR: u64 = 0x9e37_79b9_7f4a_7c15;
        let behind = if length < 8 { 64 - 8 * length } else { 0 };
        // Shifted out and not in again: where a name has no bytes, twice, as by 64 at once nothing is shifted.
        let begin = begin << (behind / 2) << (behind - behind / 2);
        let number = (begin ^ length as u64).wrapping_mul(FAR) >> 56;
        ((number >> 6) as usize, 1 << (number & 63))
    }

    /// Puts a component in.
    pub fn add(&mut self, component: &Component) {
        let length = component.iter().position(|byte| *byte == 0).unwrap_or(COMPONENT);
        let begin = component.first_chunk().map_or(0, |begin| u64::from_le_bytes(*begin));
        let (word, bit) = Self::of(u32::try_from(length).unwrap_or(u32::MAX), begin);
        self.0[word] |= bit;
    }

    /// Whether such a name may be in the table.
    pub const fn may_hold(&self, length: u32, begin: u64) -> bool {
        let (word, bit) = Self::of(length, begin);
        self.0[word] & bit != 0
    }
}

/// For so long after the agent was woken, records wake it again only where they cannot wait; so long after a wake it looks by itself.
pub const SOON_NS: u64 = 1_000_000;

/// Length of a key that is one component of a path: as long as the longest name of a pattern, zero bytes after it.
pub const COMPONENT: usize = 40;

/// One component of a path, zero bytes after it.
pub type Component = [u8; COMPONENT];

/// Most patterns of the sensitive list: a bit each.
pub const MAX_SENSITIVE: usize = 64;

/// What the agent put into the kernel, in the upper half of a key of its table; the kernel's number of it is in the lower.
pub mod own {
    /// A program.
    pub const PROGRAM: u64 = 1;
    /// A map.
    pub const MAP: u64 = 2;
}

/// Marks in the table of cgroups, beside the bits of [`crate::record::process::watch`].
pub mod cgroup {
    /// The cgroup is a container's.
    pub const CONTAINER: u32 = 1 << 31;
    /// The bits below are the agent's own choice for this cgroup; else those of the default stand.
    pub const CHOSEN: u32 = 1 << 30;
}

/// Longest prefix of a container's cgroup name that is compared.
pub const MAX_CGROUP_NAME: usize = 64;

/// Addresses that a quarantined cgroup may still talk to: an entry of the longest-prefix table, IPv4 as `::ffff:a.b.c.d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Allowed {
    /// The quarantined cgroup.
    pub cgroup_id: u64,
    /// Network order.
    pub address: [u8; 16],
}

/// Bits of [`Allowed`] before the address.
pub const ALLOWED_CGROUP_BITS: u32 = 64;

/// Packets of a quarantined cgroup, per CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Packets {
    /// Dropped on the way out.
    pub dropped_out: u64,
    /// Dropped on the way in.
    pub dropped_in: u64,
    /// Let through on the way out.
    pub passed_out: u64,
    /// Let through on the way in.
    pub passed_in: u64,
}

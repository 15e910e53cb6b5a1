//! The body of a cgroup made or removed.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest path of a cgroup that is sent, its end cut off where it is longer.
pub const MAX_CGROUP_PATH: usize = 1024;

/// A cgroup of the version 2 tree was made or removed. The header names the process that did it. Tail: path, from the root
/// of that tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Cgroup {
    /// The cgroup, as `Header::cgroup_id` has it.
    pub id: u64,
    /// Distance from the root of the tree.
    pub level: u32,
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Zero.
    pub reserved: u16,
}

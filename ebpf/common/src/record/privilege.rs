//! Bodies of powers taken, and used on other processes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// userfaultfd(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Userfault {
    /// As given: 1 asks for the process's own faults only.
    pub flags: u32,
    /// Descriptor, or negative errno.
    pub result: i32,
}

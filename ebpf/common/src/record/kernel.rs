//! Bodies of changes to the kernel itself, and of ways into it beside system calls.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `io_uring_setup(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UringSetup {
    /// Requests that the ring holds, as given.
    pub entries: u32,
    /// `IORING_SETUP_*`, as given.
    pub flags: u32,
    /// Descriptor, or negative errno.
    pub result: i32,
    /// Zero.
    pub reserved: u32,
}

//! What the kernel programs know of the agent: one element of a map that outlives it, so that they know as well that it is away.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How the agent is. It writes the whole; the kernel programs write [`Agent::pid`] and [`Agent::quiet_ns`] when it is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Agent {
    /// When it looked into the rings last, `CLOCK_BOOTTIME` in nanoseconds.
    pub beat_ns: u64,
    /// Away for longer than this, and nothing is recorded any more; 0: recording never ends.
    pub away_ns: u64,
    /// Since when nothing is recorded for that reason; 0: all is.
    pub quiet_ns: u64,
    /// It lets go whom the kernel stops, unless it has not looked for this long: then it hangs. 0: it lets nobody go, for it is about to
    /// end, or does not read yet.
    pub lets_go_ns: u64,
    /// Its process; 0: it has ended.
    pub pid: u32,
    /// Zero.
    pub reserved: u32,
}

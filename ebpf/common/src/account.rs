//! The books of the kernel programs: an [`Account`] for each cgroup, that counts what its records came to and says what it may
//! still send. The agent reads them each second.
//!
//! For each class of an account `begun` is the sum of all [`Outcome`]s but [`Outcome::Unowned`]; `Sent` and the losses that are numbered
//! add up, over all accounts, to the next sequence numbers of all CPUs.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::header::Class;
use crate::loss::Outcome;

/// Most cgroups with an account of their own; the others share one.
pub const MAX_ACCOUNTS: u32 = 4096;

/// Most cgroups below containers of which is known whose account is theirs.
pub const MAX_PAYERS: u32 = 16_384;

/// Stands for the account that cgroups share for which there was no room.
pub const SHARED: u64 = u64::MAX;

/// Classes of which a cgroup may send so much and no more: [`Class::Network`] and [`Class::File`].
pub const BULK: usize = 2;

/// What became of a cgroup's records since its first. A cgroup below a container's has that one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Account {
    /// Records that hooks began, by class.
    pub begun: [u64; Class::COUNT],
    /// What became of them, by class and outcome.
    pub ended: [[u64; Outcome::COUNT]; Class::COUNT],
    /// Until when what was sent is paid for, by class and [`Purse`], `CLOCK_BOOTTIME` in nanoseconds.
    pub paid: [[u64; Purse::COUNT]; BULK],
    /// When the cgroup was removed; 0: it is there.
    pub gone_ns: u64,
}

/// Nothing happened yet.
pub const EMPTY: Account = Account {
    begun: [0; Class::COUNT],
    ended: [[0; Outcome::COUNT]; Class::COUNT],
    paid: [[0; Purse::COUNT]; BULK],
    gone_ns: 0,
};

/// What a record is paid from. Each fills by itself, at the rate that its class's [`Budget`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Purse {
    /// All records.
    Usual = 0,
    /// All records, instead, while the ring is half full: the reader is behind, and what is left is for those who need little.
    Strained = 1,
    /// What was not told of this process before, where the first two are empty.
    First = 2,
    /// What may be of the sensitive list, or goes to a metadata service, where the first two are empty.
    Sensitive = 3,
}

impl Purse {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The part of the budget that it gets, as a power of two that divides it.
    pub const fn share(self) -> u32 {
        match self {
            Self::Usual => 0,
            Self::First | Self::Sensitive => 4,
            Self::Strained => 5,
        }
    }
}

/// What a cgroup may send of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Budget {
    /// Nanoseconds after which one more record may be sent.
    pub cost_ns: u64,
    /// What may be sent at once after a long silence, in nanoseconds of the rate above.
    pub burst_ns: u64,
    /// Bytes in the ring from which on it is [`Purse::Strained`].
    pub strained_bytes: u64,
}

impl Budget {
    /// No bound.
    pub const NONE: Self = Self { cost_ns: 0, burst_ns: u64::MAX, strained_bytes: u64::MAX };
}

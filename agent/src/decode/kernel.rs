//! Changes to the kernel itself: bytes to bodies that borrow from them. Takes a kind of this noun, the header and the bytes behind it; gives
//! a [`Change`] or says what is malformed.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record;

use super::{Malformed, plain};

/// What a record of the class kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `io_uring_setup(2)`.
    UringSetup(record::UringSetup),
}

pub(super) fn uring_setup(header: &Header, rest: &[u8]) -> Result<Change, Malformed> {
    Ok(Change::UringSetup(plain(Kind::UringSetup, header, rest)?))
}

//! Powers taken, and used on other processes: bytes to bodies that borrow from them. Takes a kind of this noun, the header and the bytes
//! behind it; gives a [`Privilege`] or says what is malformed.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record;

use super::{Malformed, plain};

/// What a record of the class privilege tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// userfaultfd(2).
    Userfault(record::Userfault),
}

pub(super) fn userfault(header: &Header, rest: &[u8]) -> Result<Privilege, Malformed> {
    Ok(Privilege::Userfault(plain(Kind::Userfault, header, rest)?))
}

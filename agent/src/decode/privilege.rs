//! Powers taken, and used on other processes: bytes to bodies that borrow from them. Takes a kind of this noun, the header and the bytes
//! behind it; gives a [`Privilege`] or says what is malformed.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record::{self, Executable, Key, Root};

use super::texts::{Worded, worded};
use super::{Malformed, plain};

/// What a record of the class privilege tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege<'a> {
    /// Users, groups or capabilities were changed.
    Credentials(record::CredentialsChanged),
    /// A process reached into another.
    Reach(record::Reach),
    /// A process is in other namespaces, or its child is.
    Namespaces(record::NamespacesChanged),
    /// Another root folder.
    Root(Worded<'a, Root>),
    /// userfaultfd(2).
    Userfault(record::Userfault),
    /// A key of the kernel's was used.
    Key(Worded<'a, Key>),
    /// Memory was made executable.
    Executable(Worded<'a, Executable>),
}

pub(super) fn body<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<Privilege<'a>, Malformed> {
    Ok(match kind {
        Kind::Credentials => Privilege::Credentials(plain(kind, header, rest)?),
        Kind::Reach => Privilege::Reach(plain(kind, header, rest)?),
        Kind::Namespaces => Privilege::Namespaces(plain(kind, header, rest)?),
        Kind::Root => Privilege::Root(worded(kind, header, rest, |root: &Root| root.texts)?),
        Kind::Key => Privilege::Key(worded(kind, header, rest, |key: &Key| key.texts)?),
        Kind::Executable => Privilege::Executable(worded(kind, header, rest, |made: &Executable| made.texts)?),
        _ => Privilege::Userfault(plain(kind, header, rest)?),
    })
}

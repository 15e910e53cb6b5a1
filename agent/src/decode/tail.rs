//! The pieces of variable length behind a body. Takes the bytes; gives them piece by piece, by the lengths that the body
//! holds. Never gives a byte twice, never more than there are.

use ebpf_common::Kind;

use super::Malformed;

/// What is left of the tail.
pub(super) struct Tail<'a> {
    kind: Kind,
    length: usize,
    rest: &'a [u8],
}

impl<'a> Tail<'a> {
    pub(super) fn new(kind: Kind, rest: &'a [u8]) -> Self {
        Self { kind, length: rest.len(), rest }
    }

    /// The next piece.
    pub(super) fn take(&mut self, length: u16) -> Result<&'a [u8], Malformed> {
        let (piece, rest) = self.rest.split_at_checked(usize::from(length)).ok_or(self.wrong())?;
        self.rest = rest;
        Ok(piece)
    }

    /// No byte may be left: what nobody named is nobody's.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong()) }
    }

    fn wrong(&self) -> Malformed {
        Malformed::Tail { kind: self.kind, found: self.length }
    }
}

//! By what the record of a known call is told from others. Takes a record; gives a number that canary and agent both know.

use ebpf_common::Kind;

use crate::decode::{Body, Record};

/// The record that a known call makes, and the hook that it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// The hook.
    pub(super) hook: &'static str,
    /// The kind of its record.
    pub(super) kind: Kind,
    number: u16,
}

/// Added to the number of a kind where a record is about a Unix socket: listeners of TCP are another hook's.
const UNIX: u16 = 128;
const FAMILY_UNIX: u16 = 1;

/// Numbers are below this.
pub(super) const NUMBERS: usize = 256;

impl Sight {
    /// A record of this kind.
    pub(super) const fn of(hook: &'static str, kind: Kind) -> Self {
        Self { hook, kind, number: kind as u16 }
    }

    /// A record of this kind about a Unix socket.
    pub(super) const fn unix(hook: &'static str, kind: Kind) -> Self {
        Self { hook, kind, number: kind as u16 | UNIX }
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// The number of what a record shows.
pub fn number(record: &Record<'_>) -> u16 {
    match &record.body {
        Body::Socket(socket) if socket.fixed.flow.family == FAMILY_UNIX => record.header.kind | UNIX,
        _ => record.header.kind,
    }
}

//! Changes to the kernel itself: bytes to bodies that borrow from them. Takes a kind of this noun, the header and the bytes behind it; gives
//! a [`Change`] or says what is malformed.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record::{self, Kexec, Module, Mount, Sysctl, UringRequest};

use super::texts::{Worded, worded};
use super::{Malformed, plain};

/// What a record of the class kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A module.
    Module(Worded<'a, Module>),
    /// bpf(2).
    Bpf(record::Bpf),
    /// `perf_event_open(2)`.
    PerfEvent(record::PerfEvent),
    /// Another kernel was made ready.
    Kexec(Worded<'a, Kexec>),
    /// `io_uring_setup(2)`.
    UringSetup(record::UringSetup),
    /// `io_uring_register(2)`.
    UringRegister(record::UringRegister),
    /// A request to an `io_uring`.
    UringRequest(Worded<'a, UringRequest>),
    /// A mount.
    Mount(Worded<'a, Mount>),
    /// A setting.
    Sysctl(Worded<'a, Sysctl>),
    /// Somebody reached for the agent.
    Tamper(record::Tamper),
}

pub(super) fn body<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<Change<'a>, Malformed> {
    Ok(match kind {
        Kind::Module => Change::Module(worded(kind, header, rest, |body: &Module| body.texts)?),
        Kind::Bpf => Change::Bpf(plain(kind, header, rest)?),
        Kind::PerfEvent => Change::PerfEvent(plain(kind, header, rest)?),
        Kind::Kexec => Change::Kexec(worded(kind, header, rest, |body: &Kexec| body.texts)?),
        Kind::UringSetup => Change::UringSetup(plain(kind, header, rest)?),
        Kind::UringRegister => Change::UringRegister(plain(kind, header, rest)?),
        Kind::UringRequest => Change::UringRequest(worded(kind, header, rest, |body: &UringRequest| body.texts)?),
        Kind::Mount => Change::Mount(worded(kind, header, rest, |body: &Mount| body.texts)?),
        Kind::Sysctl => Change::Sysctl(worded(kind, header, rest, |body: &Sysctl| body.texts)?),
        _ => Change::Tamper(plain(kind, header, rest)?),
    })
}

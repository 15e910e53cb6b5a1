//! Payloads and sockets: bytes to bodies that borrow from them. Takes a kind of this noun, the header and the bytes behind it; gives a body or
//! says what is malformed.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record;

use super::{Malformed, fixed};

/// The bytes of a packet behind its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Plain fields.
    pub fixed: record::Payload,
    /// The bytes, as far as they were taken.
    pub payload: &'a [u8],
}

/// What was done with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketCall<'a> {
    /// Which of the kinds of sockets.
    pub kind: Kind,
    /// Plain fields.
    pub fixed: record::SocketCall,
    /// The address behind the number of its family; empty for IPv4 and IPv6.
    pub address: &'a [u8],
}

pub(super) fn payload<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<Payload<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::Payload>(kind, header, rest)?;
    let payload = tail.take(fixed.payload_length)?;
    tail.end()?;
    Ok(Payload { fixed, payload })
}

pub(super) fn socket_call<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<SocketCall<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::SocketCall>(kind, header, rest)?;
    let address = tail.take(fixed.address_length)?;
    tail.end()?;
    Ok(SocketCall { kind, fixed, address })
}

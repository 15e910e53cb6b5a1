//! Bodies of connections and datagrams.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `family` of IPv4: addresses use the first four bytes.
pub const FAMILY_V4: u16 = 2;
/// `family` of IPv6. An IPv4 peer of such a socket stands as `::ffff:a.b.c.d`, as the socket has it.
pub const FAMILY_V6: u16 = 10;

/// The two ends, as the socket of this side names them. Where this side has no address yet, it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// Address of this side, network order.
    pub local: [u8; 16],
    /// Address of the other side, network order.
    pub remote: [u8; 16],
    /// Port of this side, host order.
    pub local_port: u16,
    /// Port of the other side, host order.
    pub remote_port: u16,
    /// [`FAMILY_V4`] or [`FAMILY_V6`].
    pub family: u16,
    /// IP protocol: 6 or 17.
    pub protocol: u16,
}

impl Flow {
    /// Nothing known.
    pub const EMPTY: Self =
        Self { local: [0; 16], remote: [0; 16], local_port: 0, remote_port: 0, family: 0, protocol: 0 };
}

/// A TCP connection that this side began has an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Connect {
    /// The two ends.
    pub flow: Flow,
    /// When it was begun; 0 where that was not seen.
    pub begun_ns: u64,
    /// The socket, as a number that is the same for its connect, accept and close.
    pub socket: u64,
    /// 1: established, 0: refused, timed out or given up.
    pub established: u32,
    /// The socket's error, a positive errno; 0: none.
    pub error: u32,
}

/// A process took a TCP connection that the other side began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Accept {
    /// The two ends.
    pub flow: Flow,
    /// The socket, as a number that is the same for its connect, accept and close.
    pub socket: u64,
}

/// A TCP connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Close {
    /// The two ends.
    pub flow: Flow,
    /// Payload bytes that the other side acknowledged.
    pub sent: u64,
    /// Payload bytes received.
    pub received: u64,
    /// When it was begun or accepted; 0 where that was not seen.
    pub begun_ns: u64,
    /// The socket, as a number that is the same for its connect, accept and close.
    pub socket: u64,
}

/// The first datagram to a peer, or a socket set to send to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Datagram {
    /// The two ends.
    pub flow: Flow,
    /// Sends to the same peer that were counted and not sent since the record before this one.
    pub repeats: u32,
    /// 1: the socket was connected to the peer (what it then sends is not told), 0: a datagram was sent.
    pub connected: u32,
}

/// Most bytes of a packet's payload that are sent.
pub const MAX_PAYLOAD: usize = 2048;

/// What a process said to, or heard from, the other end: a DNS message or a piece of one, or the first bytes of TLS. Tail: payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Payload {
    /// The two ends.
    pub flow: Flow,
    /// The socket, as a number that is the same for its connect, accept and close.
    pub socket: u64,
    /// Where the payload stands in a TCP connection's bytes.
    pub sequence: u32,
    /// Bytes of payload in the packet, also where the tail holds fewer.
    pub whole: u32,
    /// Bytes of payload in the tail.
    pub payload_length: u16,
    /// 1: it was received, 0: it was sent.
    pub received: u16,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Payload>() == 64);

/// Longest address of a socket that is sent: that of a Unix socket.
pub const MAX_ADDRESS: usize = 108;

/// A socket was made, bound, set to listen or connected, where no other kind tells it. Tail: address, as the family has it behind its own
/// number; empty for IPv4 and IPv6, whose address is in `flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SocketCall {
    /// The two ends, for IPv4 and IPv6; for others the family and protocol alone.
    pub flow: Flow,
    /// The socket, as a number that is the same for its connect, accept and close; 0 where there is none.
    pub socket: u64,
    /// 0, a descriptor, or negative errno.
    pub result: i32,
    /// `SOCK_STREAM`, `SOCK_RAW`, …
    pub kind: u16,
    /// Bytes of the address in the tail.
    pub address_length: u16,
}

const _: () = assert!(size_of::<SocketCall>() == 56);

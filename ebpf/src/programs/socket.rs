//! A kernel socket: its two ends. Takes the address of a `struct sock`, or a `struct sock` that the kernel gave with its type; gives
//! a flow. Never holds the socket.

use ebpf_common::offsets::ABSENT;
use ebpf_common::record::Flow;
use ebpf_common::record::network::{FAMILY_V4, FAMILY_V6};

use crate::read::Known;
use crate::{offset, read};

/// TCP's protocol number.
pub const TCP: u16 = 6;
/// UDP's protocol number.
pub const UDP: u16 = 17;

/// A `struct sock` of which fields can be read.
pub trait Fields: Copy {
    /// A field; nothing where it cannot be read, or this kernel does not have it.
    fn field<T: Copy>(self, offset: u32) -> Option<T>;
}

/// By its address, which may be anything.
impl Fields for u64 {
    #[inline(always)]
    fn field<T: Copy>(self, offset: u32) -> Option<T> {
        read::field(self, offset)
    }
}

/// By its address, with its first bytes, in which most of what is asked stands, read at once.
#[derive(Clone, Copy)]
pub struct Begin {
    address: u64,
    words: [u64; BEGIN / 8],
}

const BEGIN: usize = 24;

impl Begin {
    /// Of the socket at an address.
    #[inline(always)]
    pub fn of(address: u64) -> Option<Self> {
        Some(Self { address, words: read::kernel(address)? })
    }
}

impl Fields for Begin {
    #[inline(always)]
    fn field<T: Copy>(self, offset: u32) -> Option<T> {
        if offset as usize + size_of::<T>() > BEGIN {
            return read::field(self.address, offset);
        }
        // SAFETY: the line above is the bound. The kernel aligns its fields, and the words are aligned as the longest of them.
        Some(unsafe { self.words.as_ptr().cast::<u8>().add(offset as usize).cast::<T>().read() })
    }
}

/// As the kernel gave it.
impl Fields for Known {
    #[inline(always)]
    fn field<T: Copy>(self, offset: u32) -> Option<T> {
        if offset == ABSENT { None } else { Some(Known::field(self, offset)) }
    }
}

/// The ends of a TCP socket; nothing for other protocols and families.
#[inline(always)]
pub fn tcp_flow(socket: impl Fields) -> Option<Flow> {
    if socket.field::<u16>(offset!(sock_protocol))? == TCP { flow(socket, TCP) } else { None }
}

/// The ends of an IPv4 or IPv6 socket.
#[inline(always)]
pub fn flow(socket: impl Fields, protocol: u16) -> Option<Flow> {
    let family = socket.field::<u16>(offset!(sock_family))?;
    let mut flow = Flow {
        local_port: u16::from_be(socket.field(offset!(sock_port))?),
        remote_port: u16::from_be(socket.field(offset!(sock_remote_port))?),
        family,
        protocol,
        ..Flow::EMPTY
    };
    match family {
        FAMILY_V4 => {
            // By whole words: of bytes there would be a load for each.
            flow.local = v4(socket.field::<u32>(offset!(sock_local_v4))?.to_ne_bytes());
            flow.remote = v4(socket.field::<u32>(offset!(sock_remote_v4))?.to_ne_bytes());
        }
        FAMILY_V6 => {
            flow.local = v6(socket.field(offset!(sock_local_v6))?);
            flow.remote = v6(socket.field(offset!(sock_remote_v6))?);
        }
        _ => return None,
    }
    Some(flow)
}

#[inline(always)]
fn v6(words: [u64; 2]) -> [u8; 16] {
    let mut address = [0; 16];
    for (place, word) in address.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *place = word.to_ne_bytes();
    }
    address
}

/// An IPv4 address in the room of any address.
#[inline(always)]
pub fn v4(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

//! A kernel socket: its two ends. Takes the address of a `struct sock`; gives a flow. Never holds the socket.

use ebpf_common::record::Flow;
use ebpf_common::record::network::{FAMILY_V4, FAMILY_V6};

use crate::{offset, read};

/// TCP's protocol number.
pub const TCP: u16 = 6;
/// UDP's protocol number.
pub const UDP: u16 = 17;

/// The ends of a TCP socket; nothing for other protocols and families.
#[inline(always)]
pub fn tcp_flow(socket: u64) -> Option<Flow> {
    if read::field::<u16>(socket, offset!(sock_protocol))? == TCP { flow(socket, TCP) } else { None }
}

/// The ends of an IPv4 or IPv6 socket.
#[inline(always)]
pub fn flow(socket: u64, protocol: u16) -> Option<Flow> {
    let family = read::field::<u16>(socket, offset!(sock_family))?;
    let mut flow = Flow {
        local_port: u16::from_be(read::field(socket, offset!(sock_port))?),
        remote_port: u16::from_be(read::field(socket, offset!(sock_remote_port))?),
        family,
        protocol,
        ..Flow::EMPTY
    };
    match family {
        FAMILY_V4 => {
            flow.local = v4(read::field(socket, offset!(sock_local_v4))?);
            flow.remote = v4(read::field(socket, offset!(sock_remote_v4))?);
        }
        FAMILY_V6 => {
            flow.local = read::field(socket, offset!(sock_local_v6))?;
            flow.remote = read::field(socket, offset!(sock_remote_v6))?;
        }
        _ => return None,
    }
    Some(flow)
}

/// An IPv4 address in the room of any address.
#[inline(always)]
pub fn v4(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

//! Sockets made, bound, set to listen and connected, where no other program tells it: raw and packet sockets, listeners, and
//! connections of other families (Unix, vsock, SCTP).
//!
//! Looked at when the call ends, with its answer, but for TCP listeners: their state's change is seen whoever asked for it,
//! `io_uring` included. The socket itself says which it is, and, where it is a Unix socket, to whom it was connected; a refused
//! call and a vsock say what the caller laid down, which a thread may have changed meanwhile.
//!
//! What it does not see: the same by `io_uring` but for TCP listeners, or by 32-bit programs; sockets that were received.

use aya_ebpf::macros::{map, tracepoint};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::loss::Outcome;
use ebpf_common::record::network::{FAMILY_V4, FAMILY_V6, MAX_ADDRESS};
use ebpf_common::record::{Flow, SocketCall};
use ebpf_common::{Class, Header, Kind};

use super::file::refused;
use super::file_change::at_exit;
use super::{call, call::Arguments, enforce, network, socket};
use crate::emit::{self, About, Wake};
use crate::identity::Identity;
use crate::scratch::{Builder, Scratch};
use crate::{filter, offset, read};

/// The longest piece once more, as `scratch` asks for.
const RECORD: usize = size_of::<Header>() + size_of::<SocketCall>() + 2 * MAX_ADDRESS;

#[map]
static SOCKET_SCRATCH: PerCpuArray<Scratch<RECORD, 0>> = PerCpuArray::with_max_entries(1, 0);

const UNIX: u16 = 1;
const NETLINK: u16 = 16;
const PACKET: u16 = 17;
const VSOCK: u16 = 40;
const XDP: u16 = 44;
const RAW: u16 = 3;
/// The family's own number stands before every address.
const FAMILY: u64 = 2;

/// Where an address is read from.
#[derive(Clone, Copy)]
enum Address {
    None,
    /// `struct sockaddr` of the caller, and how long.
    Given(u64, u64),
    /// `struct sock` of a Unix socket that has it.
    Of(u64),
}

at_exit!(
    /// `sys_exit_socket`, since 2.6.33. Told are sockets that speak below TCP and UDP: raw, packet, XDP.
    /// `__sys_socket` in <https://github.com/torvalds/linux/blob/v6.18/net/socket.c>
    sys_exit_socket = "sys_exit_socket", |result, given| {
        let (family, kind) = (given.first() as u16, given.second() as u16 & 0xf);
        let raw = matches!(family, PACKET | XDP) || matches!(family, FAMILY_V4 | FAMILY_V6) && kind == RAW;
        if raw && (result >= 0 || refused(result)) {
            let flow = Flow { family, protocol: given.third() as u16, ..Flow::EMPTY };
            told(Kind::SocketMade, SocketCall { flow, socket: 0, result, kind, address_length: 0 }, Address::None)
        } else {
            None
        }
    }
);

at_exit!(
    /// `sys_exit_bind`, since 2.6.33. A refused one is told too.
    /// `__sys_bind` in <https://github.com/torvalds/linux/blob/v6.18/net/socket.c>
    sys_exit_bind = "sys_exit_bind", |result, given| {
        let (socket, body) = asked(given.first() as i32, result)?;
        if matches!(body.flow.family, NETLINK | PACKET) || result < 0 && !refused(result) {
            return None;
        }
        let address = if result == 0 && body.flow.family == UNIX {
            Address::Of(socket)
        } else {
            Address::Given(given.second(), given.third())
        };
        told(Kind::SocketBind, body, address)
    }
);

at_exit!(
    /// `sys_exit_listen`, since 2.6.33. TCP is told by its change of state, but where its port was not known then.
    /// `__sys_listen` in <https://github.com/torvalds/linux/blob/v6.18/net/socket.c>
    sys_exit_listen = "sys_exit_listen", |result, given| {
        let (socket, body) = asked(given.first() as i32, result)?;
        let portless = network::SOCKETS.get_ptr(socket).is_some();
        if portless {
            network::forget(socket);
        }
        if result == 0 && (body.flow.protocol != socket::TCP || portless) {
            told(Kind::SocketListen, body, if body.flow.family == UNIX { Address::Of(socket) } else { Address::None })
        } else {
            None
        }
    }
);

/// A TCP socket is about to listen. Its port is not known yet where it was bound to none: then the call's end tells it.
#[inline(never)]
pub fn listens(socket: u64) {
    const STREAM: u16 = 1;
    if let Some(flow) = socket::tcp_flow(socket) {
        if flow.local_port == 0 {
            network::own(socket, network::Owner::UNKNOWN);
            return;
        }
        let body = SocketCall { flow, socket, result: 0, kind: STREAM, address_length: 0 };
        let _told = told(Kind::SocketListen, body, Address::None);
    }
}

at_exit!(
    /// `sys_exit_connect`, since 2.6.33. TCP and UDP are told elsewhere, netlink nowhere.
    /// `__sys_connect` in <https://github.com/torvalds/linux/blob/v6.18/net/socket.c>
    sys_exit_connect = "sys_exit_connect", |result, given| {
        /// What is not there is no news: libraries look for servers that most machines do not have.
        const NOT_THERE: i32 = -2;
        let descriptor = given.first() as i32;
        // Nearly all are these, and two reads find them.
        if result == NOT_THERE || matches!(protocol(descriptor)?, socket::TCP | socket::UDP) {
            return None;
        }
        let (socket, body) = asked(descriptor, result)?;
        if body.flow.family == NETLINK {
            return None;
        }
        let peer = read::pointer(socket, offset!(unix_peer)).filter(|_| body.flow.family == UNIX && result == 0);
        told(Kind::SocketConnect, body, peer.map_or(Address::Given(given.second(), given.third()), Address::Of))
    }
);

/// The protocol of a descriptor's socket; of what is no socket, any number, and the call has failed.
#[inline(always)]
fn protocol(descriptor: i32) -> Option<u16> {
    let whole = read::pointer(call::file(descriptor)?, offset!(file_private_data))?;
    read::field(read::pointer(whole, offset!(socket_sk))?, offset!(sock_protocol))
}

/// The socket behind a descriptor, and what it is.
#[inline(always)]
fn asked(descriptor: i32, result: i32) -> Option<(u64, SocketCall)> {
    const TYPE: u16 = 0o170_000;
    const SOCKET: u16 = 0o140_000;
    let file = call::file(descriptor)?;
    let inode = read::pointer(file, offset!(file_inode))?;
    if read::field::<u16>(inode, offset!(inode_mode))? & TYPE != SOCKET {
        return None;
    }
    let whole = read::pointer(file, offset!(file_private_data))?;
    let kind = read::field::<u16>(whole, offset!(socket_type))?;
    let socket = read::pointer(whole, offset!(socket_sk))?;
    let family = read::field::<u16>(socket, offset!(sock_family))?;
    let protocol = read::field::<u16>(socket, offset!(sock_protocol))?;
    let flow = if matches!(family, FAMILY_V4 | FAMILY_V6) {
        socket::flow(socket, protocol)?
    } else {
        Flow { family, protocol, ..Flow::EMPTY }
    };
    Some((socket, SocketCall { flow, socket, result, kind, address_length: 0 }))
}

#[inline(always)]
fn told(kind: Kind, mut body: SocketCall, address: Address) -> Option<()> {
    if filter::excluded(Class::Network) {
        return None;
    }
    let Some(identity) = Identity::current() else {
        emit::lose(Class::Network, Outcome::ReadFault);
        return None;
    };
    let mut record = Builder::begin(SOCKET_SCRATCH.get_ptr_mut(0)?, Class::Network, size_of::<SocketCall>())?;
    body.address_length = match address {
        Address::Given(at, length) if matches!(body.flow.family, UNIX | VSOCK) && length > FAMILY => {
            record.user_bytes(at + FAMILY, length - FAMILY, MAX_ADDRESS as u64).unwrap_or(0)
        }
        Address::Of(socket) => kernels(&mut record, socket).unwrap_or(0),
        _ => 0,
    };
    let flags = enforce::container(identity.cgroup_id);
    record.send(About::new(kind, flags, Wake::of_container(flags)), &identity, body);
    Some(())
}

/// The address of a Unix socket, as the kernel keeps it; none where it has none.
#[inline(always)]
fn kernels(record: &mut Builder<RECORD, 0>, socket: u64) -> Option<u16> {
    let address = read::pointer(socket, offset!(unix_address))?;
    let length = u64::from(read::field::<u32>(address, offset!(unix_address_length))?).checked_sub(FAMILY)?;
    let name = address + u64::from(offset!(unix_address_name)) + FAMILY;
    Some(record.kernel_bytes(name, length, MAX_ADDRESS as u64))
}

//! TCP connections: begun, accepted, ended.
//!
//! What happens to a socket after its begin happens in interrupts, where the process that runs is any process. The owner is
//! therefore remembered when a process begins or accepts a connection, and nowhere else; a socket that was there before the
//! programs, or that nobody accepted, has an unknown owner, and its record says so.

use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::{btf_tracepoint, map, tracepoint};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::{BtfTracePointContext, TracePointContext};
use ebpf_common::account::Purse;
use ebpf_common::header::flag;
use ebpf_common::loss::Outcome;
use ebpf_common::record::{Accept, Close, Connect, Flow};
use ebpf_common::{Class, Kind};

use super::{call, enforce, network_socket, socket};
use crate::account::Books;
use crate::emit::{self, About, Wake};
use crate::identity::Identity;
use crate::read::Known;
use crate::{agent, config, filter, offset, read};

/// Who owns a socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Owner {
    pub identity: Identity,
    begun_ns: u64,
    outgoing: u64,
    /// 1: begun here, and nothing was sent yet.
    pub fresh: u64,
}

impl Owner {
    pub const UNKNOWN: Self = Self { identity: Identity::UNKNOWN, begun_ns: 0, outgoing: 0, fresh: 0 };

    /// Somebody who was seen to use a socket.
    #[inline(always)]
    pub fn of(identity: Identity) -> Self {
        Self { identity, ..Self::UNKNOWN }
    }

    /// The process that runs now.
    #[inline(always)]
    fn current(outgoing: u64) -> Option<Self> {
        let identity = Identity::current()?;
        // SAFETY: takes nothing, gives a number.
        let begun_ns = unsafe { bpf_ktime_get_boot_ns() };
        Some(Self { identity, begun_ns, outgoing, fresh: outgoing })
    }

    #[inline(always)]
    pub fn flags(&self) -> u32 {
        if self.identity.pid == 0 {
            return flag::OWNER_UNKNOWN;
        }
        (if self.outgoing == 0 { 0 } else { flag::OUTGOING }) | enforce::container(self.identity.cgroup_id)
    }

    /// Of the agent, which was told to leave itself out. Counted.
    #[inline(always)]
    pub fn excluded(&self) -> bool {
        let own = config!(own_pid);
        if own == 0 || self.identity.pid != own || !agent::is(own) {
            return false;
        }
        emit::count_for(Books::of(self.identity.cgroup_id), Class::Network, Outcome::Excluded);
        true
    }
}

/// Socket → owner. Not one that forgets the oldest: a flood of connections must not cost the victim its name.
#[map]
pub static SOCKETS: HashMap<u64, Owner> = HashMap::with_max_entries(32_768, 0);

/// Of a socket's flags: the other side's end was received.
const DONE: u64 = 1 << 1;

/// First bytes of the IPv4 addresses that no router passes on.
const LINK_LOCAL: [u8; 2] = [169, 254];

const ESTABLISHED: i32 = 1;
const SYN_SENT: i32 = 2;
const SYN_RECEIVED: i32 = 3;
const FIN_WAIT_2: i32 = 5;
const CLOSE: i32 = 7;
const LAST_ACK: i32 = 9;
const LISTEN: i32 = 10;
const CLOSING: i32 = 11;
const NEW_SYN_RECEIVED: i32 = 12;

/// `inet_sock_set_state`, since 4.16, typed since 5.5. Runs at every change of a TCP socket's state, often in an interrupt.
/// `inet_sk_set_state` in <https://github.com/torvalds/linux/blob/v6.18/net/ipv4/af_inet.c>
///
/// A connection is told when it is established or given up, not when it is begun: only then are both ends known. Does not
/// see: multipath TCP, and connections that were established before the programs were attached until they end.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(context: BtfTracePointContext) -> i32 {
    let (socket, from, to): (*const c_void, i32, i32) = (context.arg(0), context.arg(1), context.arg(2));
    match (from, to) {
        (_, LISTEN) => network_socket::listens(socket as u64),
        (_, SYN_SENT) => begin(socket as u64, 1),
        (SYN_SENT, ESTABLISHED) => connected(socket, 1),
        (SYN_SENT, CLOSE) => connected(socket, 0),
        (LISTEN | SYN_RECEIVED | NEW_SYN_RECEIVED, CLOSE) => forget(socket as u64),
        (_, CLOSE) => closed(socket, from),
        _ => {}
    }
    0
}

// Each of these is a function of its own in the object as well, as is `network_socket::listens`: kernels before 6.13 add up the stack of
// functions that call each other, and the program itself, which calls one of them, then needs none.

/// A connection is begun or taken, by the process that runs now.
#[inline(never)]
fn begin(socket: u64, outgoing: u64) {
    if let Some(owner) = Owner::current(outgoing) {
        own(socket, owner);
    }
}

#[inline(always)]
pub fn own(socket: u64, owner: Owner) {
    if SOCKETS.insert(socket, owner, 0).is_err() {
        Books::of(owner.identity.cgroup_id).end(Class::Network, Outcome::Unowned);
    }
}

#[inline(always)]
pub fn forget(socket: u64) {
    let _absent = SOCKETS.remove(socket);
}

#[inline(always)]
fn owner(socket: u64) -> Owner {
    // SAFETY: only the socket's own changes of state write the value, and they come one after the other.
    SOCKETS.get_ptr(socket).map_or(Owner::UNKNOWN, |owner| unsafe { *owner })
}

#[inline(never)]
fn connected(socket: *const c_void, established: u32) {
    let owner = owner(socket as u64);
    if established == 0 {
        forget(socket as u64);
    }
    let Some(known) = Known::tcp(socket) else { return };
    let Some(flow) = socket::tcp_flow(known) else { return };
    if owner.excluded() {
        return;
    }
    let error = known.field::<u32>(offset!(sock_error));
    let body = Connect { flow, begun_ns: owner.begun_ns, socket: socket as u64, established, error };
    let flags = owner.flags() | flag::OUTGOING;
    // Where metadata services are: no flood of other connections hides that one was asked.
    let purse = if flow.remote[..2] == LINK_LOCAL { Purse::Sensitive } else { Purse::Usual };
    let about = About::new(Kind::Connect, flags, Wake::of_container(flags)).paid_from(purse);
    emit::plain(Class::Network, about, &owner.identity, body);
}

#[inline(never)]
fn closed(socket: *const c_void, from: i32) {
    let owner = owner(socket as u64);
    forget(socket as u64);
    let Some(known) = Known::tcp(socket) else { return };
    let Some(flow) = socket::tcp_flow(known) else { return };
    if owner.excluded() {
        return;
    }
    // TCP numbers its begin and its end as one byte each: those that were acknowledged or received are no payload.
    let ended = matches!(from, FIN_WAIT_2 | LAST_ACK | CLOSING);
    let acknowledged = known.field::<u64>(offset!(tcp_acknowledged));
    let received = known.field::<u64>(offset!(tcp_received));
    let done = known.field::<u64>(offset!(sock_flags)) & DONE != 0;
    let body = Close {
        flow,
        sent: acknowledged.saturating_sub(owner.outgoing + u64::from(ended)),
        received: received.saturating_sub(u64::from(done)),
        begun_ns: owner.begun_ns,
        socket: socket as u64,
    };
    emit::plain(Class::Network, About::new(Kind::Close, owner.flags(), Wake::Later), &owner.identity, body);
}

/// `sys_exit_accept`, since 2.6.33. See [`accepted`].
#[tracepoint(category = "syscalls", name = "sys_exit_accept")]
fn sys_exit_accept(context: TracePointContext) -> u32 {
    accepted(call::answer(&context));
    0
}

/// `sys_exit_accept4`, since 2.6.33. See [`accepted`].
#[tracepoint(category = "syscalls", name = "sys_exit_accept4")]
fn sys_exit_accept4(context: TracePointContext) -> u32 {
    accepted(call::answer(&context));
    0
}

/// The process took a connection: its descriptor is in the table, and its socket behind it.
/// `__sys_accept4` in <https://github.com/torvalds/linux/blob/v6.18/net/socket.c>
///
/// Does not see: connections accepted by `io_uring` (their end is told, without an owner), and connections that nobody takes.
#[inline(always)]
fn accepted(descriptor: i32) -> Option<()> {
    const TYPE: u16 = 0o170_000;
    const SOCKET: u16 = 0o140_000;
    let file = call::file(descriptor)?;
    let (behind, inode): (u64, u64) = read::fields(file, offset!(file_private_data), offset!(file_inode))?;
    // Another thread may have put another file in the descriptor's place.
    if read::field::<u16>(inode, offset!(inode_mode))? & TYPE != SOCKET {
        return None;
    }
    took(behind)
}

/// The process that runs now took the connection of this `struct socket`.
#[inline(always)]
pub fn took(new: u64) -> Option<()> {
    let taken = read::pointer(new, offset!(socket_sk))?;
    if read::field::<u16>(taken, offset!(sock_protocol))? != socket::TCP {
        return None;
    }
    // The other side may have ended it already: then its end was told, and no further change would remove the owner.
    if i32::from(read::field::<u8>(taken, offset!(sock_state))?) != CLOSE {
        begin(taken, 0);
    }
    accept(taken);
    Some(())
}

/// Of its own for the reason that [`begin`] is.
#[inline(never)]
fn accept(taken: u64) {
    let _told = told_as_accepted(taken);
}

#[inline(always)]
fn told_as_accepted(taken: u64) -> Option<()> {
    let flow: Flow = socket::tcp_flow(socket::Begin::of(taken)?)?;
    if filter::excluded(Class::Network) {
        return None;
    }
    let Some(identity) = Identity::current() else {
        emit::lose(Class::Network, Outcome::ReadFault);
        return None;
    };
    let about = About::new(Kind::Accept, enforce::container(identity.cgroup_id), Wake::Later);
    emit::plain(Class::Network, about, &identity, Accept { flow, socket: taken });
    Some(())
}

//! Datagrams: the first one to a peer, and sockets set to send to one.
//!
//! The programs hang at the root of the cgroup tree, where the kernel asks whether a process may name this peer: in the
//! process, with the address as the kernel copied it, whichever call it came from, `io_uring` included. A socket that is
//! connected sends without asking again, so the connecting is told. Never refuses anything.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::{cgroup_sock_addr, map};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::SockAddrContext;
use ebpf_common::account::Purse;
use ebpf_common::loss::Outcome;
use ebpf_common::record::network::{FAMILY_V4, FAMILY_V6};
use ebpf_common::record::{Datagram, Flow};
use ebpf_common::{Class, Kind};

use super::{enforce, network_payload, socket};
use crate::emit::{self, About, Wake};
use crate::identity::Identity;
use crate::{config, filter};

/// One process and one peer.
#[derive(Clone, Copy)]
#[repr(C)]
struct FlowKey {
    start_ns: u64,
    remote: [u8; 16],
    pid: u32,
    remote_port: u16,
    family: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Seen {
    last_ns: u64,
    repeats: u64,
}

/// Flows that were told. It may forget: the flow is then told once more.
#[map]
static FLOWS: LruHashMap<FlowKey, Seen> = LruHashMap::with_max_entries(16_384, 0);

const ALLOW: i32 = 1;

/// `cgroup/connect4`, since 4.17. See the module.
/// `inet_dgram_connect` in <https://github.com/torvalds/linux/blob/v6.18/net/ipv4/af_inet.c>
#[cgroup_sock_addr(connect4)]
fn connect4(context: SockAddrContext) -> i32 {
    told(context.sock_addr, FAMILY_V4, 1);
    ALLOW
}

/// `cgroup/connect6`, since 4.17. See the module.
#[cgroup_sock_addr(connect6)]
fn connect6(context: SockAddrContext) -> i32 {
    told(context.sock_addr, FAMILY_V6, 1);
    ALLOW
}

/// `cgroup/sendmsg4`, since 4.18. Runs for each datagram of a socket that is not connected. See the module.
/// `udp_sendmsg` in <https://github.com/torvalds/linux/blob/v6.18/net/ipv4/udp.c>
#[cgroup_sock_addr(sendmsg4)]
fn sendmsg4(context: SockAddrContext) -> i32 {
    told(context.sock_addr, FAMILY_V4, 0);
    ALLOW
}

/// `cgroup/sendmsg6`, since 4.18. See [`sendmsg4`].
#[cgroup_sock_addr(sendmsg6)]
fn sendmsg6(context: SockAddrContext) -> i32 {
    told(context.sock_addr, FAMILY_V6, 0);
    ALLOW
}

#[inline(always)]
fn told(address: *mut bpf_sock_addr, family: u16, connected: u32) {
    // SAFETY: the context is valid for the run; the verifier allows aligned reads of its fields.
    let protocol = unsafe { (*address).protocol };
    if protocol != u32::from(socket::UDP) {
        return;
    }
    let Some(identity) = Identity::current() else {
        emit::lose(Class::Network, Outcome::ReadFault);
        return;
    };
    let flow = flow(address, family);
    // SAFETY: as above. The kernel's own socket is behind it.
    network_payload::asks(unsafe { (*address).__bindgen_anon_1.sk } as u64, flow.remote_port, &identity);
    if filter::excluded(Class::Network) {
        return;
    }
    let key = FlowKey {
        start_ns: identity.start_ns,
        remote: flow.remote,
        pid: identity.pid,
        remote_port: flow.remote_port,
        family,
    };
    // SAFETY: takes nothing, gives a number.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let mut repeats = 0;
    if let Some(seen) = FLOWS.get_ptr_mut(key) {
        // SAFETY: the entry stays readable for the run, also when another CPU replaces it; the count may lose a race, and
        // the outcome that is counted for each send may not.
        let seen = unsafe { &mut *seen };
        let quiet = now.saturating_sub(seen.last_ns);
        seen.last_ns = now;
        if quiet < config!(datagram_window_ns) {
            seen.repeats += 1;
            emit::count(Class::Network, Outcome::Aggregated);
            return;
        }
        repeats = seen.repeats;
        seen.repeats = 0;
    } else {
        // A full table forgets its oldest by itself.
        let _kept = FLOWS.insert(key, Seen { last_ns: now, repeats: 0 }, 0);
    }
    let body = Datagram { flow, repeats: repeats as u32, connected };
    let flags = enforce::container(identity.cgroup_id);
    let about = About::new(Kind::Datagram, flags, Wake::of_container(flags)).paid_from(Purse::First);
    emit::plain(Class::Network, about, &identity, body);
}

#[inline(always)]
fn flow(address: *mut bpf_sock_addr, family: u16) -> Flow {
    // SAFETY: the context is valid for the run; the verifier allows aligned reads of its fields.
    let (port, v4, v6) = unsafe { ((*address).user_port, (*address).user_ip4, &raw const (*address).user_ip6) };
    let remote = if family == FAMILY_V4 {
        socket::v4(v4.to_ne_bytes())
    } else {
        // SAFETY: as above; word by word, as the verifier wants it.
        let words = unsafe { [(*v6)[0], (*v6)[1], (*v6)[2], (*v6)[3]] };
        bytes(words)
    };
    Flow { remote, remote_port: u16::from_be(port as u16), family, protocol: socket::UDP, ..Flow::EMPTY }
}

#[inline(always)]
fn bytes(words: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *place = word.to_ne_bytes();
    }
    bytes
}

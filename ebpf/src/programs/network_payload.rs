//! What is said on the wire that names whom somebody wants: DNS messages to and from port 53, and the first bytes of TLS, in which a
//! client names the server.
//!
//! The programs hang at the root of the cgroup tree and see each packet of every socket; nearly all are let go after one look at
//! their first bytes, and those of a connection after one look into a table. Whose a packet is says the socket: packets are made and
//! received in interrupts too. Nothing is ever dropped here.
//!
//! What it does not see: DNS on other ports or inside TLS; the answers that a server of this machine gives; a server's name that
//! does not stand in the first bytes that a client sends (after `STARTTLS`, through a proxy); IPv6 extension headers; packets past
//! the IP stack.

use aya_ebpf::macros::{cgroup_skb, map};
use aya_ebpf::maps::{LruHashMap, PerCpuArray};
use aya_ebpf::programs::SkBuffContext;
use ebpf_common::account::Purse;
use ebpf_common::record::network::{FAMILY_V4, FAMILY_V6, MAX_PAYLOAD};
use ebpf_common::record::{Flow, Payload};
use ebpf_common::{Class, Header, Kind};

use super::network::{self, Owner};
use super::socket;
use crate::account::Books;
use crate::emit::{About, Wake};
use crate::identity::Identity;
use crate::scratch::{Builder, Scratch};

/// The longest piece once more, as `scratch` asks for.
const RECORD: usize = size_of::<Header>() + size_of::<Payload>() + 2 * MAX_PAYLOAD;

type PayloadScratch = Scratch<RECORD, 0>;

// A packet that is received interrupts one that is sent.
#[map]
static PAYLOAD_OUT: PerCpuArray<PayloadScratch> = PerCpuArray::with_max_entries(1, 0);
#[map]
static PAYLOAD_IN: PerCpuArray<PayloadScratch> = PerCpuArray::with_max_entries(1, 0);

/// UDP socket → who asked a name server through it. It may forget: the answer then has an unknown owner.
#[map]
static ASKERS: LruHashMap<u64, Owner> = LruHashMap::with_max_entries(4096, 0);

const PASS: i32 = 1;
const DNS_PORT: u16 = 53;
const PROTOCOL_V4: u16 = 0x0800;
const PROTOCOL_V6: u16 = 0x86dd;
/// First byte of an IPv4 header without options.
const PLAIN_V4: u8 = 0x45;
/// Headers of the network and of TCP without options.
const SHORTEST_V4: usize = 40;
const SHORTEST_V6: usize = 60;

/// A process is about to send to a name server.
#[inline(always)]
pub fn asks(socket: u64, remote_port: u16, identity: &Identity) {
    if remote_port == DNS_PORT {
        // A full table forgets its oldest by itself.
        let _kept = ASKERS.insert(socket, Owner::of(*identity), 0);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// `cgroup_skb/egress`, since 4.10. Runs for each packet of a socket, before it is cut into segments. See the module.
/// `ip_finish_output` in <https://github.com/torvalds/linux/blob/v6.18/net/ipv4/ip_output.c>
#[cgroup_skb(egress)]
fn payload_out(context: SkBuffContext) -> i32 {
    look(&context, Direction::Out);
    PASS
}

/// `cgroup_skb/ingress`, since 4.10. Runs for each packet to a socket. See the module.
/// `sk_filter_trim_cap` in <https://github.com/torvalds/linux/blob/v6.18/net/core/filter.c>
#[cgroup_skb(ingress)]
fn payload_in(context: SkBuffContext) -> i32 {
    look(&context, Direction::In);
    PASS
}

/// Where the header behind the network's stands, and both ends as this side has them.
struct Packet {
    flow: Flow,
    transport: u32,
}

#[inline(always)]
fn look(context: &SkBuffContext, direction: Direction) -> Option<()> {
    if is_idle(context, direction) {
        return None;
    }
    let packet = packet(context, direction)?;
    let port = packet.flow.remote_port;
    if packet.flow.protocol == socket::UDP {
        return if port == DNS_PORT { datagram(context, direction, &packet) } else { None };
    }
    if packet.flow.protocol != socket::TCP || direction == Direction::In && port != DNS_PORT {
        return None;
    }
    segment(context, direction, &packet)
}

/// Whether the packet's first bytes say at once that nobody asks for it: it is no talk with a name server, and either received or
/// a segment that carries nothing. No call is made for this look; what lies otherwise (options, pieces) is looked at more closely.
#[inline(always)]
fn is_idle(context: &SkBuffContext, direction: Direction) -> bool {
    // SAFETY: the context is the packet that the program runs for; the verifier allows these reads of its fields.
    let (start, end) = unsafe { ((*context.skb.skb).data as usize, (*context.skb.skb).data_end as usize) };
    if start + SHORTEST_V4 > end {
        return false;
    }
    // SAFETY: the line above is the bound of all reads below 40; the one of 60 is checked before what lies behind.
    let byte = |at: usize| unsafe { *((start + at) as *const u8) };
    match byte(0) {
        PLAIN_V4 => is_idle_behind(context, direction, byte(9), 20, byte),
        first if first >> 4 == 6 && start + SHORTEST_V6 <= end => is_idle_behind(context, direction, byte(6), 40, byte),
        _ => false,
    }
}

/// The same, for what the network's header carries and where that begins.
#[inline(always)]
fn is_idle_behind(
    context: &SkBuffContext,
    direction: Direction,
    protocol: u8,
    at: usize,
    byte: impl Fn(usize) -> u8,
) -> bool {
    const WORDS: usize = 12;
    let port = if direction == Direction::Out { at + 2 } else { at };
    if u16::from_be_bytes([byte(port), byte(port + 1)]) == DNS_PORT {
        return false;
    }
    match u16::from(protocol) {
        socket::TCP => {
            direction == Direction::In || context.skb.len() <= at as u32 + u32::from(byte(at + WORDS) >> 4) * 4
        }
        socket::UDP => true,
        _ => false,
    }
}

#[inline(always)]
fn packet(context: &SkBuffContext, direction: Direction) -> Option<Packet> {
    // SAFETY: the context is the packet that the program runs for; the verifier allows this read of its field.
    let protocol = unsafe { (*context.skb.skb).protocol };
    match u16::from_be(protocol as u16) {
        PROTOCOL_V4 => v4(context, direction),
        PROTOCOL_V6 => v6(context, direction),
        _ => None,
    }
}

#[inline(always)]
fn v4(context: &SkBuffContext, direction: Direction) -> Option<Packet> {
    const FRAGMENT: u16 = 0x1fff;
    let [first, fragment, carries, from, to] = v4_words(context)?;
    let protocol = u16::from(carries[1]);
    let part = u16::from_be_bytes([fragment[2], fragment[3]]) & FRAGMENT != 0;
    if part || protocol != socket::TCP && protocol != socket::UDP {
        return None;
    }
    let transport = u32::from(first[0] & 0xf) * 4;
    let flow = Flow { local: socket::v4(from), remote: socket::v4(to), family: FAMILY_V4, protocol, ..Flow::EMPTY };
    ends(context, direction, flow, transport)
}

#[inline(always)]
fn v4_words(context: &SkBuffContext) -> Option<[[u8; 4]; 5]> {
    context.load(0).ok()
}

#[inline(always)]
fn v6(context: &SkBuffContext, direction: Direction) -> Option<Packet> {
    const HEADER: u32 = 40;
    let protocol = u16::from(context.load::<u8>(6).ok()?);
    if protocol != socket::TCP && protocol != socket::UDP {
        return None;
    }
    let [local, remote]: [[u8; 16]; 2] = context.load(8).ok()?;
    ends(context, direction, Flow { local, remote, family: FAMILY_V6, protocol, ..Flow::EMPTY }, HEADER)
}

/// Adds the ports to a flow from sender to receiver, and makes it one from this side to the other.
#[inline(always)]
fn ends(context: &SkBuffContext, direction: Direction, flow: Flow, transport: u32) -> Option<Packet> {
    let [from, to]: [[u8; 2]; 2] = context.load(transport as usize).ok()?;
    let (from, to) = (u16::from_be_bytes(from), u16::from_be_bytes(to));
    let flow = if direction == Direction::Out {
        Flow { local_port: from, remote_port: to, ..flow }
    } else {
        Flow { local: flow.remote, remote: flow.local, local_port: to, remote_port: from, ..flow }
    };
    Some(Packet { flow, transport })
}

#[inline(always)]
fn socket(context: &SkBuffContext) -> u64 {
    // SAFETY: the context is the packet that the program runs for; the verifier allows this read of its field.
    unsafe { (*context.skb.skb).__bindgen_anon_2.sk as u64 }
}

#[inline(always)]
fn datagram(context: &SkBuffContext, direction: Direction, packet: &Packet) -> Option<()> {
    const HEADER: u32 = 8;
    let socket = socket(context);
    // SAFETY: the value is replaced as a whole, by the one process that sends.
    let owner = ASKERS.get_ptr(socket).map_or(Owner::UNKNOWN, |owner| unsafe { *owner });
    told(context, Kind::Dns, direction, packet, Start { socket, sequence: 0, at: packet.transport + HEADER }, &owner)
}

/// A segment of a TCP connection whose owner is known: DNS, or the first that a client sends.
#[inline(always)]
fn segment(context: &SkBuffContext, direction: Direction, packet: &Packet) -> Option<()> {
    let is_dns = packet.flow.remote_port == DNS_PORT;
    let socket = socket(context);
    let owner = network::SOCKETS.get_ptr_mut(socket)?;
    // SAFETY: the entry stays readable for the run; that it is fresh is said once, by whoever begins the connection.
    let (copy, fresh) = unsafe { (*owner, &raw mut (*owner).fresh) };
    if copy.fresh == 0 && !is_dns {
        return None;
    }
    let [sequence, _, [words, ..]]: [[u8; 4]; 3] = context.load(packet.transport as usize + 4).ok()?;
    let at = packet.transport + u32::from(words >> 4) * 4;
    if context.skb.len() <= at {
        return None;
    }
    let place = Start { socket, sequence: u32::from_be_bytes(sequence), at };
    if is_dns {
        return told(context, Kind::Dns, direction, packet, place, &copy);
    }
    // SAFETY: as above.
    unsafe { *fresh = 0 };
    // A handshake, of any version, whose first message is a client's.
    let [kind, major, _, _, _, message]: [u8; 6] = context.load(at as usize).ok()?;
    if (kind, major, message) != (22, 3, 1) {
        return None;
    }
    told(context, Kind::ClientHello, direction, packet, place, &copy)
}

/// Where the payload begins, and what it is of.
struct Start {
    socket: u64,
    sequence: u32,
    at: u32,
}

#[inline(always)]
fn told(
    context: &SkBuffContext,
    kind: Kind,
    direction: Direction,
    packet: &Packet,
    place: Start,
    owner: &Owner,
) -> Option<()> {
    let whole = context.skb.len().checked_sub(place.at).filter(|length| *length != 0)?;
    if owner.excluded() {
        return None;
    }
    let room = if direction == Direction::Out { &PAYLOAD_OUT } else { &PAYLOAD_IN };
    let books = Books::of(owner.identity.cgroup_id);
    let mut record =
        Builder::begin_for(books, room.get_ptr_mut(0)?, Class::Network, size_of::<Payload>(), Purse::Usual)?;
    let payload_length = record.packet(context.skb.skb.cast(), place.at, u64::from(whole), MAX_PAYLOAD as u64);
    let body = Payload {
        flow: packet.flow,
        socket: place.socket,
        sequence: place.sequence,
        whole,
        payload_length,
        received: u16::from(direction == Direction::In),
        reserved: 0,
    };
    let flags = owner.flags();
    record.send(About::new(kind, flags, Wake::of_container(flags)), &owner.identity, body);
    Some(())
}

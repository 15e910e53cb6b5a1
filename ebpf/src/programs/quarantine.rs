//! Packets of a quarantined cgroup: dropped in both directions but to and from the addresses that stay allowed. Attached to
//! the cgroup that is quarantined and to no other; what is below it is quarantined with it. Counts both. Tells no record.

use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_skb_ancestor_cgroup_id, bpf_skb_cgroup_id};
use aya_ebpf::macros::{cgroup_skb, map};
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::maps::{HashMap, LpmTrie, PerCpuHashMap};
use aya_ebpf::programs::SkBuffContext;
use ebpf_common::config::{ALLOWED_CGROUP_BITS, Allowed, Packets};

/// Quarantined cgroup → its packets.
#[map]
static QUARANTINED: PerCpuHashMap<u64, Packets> = PerCpuHashMap::with_max_entries(256, 0);

/// Cgroup and network → allowed.
#[map]
static ALLOWED: LpmTrie<Allowed, u8> = LpmTrie::with_max_entries(4096, 0);

/// Quarantined cgroup → when that ends by itself, `CLOCK_BOOTTIME` in nanoseconds: the agent that would lift it may be away. 0: never.
#[map]
static ENDS: HashMap<u64, u64> = HashMap::with_max_entries(256, 0);

const DROP: i32 = 0;
const PASS: i32 = 1;
/// A quarantined cgroup may have this many levels above and below.
const MAX_LEVEL: i32 = 12;

const PROTOCOL_V4: u32 = 0x0800;
const PROTOCOL_V6: u32 = 0x86dd;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// `cgroup_skb/egress`, since 4.10. Runs for each packet of a socket of the cgroup, the network header first.
/// `ip_finish_output` in <https://github.com/torvalds/linux/blob/v6.18/net/ipv4/ip_output.c>
///
/// Does not see: packets of raw packet sockets, which no cgroup program filters.
#[cgroup_skb(egress)]
fn quarantine_egress(context: SkBuffContext) -> i32 {
    judge(&context, Direction::Out)
}

/// `cgroup_skb/ingress`, since 4.10. Runs for each packet to a socket of the cgroup, the network header first.
/// `sk_filter_trim_cap` in <https://github.com/torvalds/linux/blob/v6.18/net/core/filter.c>
#[cgroup_skb(ingress)]
fn quarantine_ingress(context: SkBuffContext) -> i32 {
    judge(&context, Direction::In)
}

/// A packet of which the cgroup or the address cannot be told is dropped: the program hangs only where all is to be dropped.
#[inline(always)]
fn judge(context: &SkBuffContext, direction: Direction) -> i32 {
    let Some((cgroup_id, packets)) = quarantined(context) else { return DROP };
    if is_over(cgroup_id) {
        return PASS;
    }
    let allowed = peer(context, direction).is_some_and(|address| {
        ALLOWED.get(Key::new(ALLOWED_CGROUP_BITS + 128, Allowed { cgroup_id, address })).is_some()
    });
    // SAFETY: the value is this CPU's own; a packet in an interrupt may add at the same moment, and one count be lost.
    let packets = unsafe { &mut *packets };
    match (allowed, direction) {
        (true, Direction::Out) => packets.passed_out += 1,
        (true, Direction::In) => packets.passed_in += 1,
        (false, Direction::Out) => packets.dropped_out += 1,
        (false, Direction::In) => packets.dropped_in += 1,
    }
    if allowed { PASS } else { DROP }
}

#[inline(always)]
fn is_over(cgroup_id: u64) -> bool {
    // SAFETY: the value is a number that is written whole; an old or a new one are both right.
    let until_ns = ENDS.get_ptr(cgroup_id).map_or(0, |until_ns| unsafe { *until_ns });
    // SAFETY: takes nothing, gives a number.
    until_ns != 0 && unsafe { bpf_ktime_get_boot_ns() } >= until_ns
}

/// The quarantined cgroup of the packet's socket: its own, or one above it.
#[inline(always)]
fn quarantined(context: &SkBuffContext) -> Option<(u64, *mut Packets)> {
    // SAFETY: the context is the packet that the program runs for.
    let own = unsafe { bpf_skb_cgroup_id(context.skb.skb) };
    if let Some(packets) = QUARANTINED.get_ptr_mut(own) {
        return Some((own, packets));
    }
    for level in 1..MAX_LEVEL {
        // SAFETY: as above.
        let above = unsafe { bpf_skb_ancestor_cgroup_id(context.skb.skb, level) };
        if above == 0 {
            break;
        }
        if let Some(packets) = QUARANTINED.get_ptr_mut(above) {
            return Some((above, packets));
        }
    }
    None
}

/// The other side's address, IPv4 as `::ffff:a.b.c.d`.
#[inline(always)]
fn peer(context: &SkBuffContext, direction: Direction) -> Option<[u8; 16]> {
    // SAFETY: the context is the packet that the program runs for; the verifier allows this read of its field.
    let protocol = unsafe { (*context.skb.skb).protocol };
    match u32::from(u16::from_be(protocol as u16)) {
        PROTOCOL_V4 => {
            let at = if direction == Direction::Out { 16 } else { 12 };
            let [a, b, c, d]: [u8; 4] = context.load(at).ok()?;
            Some([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
        }
        PROTOCOL_V6 => context.load(if direction == Direction::Out { 24 } else { 8 }).ok(),
        _ => None,
    }
}

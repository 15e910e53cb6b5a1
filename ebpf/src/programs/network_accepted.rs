//! Connections taken, at the end of the kernel's own function for that, through which every way to accept goes: system calls of 64
//! and 32 bits, `io_uring`. The new socket is there before anybody has a descriptor for it.
//!
//! What it does not see: connections that nobody takes.

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::{fexit, kprobe, kretprobe, map};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::network;

/// Thread → the socket that is to become the connection's. It may forget: where a probe at the end was missed, the begin stays.
#[map]
static ACCEPTING: LruHashMap<u64, u64> = LruHashMap::with_max_entries(4096, 0);

/// The end of `inet_accept`, since 5.10. A socket that got no connection has nothing behind it.
/// `inet_accept` in <https://github.com/torvalds/linux/blob/v6.18/net/ipv4/af_inet.c>
#[fexit]
fn fexit_accept(context: FExitContext) -> u32 {
    network::took(context.arg(1));
    0
}

/// The begin of `inet_accept`: the new socket is gone from the registers when it ends.
#[kprobe]
fn kprobe_accept(context: ProbeContext) -> u32 {
    if let Some(new) = context.arg::<u64>(1) {
        // A full table forgets its oldest by itself.
        let _kept = ACCEPTING.insert(thread(), new, 0);
    }
    0
}

/// The end of `inet_accept`. See [`fexit_accept`].
#[kretprobe]
fn kretprobe_accept(_context: RetProbeContext) -> u32 {
    // SAFETY: only this thread writes the entry, and it is here.
    let new = ACCEPTING.get_ptr(thread()).map(|new| unsafe { *new });
    if let Some(new) = new {
        let _forgotten = ACCEPTING.remove(thread());
        network::took(new);
    }
    0
}

#[inline(always)]
fn thread() -> u64 {
    // SAFETY: takes nothing, gives a number.
    unsafe { bpf_get_current_pid_tgid() }
}

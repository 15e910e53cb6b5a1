//! Gates: what hangs at the hooks, and stays there while agents come and go. Each hands the event over to the program that its table
//! names, so that an agent changes the program in one step: an event goes to the one before or to the one after, never to both and
//! never to none. An object of its own, loaded once for each place; never reads an event.
#![no_std]
#![no_main]

mod frame;

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{
    btf_tracepoint, cgroup_skb, cgroup_sock_addr, fentry, fexit, kprobe, kretprobe, lsm, map, tracepoint,
};
use aya_ebpf::maps::{Array, ProgramArray};
use aya_ebpf::programs::{
    BtfTracePointContext, FEntryContext, FExitContext, LsmContext, ProbeContext, RetProbeContext, SkBuffContext,
    SockAddrContext, TracePointContext,
};
use ebpf_common::agent::Agent;

/// The program behind the gate.
#[map]
static BEHIND: ProgramArray = ProgramArray::with_max_entries(1, 0);

#[map]
static AGENT: Array<Agent> = Array::with_max_entries(1, 0);

/// Hands the event over, but where the agent is away for too long. Comes back where nothing is behind the gate.
#[inline(always)]
fn hand_over<C: EbpfContext>(context: &C) {
    // SAFETY: the field is a number that is written whole; an old or a new one are both right.
    if AGENT.get_ptr(0).is_some_and(|agent| unsafe { (*agent).quiet_ns } == 0) {
        // SAFETY: nothing here is to be dropped.
        unsafe { BEHIND.tail_call(context, 0) };
    }
}

macro_rules! gates {
    ($($(#[$hook:meta])+ $name:ident($context:ty) -> $answer:ty = $value:literal;)+) => {
        $(
            $(#[$hook])+
            fn $name(context: $context) -> $answer {
                hand_over(&context);
                $value
            }
        )+
    };
}

gates! {
    /// At the security hooks: nothing is refused.
    #[lsm]
    gate_lsm(LsmContext) -> i32 = 0;
    /// At the begin of a function, by trampoline.
    #[fentry]
    gate_fentry(FEntryContext) -> i32 = 0;
    /// At the end of a function, by trampoline.
    #[fexit]
    gate_fexit(FExitContext) -> i32 = 0;
    /// At the begin of a function, by breakpoint.
    #[kprobe]
    gate_kprobe(ProbeContext) -> u32 = 0;
    /// At the end of a function, by breakpoint.
    #[kretprobe]
    gate_kretprobe(RetProbeContext) -> u32 = 0;
    /// At a typed tracepoint.
    #[btf_tracepoint]
    gate_typed(BtfTracePointContext) -> i32 = 0;
    /// At a tracepoint.
    #[tracepoint]
    gate_tracepoint(TracePointContext) -> u32 = 0;
    /// Where a process names a peer: nothing is refused.
    #[cgroup_sock_addr(connect4)]
    gate_connect4(SockAddrContext) -> i32 = 1;
    /// See [`gate_connect4`].
    #[cgroup_sock_addr(connect6)]
    gate_connect6(SockAddrContext) -> i32 = 1;
    /// See [`gate_connect4`].
    #[cgroup_sock_addr(sendmsg4)]
    gate_sendmsg4(SockAddrContext) -> i32 = 1;
    /// See [`gate_connect4`].
    #[cgroup_sock_addr(sendmsg6)]
    gate_sendmsg6(SockAddrContext) -> i32 = 1;
    /// At packets that leave: all pass.
    #[cgroup_skb(egress)]
    gate_egress(SkBuffContext) -> i32 = 1;
    /// At packets that come: all pass.
    #[cgroup_skb(ingress)]
    gate_ingress(SkBuffContext) -> i32 = 1;
}

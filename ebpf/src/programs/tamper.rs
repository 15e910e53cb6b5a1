//! What is done to the agent itself by ways that have no record of their own: signals to its process, and its cgroup frozen.
//!
//! What these do not see: the version 1 freezer; memory pressure that slows the agent down.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::kernel::tamper;
use ebpf_common::record::{Tamper, Target};
use ebpf_common::{Class, Kind};

use super::{call, guard, target};
use crate::{agent, config, offset, read};

const KILL: i32 = 9;
const STOP: i32 = 19;
/// What stands for the description of a signal that has none: sent by a process, by the kernel.
const NO_DESCRIPTION: u64 = 0;
const BY_KERNEL: u64 = 1;
/// `SI_KERNEL`.
const KERNEL_CODE: i32 = 0x80;

/// `signal_generate`, since 2.6.35, typed since 5.5. Runs in whoever sends it. Tells signals to the agent that a process sent, and whatever
/// kills or stops it.
/// `__send_signal_locked` in <https://github.com/torvalds/linux/blob/v6.18/kernel/signal.c>
#[btf_tracepoint(function = "signal_generate")]
fn signal_generate(context: BtfTracePointContext) -> i32 {
    let agent = config!(agent_pid);
    let task: u64 = context.arg(2);
    if read::field::<u32>(task, offset!(task_tgid)) == Some(agent) && agent::is(agent) && call::process() != agent {
        sent(task, context.arg::<u64>(0) as i32, context.arg(1), context.arg::<u64>(4) as i32);
    }
    0
}

#[inline(always)]
fn sent(task: u64, signal: i32, description: u64, result: i32) {
    let code = match description {
        NO_DESCRIPTION => 0,
        BY_KERNEL => KERNEL_CODE,
        _ => read::field(description, offset!(siginfo_code)).unwrap_or(KERNEL_CODE),
    };
    // A child's end and a timer are the kernel's own words to the agent.
    if code > 0 && signal != KILL && signal != STOP {
        return;
    }
    let target = target::of_task(task, 0).unwrap_or_default();
    let body = Tamper { target, what: tamper::SIGNAL, signal: signal as u32, code, result };
    guard::plain(Class::Kernel, Kind::Tamper, flag::TAMPER, body);
}

/// `cgroup_freeze`, since 5.2, typed since 5.5. Runs in whoever freezes it, for each cgroup below too.
/// `cgroup_freeze` in <https://github.com/torvalds/linux/blob/v6.18/kernel/cgroup/freezer.c>
#[btf_tracepoint(function = "cgroup_freeze")]
fn cgroup_freeze(context: BtfTracePointContext) -> i32 {
    let own = config!(agent_cgroup);
    let id =
        read::pointer(context.arg(0), offset!(cgroup_kn)).and_then(|node| read::field::<u64>(node, offset!(kernfs_id)));
    if own != 0 && id == Some(own) {
        let target = Target { start_ns: 0, pid: config!(agent_pid), given: 0 };
        let body = Tamper { target, what: tamper::FREEZE, signal: 0, code: 0, result: 0 };
        guard::plain(Class::Kernel, Kind::Tamper, flag::TAMPER, body);
    }
    0
}

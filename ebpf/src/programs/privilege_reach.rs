//! A process that reaches into another: traces it, reads or writes its memory, takes its descriptors.
//!
//! What is done again and again (a debugger's words written one by one) is told once for each target, and then counted. What these do
//! not see: the calls of 32-bit programs; a write through a descriptor of `/proc/PID/mem` that was received; what a tracer reads
//! word by word.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::privilege::way;
use ebpf_common::record::{Reach, Target};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::guard::{self, Again, Repeat};
use super::target;
use crate::identity::{Identity, current_task};
use crate::{config, filter, offset, read};

/// Requests of ptrace that take a process over or change it: be traced, write words, write registers, attach, seize.
const TRACE_ME: u32 = 0;
const CHANGING: u32 = 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 13 | 1 << 15 | 1 << 16;
const WRITE_REGISTER_SET: u32 = 0x4205;
const SEIZE: u32 = 0x4206;

/// `sys_exit_ptrace`, since 2.6.33.
/// `ptrace` in <https://github.com/torvalds/linux/blob/v6.18/kernel/ptrace.c>
#[tracepoint(category = "syscalls", name = "sys_exit_ptrace")]
fn ptrace_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let request = given.first() as u32;
    let is_changing = request < 32 && CHANGING >> request & 1 == 1;
    if is_changing || request == WRITE_REGISTER_SET || request == SEIZE {
        let target = if request == TRACE_ME {
            read::pointer(current_task(), offset!(task_real_parent)).and_then(|task| target::of_task(task, 0))
        } else {
            Some(target::numbered(given.second() as i32))
        };
        reached(call::number(&context), call::answer(&context), target.unwrap_or_default(), request, given.third());
    }
    0
}

/// `sys_exit_process_vm_readv` and `sys_exit_process_vm_writev`, since 3.2.
/// `process_vm_rw` in <https://github.com/torvalds/linux/blob/v6.18/mm/process_vm_access.c>
#[tracepoint(category = "syscalls", name = "sys_exit_process_vm_readv")]
fn process_memory_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let target = target::numbered(given.first() as i32);
    let address = read::user_or_zero::<u64>(given.fourth());
    reached(call::number(&context), call::answer(&context), target, 0, address);
    0
}

/// `sys_exit_pidfd_getfd`, since 5.6.
/// `pidfd_getfd` in <https://github.com/torvalds/linux/blob/v6.18/kernel/pid.c>
#[tracepoint(category = "syscalls", name = "sys_exit_pidfd_getfd")]
fn pidfd_getfd_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let descriptor = given.first() as i32;
    let target = target::of_descriptor(descriptor).unwrap_or(target::unknown(descriptor));
    reached(call::number(&context), call::answer(&context), target, 0, given.second());
    0
}

/// `sys_exit_kcmp`, since 3.5. The target is the first process, or the second where the first is the caller.
/// `kcmp` in <https://github.com/torvalds/linux/blob/v6.18/kernel/kcmp.c>
#[tracepoint(category = "syscalls", name = "sys_exit_kcmp")]
fn kcmp_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let (first, second) = (given.first() as i32, given.second() as i32);
    // One look into the table of numbers, not two: the verifier counts every way through both.
    let is_own = first == target::own_number();
    let (looked, other) = if is_own { (second, first) } else { (first, second) };
    let target = target::numbered(looked);
    reached(call::number(&context), call::answer(&context), target, given.third() as u32, other as u64);
    0
}

/// A file was opened for writing: told if it is a process's memory.
/// `mem_open` in <https://github.com/torvalds/linux/blob/v6.18/fs/proc/base.c>
#[inline(always)]
pub fn memory_opened(result: impl Fn() -> i32, dentry: u64, inode: u64) -> Option<()> {
    /// `mem`, and the zero byte that ends it.
    const MEMORY: u32 = u32::from_ne_bytes(*b"mem\0");
    if read::kernel::<u32>(read::pointer(dentry, offset!(dentry_name))?)? != MEMORY {
        return None;
    }
    let result = result();
    reached(way::MEMORY_FILE, result, target::of_proc(inode, result)?, 0, 0);
    Some(())
}

#[inline(always)]
fn reached(call: u32, result: i32, target: Target, request: u32, address: u64) -> Option<()> {
    // Into itself is nobody's business.
    if target.pid == call::process() || filter::excluded(Class::Privilege) {
        return None;
    }
    let identity = Identity::current()?;
    // A refusal is another thing than a success.
    let what = call << 16 | request & 0x7fff | u32::from(result < 0) << 15;
    let whom = if target.start_ns == 0 { target.given as u64 } else { target.start_ns };
    let key = Again { start_ns: identity.start_ns, target: whom, pid: identity.pid, what };
    let Repeat::Tell(repeats) = guard::again(Class::Privilege, key) else { return None };
    let mut marks = if target.start_ns == 0 { flag::FIELD_MISSING } else { 0 };
    let agent = config!(agent_pid);
    // Who lets its parent trace it does nothing to that one: only then nobody was named.
    marks |= if target.pid == agent && target.given != 0 && crate::agent::is(agent) { flag::TAMPER } else { 0 };
    let body = Reach { target, address, call, request, result, repeats };
    guard::plain(Class::Privilege, Kind::Reach, marks, body);
    Some(())
}

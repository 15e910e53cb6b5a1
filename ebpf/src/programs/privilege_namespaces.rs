//! Namespaces joined and made: setns, unshare, and children that begin in others, or in another cgroup.
//!
//! What these do not see: a child with new namespaces that was refused; the calls of 32-bit programs.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::privilege::way;
use ebpf_common::record::{Namespaces, NamespacesChanged, Target};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::privilege_credentials::{self as credentials, Before};
use super::{guard, target};
use crate::identity::current_task;
use crate::{filter, offset, read};

/// `sys_enter_setns` and `sys_enter_unshare`, since 3.0 and 2.6.33.
#[tracepoint(category = "syscalls", name = "sys_enter_unshare")]
fn namespaces_begin(_context: TracePointContext) -> u32 {
    let namespaces = of_task(current_task()).unwrap_or_default();
    credentials::keep(&Before { credentials: credentials::credentials(), namespaces });
    0
}

/// `sys_exit_unshare`. Tells new namespaces, and refused ones; threads that only give up what they share are not told.
/// `ksys_unshare` in <https://github.com/torvalds/linux/blob/v6.18/kernel/fork.c>
#[tracepoint(category = "syscalls", name = "sys_exit_unshare")]
fn unshare_end(context: TracePointContext) -> u32 {
    ended(&context, Arguments::current().first() as u32, Target::default());
    0
}

/// `sys_exit_setns`. Names the process whose namespaces were joined, where a descriptor of a process was given.
/// `setns` in <https://github.com/torvalds/linux/blob/v6.18/kernel/nsproxy.c>
#[tracepoint(category = "syscalls", name = "sys_exit_setns")]
fn setns_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let descriptor = given.first() as i32;
    // A descriptor of a namespace leads to no process.
    let target = target::of_descriptor(descriptor).unwrap_or(target::unknown(descriptor));
    ended(&context, given.second() as u32, target);
    0
}

#[inline(always)]
fn ended(context: &TracePointContext, flags: u32, target: Target) {
    let before = credentials::take().map(|before| before.namespaces);
    let result = call::answer(context);
    let after = of_task(current_task());
    let is_same = result >= 0 && before.is_some() && before == after;
    if is_same || filter::excluded(Class::Privilege) {
        return;
    }
    let marks = if before.is_some() && after.is_some() { 0 } else { flag::FIELD_MISSING };
    let body = NamespacesChanged {
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
        target,
        cgroup_id: 0,
        call: call::number(context),
        flags,
        result,
        reserved: 0,
    };
    guard::plain(Class::Privilege, Kind::Namespaces, marks, body);
}

/// A child that does not begin where its parent is. Asked at every fork, by pointers alone where nothing differs.
/// `copy_process` in <https://github.com/torvalds/linux/blob/v6.18/kernel/fork.c>
#[inline(always)]
pub fn forked(child: u64) -> Option<()> {
    let parent = current_task();
    let proxies = (read::pointer(parent, offset!(task_nsproxy))?, read::pointer(child, offset!(task_nsproxy))?);
    let users = (user_namespace(parent)?, user_namespace(child)?);
    let sets = (read::pointer(parent, offset!(task_cgroups))?, read::pointer(child, offset!(task_cgroups))?);
    if (proxies.0 == proxies.1 && users.0 == users.1 && sets.0 == sets.1) || filter::excluded(Class::Privilege) {
        return None;
    }
    let cgroup_id = if sets.0 == sets.1 { 0 } else { cgroup(sets.1).unwrap_or(0) };
    let (before, after) = (of_task(parent), of_task(child));
    let marks = if before.is_some() && after.is_some() { 0 } else { flag::FIELD_MISSING };
    let body = NamespacesChanged {
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
        target: target::of_task(child, 0).unwrap_or_default(),
        cgroup_id,
        call: way::FORK,
        flags: 0,
        result: 0,
        reserved: 0,
    };
    guard::plain(Class::Privilege, Kind::Namespaces, marks, body);
    Some(())
}

#[inline(always)]
fn user_namespace(task: u64) -> Option<u64> {
    read::pointer(read::pointer(task, offset!(task_cred))?, offset!(cred_user_ns))
}

#[inline(always)]
fn cgroup(set: u64) -> Option<u64> {
    let group = read::pointer(set, offset!(css_set_cgroup))?;
    read::field(read::pointer(group, offset!(cgroup_kn))?, offset!(kernfs_id))
}

/// All of a task's. A kernel without one of the kinds has 0 there.
#[inline(always)]
fn of_task(task: u64) -> Option<Namespaces> {
    let proxy = read::pointer(task, offset!(task_nsproxy))?;
    // Below a pointer that is null nothing can be read.
    let of = |pointer: u32, number: u32| -> u32 { read::or_zero(read::or_zero(proxy, pointer), number) };
    Some(Namespaces {
        mount: of(offset!(nsproxy_mnt_ns), offset!(mnt_namespace_inum)),
        pid: of(offset!(nsproxy_pid_ns), offset!(pid_namespace_inum)),
        network: of(offset!(nsproxy_net_ns), offset!(net_inum)),
        user: read::field(user_namespace(task)?, offset!(user_namespace_inum))?,
        cgroup: of(offset!(nsproxy_cgroup_ns), offset!(cgroup_namespace_inum)),
        uts: of(offset!(nsproxy_uts_ns), offset!(uts_namespace_inum)),
        ipc: of(offset!(nsproxy_ipc_ns), offset!(ipc_namespace_inum)),
        time: of(offset!(nsproxy_time_ns), offset!(time_namespace_inum)),
    })
}

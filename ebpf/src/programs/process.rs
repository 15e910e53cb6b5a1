//! Life of processes: fork, exec, exit.

use aya_ebpf::helpers::generated::bpf_get_current_comm;
use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::BtfTracePointContext;
use ebpf_common::header::flag;
use ebpf_common::loss::Outcome;
use ebpf_common::record::process::{MAX_ARGUMENTS, MAX_ARGUMENTS_END, MAX_DIRECTORY, MAX_PATH, MAX_SCRIPT, watch};
use ebpf_common::record::{Exec, Exit, Fork};
use ebpf_common::{Class, Header, Kind};

use super::{call, enforce, privilege_namespaces};
use crate::emit::{self, About, Wake};
use crate::identity::{Identity, current_task};
use crate::path::{self, Place};
use crate::scratch::{Appended, Builder, Scratch};
use crate::{agent, config, offset, read};

const RECORD: usize =
    size_of::<Header>() + size_of::<Exec>() + MAX_PATH + MAX_DIRECTORY + MAX_SCRIPT + MAX_ARGUMENTS + MAX_ARGUMENTS_END;
const WALK: usize = path::EXEC;

#[map]
static EXEC_SCRATCH: PerCpuArray<Scratch<RECORD, WALK>> = PerCpuArray::with_max_entries(1, 0);

/// `sched_process_fork`, since 3.4, typed since 5.5. Runs in the process that forks, before the child runs.
/// `kernel_clone` in <https://github.com/torvalds/linux/blob/v6.18/kernel/fork.c>
///
/// Threads are left out. Does not see: what the child was before (its image is its parent's).
#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(context: BtfTracePointContext) -> i32 {
    let child: u64 = context.arg(1);
    let (pid, tid) = (read::field::<u32>(child, offset!(task_tgid)), read::field::<u32>(child, offset!(task_pid)));
    if pid.is_some() && pid != tid {
        return 0;
    }
    let (Some(identity), Some(child_pid)) = (Identity::current(), pid) else {
        emit::lose(Class::Process, Outcome::ReadFault);
        return 0;
    };
    let start = read::field(child, offset!(task_start_boottime));
    let parent = read::pointer(child, offset!(task_real_parent)).and_then(|it| read::field(it, offset!(task_tgid)));
    let flags = if start.is_some() && parent.is_some() { 0 } else { flag::FIELD_MISSING };
    let body = Fork { child_start_ns: start.unwrap_or(0), child_pid, child_parent_pid: parent.unwrap_or(0) };
    let about = About::new(Kind::Fork, flags | enforce::container(identity.cgroup_id), Wake::Later);
    emit::plain(Class::Process, about, &identity, body);
    privilege_namespaces::forked(child);
    0
}

/// `sched_process_exit`, since 3.4, typed since 5.5; its second argument since 6.16. Runs in each thread that ends.
/// `do_exit` in <https://github.com/torvalds/linux/blob/v6.18/kernel/exit.c>
///
/// Tells of the last thread only. Before 6.16 two threads that end at the same moment may both be the last.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(context: BtfTracePointContext) -> i32 {
    agent::look();
    let task = current_task();
    let Some(signal) = read::pointer(task, offset!(task_signal)) else { return 0 };
    let last = if config!(exit_says_group_dead) == 1 {
        context.arg::<u64>(1) & 1 == 1
    } else {
        read::field::<i32>(signal, offset!(signal_live)) == Some(0)
    };
    if !last {
        return 0;
    }
    let Some(identity) = Identity::current() else {
        emit::lose(Class::Process, Outcome::ReadFault);
        return 0;
    };
    let (status, flags) = exit_status(task, signal).map_or((0, flag::FIELD_MISSING), |status| (status, 0));
    // As wait(2) has it: the signal below, the code above it.
    let body = Exit { code: status >> 8 & 0xff, signal: status & 0x7f };
    let about = About::new(Kind::Exit, flags | enforce::container(identity.cgroup_id), Wake::Later);
    emit::plain(Class::Process, about, &identity, body);
    agent::ended(identity.pid);
    0
}

/// The whole process ended by one cause, else the leader's own answer.
#[inline(always)]
fn exit_status(task: u64, signal: u64) -> Option<u32> {
    const GROUP_EXIT: u32 = 4;
    if read::field::<u32>(signal, offset!(signal_flags))? & GROUP_EXIT != 0 {
        return read::field(signal, offset!(signal_group_exit_code));
    }
    read::field(read::pointer(task, offset!(task_group_leader))?, offset!(task_exit_code))
}

/// `sched_process_exec`, since 3.4, typed since 5.5. Runs after the new image is in place, before its first instruction.
/// `exec_binprm` in <https://github.com/torvalds/linux/blob/v6.18/fs/exec.c>
///
/// Does not see: an exec that failed; for a script, the script's file, of which it has the name (the path is the interpreter's;
/// interpreters that are scripts themselves stand in the arguments). A path inside a container is as the container has it.
#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec(context: BtfTracePointContext) -> i32 {
    let Some(scratch) = EXEC_SCRATCH.get_ptr_mut(0) else { return 0 };
    let Some(mut record) = Builder::begin(scratch, Class::Process, size_of::<Exec>()) else { return 0 };
    let task = current_task();
    let Some(identity) = Identity::current() else {
        record.lose(Outcome::ReadFault);
        return 0;
    };
    let place = record.body::<Exec>();
    // SAFETY: the place is an `Exec`'s, and ours until the record is sent; nothing else refers to it meanwhile.
    let body = unsafe {
        place.write(EMPTY);
        &mut *place
    };
    record.mark(enforce::container(identity.cgroup_id));
    script(&mut record, context.arg(2), body);
    let whole = credentials(task, body).is_some() & namespaces(task, body).is_some();
    record.mark(if whole { 0 } else { flag::FIELD_MISSING });
    let read = executable(&mut record, task, body).is_some()
        & directory(&mut record, body).is_some()
        & arguments(&mut record, task, body).is_some();
    record.mark(if read { 0 } else { flag::FIELD_MISSING });
    body.stopped_for = enforce::stop(facts(record.marks()), record.marks(), &identity, body.mount_namespace);
    record.mark(if body.stopped_for == 0 { 0 } else { flag::STOPPED_IN_KERNEL });
    let flags = record.marks();
    // Of the host's nothing is stopped before its first instruction.
    let wake = if flags & flag::CONTAINER == 0 { Wake::Soon } else { Wake::Now };
    record.send_filled::<Exec>(About::new(Kind::Exec, flags, wake), &identity);
    0
}

const EMPTY: Exec = Exec {
    capabilities: 0,
    inode: 0,
    device: 0,
    links: 0,
    gid: 0,
    effective_uid: 0,
    argument_bytes: 0,
    mount_namespace: 0,
    pid_namespace: 0,
    network_namespace: 0,
    user_namespace: 0,
    cgroup_namespace: 0,
    comm: [0; 16],
    path_length: 0,
    directory_length: 0,
    arguments_length: 0,
    path_components: 0,
    stopped_for: 0,
    filesystem: 0,
    script_length: 0,
    arguments_end_length: 0,
    reserved: [0; 2],
};

#[inline(always)]
fn credentials(task: u64, body: &mut Exec) -> Option<()> {
    // SAFETY: the destination is `comm`, as long as the size given.
    unsafe { bpf_get_current_comm(body.comm.as_mut_ptr().cast(), body.comm.len() as u32) };
    let cred = read::pointer(task, offset!(task_cred))?;
    body.gid = read::field(cred, offset!(cred_gid))?;
    body.effective_uid = read::field(cred, offset!(cred_euid))?;
    body.capabilities = read::field(cred, offset!(cred_cap_effective))?;
    let user = read::pointer(cred, offset!(cred_user_ns))?;
    body.user_namespace = read::field(user, offset!(user_namespace_inum))?;
    Some(())
}

#[inline(always)]
fn namespaces(task: u64, body: &mut Exec) -> Option<()> {
    let proxy = read::pointer(task, offset!(task_nsproxy))?;
    let mount = read::pointer(proxy, offset!(nsproxy_mnt_ns))?;
    body.mount_namespace = read::field(mount, offset!(mnt_namespace_inum))?;
    let network = read::pointer(proxy, offset!(nsproxy_net_ns))?;
    body.network_namespace = read::field(network, offset!(net_inum))?;
    let cgroup = read::pointer(proxy, offset!(nsproxy_cgroup_ns))?;
    body.cgroup_namespace = read::or_zero(cgroup, offset!(cgroup_namespace_inum));
    // The proxy holds the pid namespace of children; the process's own is that of its innermost number.
    let numbers = read::pointer(task, offset!(task_thread_pid))?;
    let level = u64::from(read::field::<u32>(numbers, offset!(pid_level))? & 31);
    let innermost = numbers + u64::from(offset!(pid_numbers)) + level * u64::from(offset!(upid_size));
    let own = read::pointer(innermost, offset!(upid_ns))?;
    body.pid_namespace = read::field(own, offset!(pid_namespace_inum))?;
    Some(())
}

/// The file of the new image, and its marks.
#[inline(always)]
fn executable(record: &mut Builder<RECORD, WALK>, task: u64, body: &mut Exec) -> Option<()> {
    let memory = read::pointer(task, offset!(task_mm))?;
    let file = read::pointer(memory, offset!(mm_exe_file))?;
    let place = Place::read(file + u64::from(offset!(file_path)))?;
    let Appended { length, components, truncated } = record.path::<{ MAX_PATH as u64 }>(place);
    body.path_length = length;
    body.path_components = components;
    record.mark(if truncated { flag::PATH_TRUNCATED } else { 0 });

    let inode = read::pointer(file, offset!(file_inode))?;
    let filesystem = read::pointer(inode, offset!(inode_super))?;
    body.inode = read::field(inode, offset!(inode_number))?;
    body.links = read::field(inode, offset!(inode_links))?;
    body.device = read::field(filesystem, offset!(super_device))?;
    body.filesystem = read::field::<u64>(filesystem, offset!(super_magic))? as u32;
    record.mark(enforce::marks(inode, body.filesystem, body.links, place.dentry));
    Some(())
}

#[inline(always)]
fn directory(record: &mut Builder<RECORD, WALK>, body: &mut Exec) -> Option<()> {
    let appended = record.path::<{ MAX_DIRECTORY as u64 }>(call::directory(call::WORKING_DIRECTORY)?);
    body.directory_length = appended.length;
    record.mark(if appended.truncated { flag::DIRECTORY_TRUNCATED } else { 0 });
    Some(())
}

/// What was to be run, where the kernel runs an interpreter for it: then the two names are two strings. Gives no answer, so that
/// for the verifier all ways through it end alike.
#[inline(always)]
fn script(record: &mut Builder<RECORD, WALK>, program: u64, body: &mut Exec) {
    let asked = read::or_zero::<u64>(program, offset!(binprm_filename));
    if asked == read::or_zero::<u64>(program, offset!(binprm_interpreter)) {
        return;
    }
    match record.kernel_string(asked, MAX_SCRIPT as u32) {
        Some((length, _)) => {
            body.script_length = length;
            record.mark(if usize::from(length) + 1 == MAX_SCRIPT { flag::SECOND_TRUNCATED } else { 0 });
        }
        None => record.mark(flag::FIELD_MISSING),
    }
}

/// The arguments as the kernel laid them down, not as the process may later write them.
#[inline(always)]
fn arguments(record: &mut Builder<RECORD, WALK>, task: u64, body: &mut Exec) -> Option<()> {
    let memory = read::pointer(task, offset!(task_mm))?;
    let start = read::field::<u64>(memory, offset!(mm_arg_start))?;
    let length = read::field::<u64>(memory, offset!(mm_arg_end))?.saturating_sub(start);
    body.argument_bytes = length as u32;
    body.arguments_length = record.user_bytes(start, length, MAX_ARGUMENTS as u64)?;
    if length > MAX_ARGUMENTS as u64 {
        record.mark(flag::ARGUMENTS_TRUNCATED);
        let kept = length - MAX_ARGUMENTS as u64;
        let kept = if kept > MAX_ARGUMENTS_END as u64 { MAX_ARGUMENTS_END as u64 } else { kept };
        body.arguments_end_length = record.user_bytes(start + length - kept, kept, MAX_ARGUMENTS_END as u64)?;
    }
    Some(())
}

/// The marks of an exec as the bits for which it may be stopped.
#[inline(always)]
fn facts(flags: u32) -> u32 {
    let mut facts = 0;
    if flags & flag::MEMFD != 0 {
        facts |= watch::MEMFD;
    }
    if flags & flag::UPPER_LAYER != 0 {
        facts |= watch::UPPER_LAYER;
    }
    if flags & flag::DELETED != 0 {
        facts |= watch::DELETED;
    }
    facts
}

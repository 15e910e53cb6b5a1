//! The other process: found as the kernel finds it. Takes a number as the caller means it, a descriptor of a process, or a file of
//! `/proc`; gives its number in the host's namespace and the moment of its fork. Where the process is gone already, nothing but what
//! was given.

use ebpf_common::record::Target;

use super::call;
use crate::identity::current_task;
use crate::{offset, read};

/// What the low bits of an entry of the kernel's table say: it leads to another table.
const IS_TABLE: u64 = 2;
const LOW_BITS: u64 = 3;
/// Each table has this many places, and as many levels reach every number that there is.
const PLACES: u64 = 64;
const LEVELS: usize = 6;

/// Filesystem of the descriptors of processes, since 6.9.
const PIDFS: u64 = 0x5049_4446;
const PROC: u64 = 0x9fa0;

/// Nobody but what was given.
#[inline(always)]
pub fn unknown(given: i32) -> Target {
    Target { start_ns: 0, pid: 0, given }
}

/// The process with this number in the caller's own pid namespace, where the kernel looked it up too.
#[inline(always)]
pub fn numbered(given: i32) -> Target {
    named(given).unwrap_or(unknown(given))
}

/// The number of the current process in its own pid namespace.
#[inline(always)]
pub fn own_number() -> i32 {
    let leader = read::pointer(current_task(), offset!(task_group_leader));
    let own = leader.and_then(|leader| read::pointer(leader, offset!(task_thread_pid)));
    let number = own.and_then(|own| {
        let level = u64::from(read::field::<u32>(own, offset!(pid_level))? & 31);
        // The number stands first in its entry.
        read::kernel::<i32>(own + u64::from(offset!(pid_numbers)) + level * u64::from(offset!(upid_size)))
    });
    number.unwrap_or(0)
}

#[inline(always)]
fn named(given: i32) -> Option<Target> {
    if given <= 0 {
        return None;
    }
    // Not by its type: to an address that has one, kernels before 6.13 let nobody add a number that they do not know.
    let own = read::pointer(current_task(), offset!(task_thread_pid))?;
    let level = u64::from(read::field::<u32>(own, offset!(pid_level))? & 31);
    let innermost = own + u64::from(offset!(pid_numbers)) + level * u64::from(offset!(upid_size));
    let namespace = read::pointer(innermost, offset!(upid_ns))?;
    let mut entry = read::pointer(namespace, offset!(pid_namespace_table))?;
    let number = given as u64;
    for _ in 0..LEVELS {
        if entry & LOW_BITS != IS_TABLE {
            break;
        }
        let table = entry - IS_TABLE;
        let shift = u64::from(read::field::<u8>(table, offset!(table_shift))?) & 63;
        // A number beyond the first table is nobody's.
        let place = number >> shift & (PLACES - 1);
        entry = read::kernel(table + u64::from(offset!(table_slots)) + place * 8)?;
    }
    let found = if entry == 0 || entry & LOW_BITS != 0 { None } else { of_pid(entry, given) }?;
    Some(found)
}

/// The process of a `struct pid`.
#[inline(always)]
pub fn of_pid(pid: u64, given: i32) -> Option<Target> {
    let first = read::pointer(pid, offset!(pid_tasks))?;
    of_task(first - u64::from(offset!(task_pid_links)), given)
}

/// The process of a `struct task_struct`.
#[inline(always)]
pub fn of_task(task: u64, given: i32) -> Option<Target> {
    let leader = read::pointer(task, offset!(task_group_leader))?;
    Some(Target {
        start_ns: read::field(leader, offset!(task_start_boottime))?,
        pid: read::field(task, offset!(task_tgid))?,
        given,
    })
}

/// The process of a descriptor that `pidfd_open` gave.
#[inline(always)]
pub fn of_descriptor(given: i32) -> Option<Target> {
    let file = call::file(given)?;
    let inode = read::pointer(file, offset!(file_inode))?;
    let filesystem = read::pointer(inode, offset!(inode_super))?;
    let pid = if read::field::<u64>(filesystem, offset!(super_magic)) == Some(PIDFS) {
        read::pointer(inode, offset!(inode_private))?
    } else {
        read::pointer(file, offset!(file_private_data))?
    };
    of_pid(pid, given)
}

/// The process of a file below `/proc/PID`.
#[inline(always)]
pub fn of_proc(inode: u64, given: i32) -> Option<Target> {
    let filesystem = read::pointer(inode, offset!(inode_super))?;
    if read::field::<u64>(filesystem, offset!(super_magic)) != Some(PROC) {
        return None;
    }
    let inode = inode.wrapping_sub(u64::from(offset!(proc_inode_vfs)));
    of_pid(read::pointer(inode, offset!(proc_inode_pid))?, given)
}

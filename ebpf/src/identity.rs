//! Who: a process by its number and the moment of its fork, its parent, its user, its cgroup. Takes the current task, or
//! another one; gives [`Identity`]. Never a name: a name is no identity.

use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_get_current_task};

use crate::offset;
use crate::read::Known;

/// One process of this boot, and what a record says about it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Identity {
    pub start_ns: u64,
    pub parent_start_ns: u64,
    pub cgroup_id: u64,
    pub pid: u32,
    pub tid: u32,
    pub parent_pid: u32,
    pub uid: u32,
}

impl Identity {
    /// Nobody: the owner is not known.
    pub const UNKNOWN: Self =
        Self { start_ns: 0, parent_start_ns: 0, cgroup_id: 0, pid: 0, tid: 0, parent_pid: 0, uid: 0 };

    /// The process that runs now.
    #[inline(always)]
    pub fn current() -> Option<Self> {
        let task = Known::task();
        let leader = task.follow(offset!(task_group_leader))?;
        let parent = task.follow(offset!(task_real_parent))?;
        let parent_leader = parent.follow(offset!(task_group_leader))?;
        let cred = task.follow(offset!(task_cred))?;
        Some(Self {
            start_ns: leader.field(offset!(task_start_boottime)),
            parent_start_ns: parent_leader.field(offset!(task_start_boottime)),
            // SAFETY: takes nothing, gives a number.
            cgroup_id: unsafe { bpf_get_current_cgroup_id() },
            pid: task.field(offset!(task_tgid)),
            tid: task.field(offset!(task_pid)),
            parent_pid: parent.field(offset!(task_tgid)),
            uid: cred.field(offset!(cred_uid)),
        })
    }
}

/// The kernel's structure of the task that runs now.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: takes nothing, gives a number that is only ever handed to `read`.
    unsafe { bpf_get_current_task() }
}

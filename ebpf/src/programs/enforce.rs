//! What is done in the kernel at an exec: a process of a container is stopped before its first instruction, where the agent
//! asked for it by a fact that the kernel knows. Never touches a process of the host: a cgroup is a container's by
//! `super::cgroup`'s rule or by the agent's word, and what still runs in the host's mount namespace is the runtime.

use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_send_signal};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap};
use ebpf_common::config::cgroup::{CHOSEN, CONTAINER};
use ebpf_common::header::flag;
use ebpf_common::record::process::{Stopped, watch};

use crate::identity::Identity;
use crate::{agent, config, object, offset, read};

/// Cgroup → marks of `ebpf_common::config::cgroup`, and the facts to stop for.
#[map]
pub static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(16_384, 0);

/// The facts to stop for in a container of which the agent has not chosen any.
#[map]
static DEFAULT_WATCH: Array<u32> = Array::with_max_entries(1, 0);

/// Pid → a stop of which the agent has not said that it has the record: a record may be lost, a stopped process must not be.
#[map]
static STOPPED: HashMap<u32, Stopped> = HashMap::with_max_entries(4096, 0);

const STOP: u32 = 19;
pub const OVERLAY: u32 = 0x794c_7630;
pub const TMPFS: u32 = 0x0102_1994;
const HUGETLBFS: u32 = 0x9584_58f6;

/// What the kernel knows of a cgroup; 0: nothing.
#[inline(always)]
pub fn known(cgroup_id: u64) -> u32 {
    // SAFETY: the value is a number that is written whole; an old or a new one are both right.
    CGROUPS.get_ptr(cgroup_id).map_or(0, |value| unsafe { *value })
}

/// The record's mark of a container.
#[inline(always)]
pub fn container(cgroup_id: u64) -> u32 {
    if known(cgroup_id) & CONTAINER == 0 { 0 } else { flag::CONTAINER }
}

/// The marks of an executable.
///
/// An anonymous file is one of a filesystem in memory whose name begins as `memfd_create` makes it and that no folder holds.
/// The writable layer of an overlay is read from the overlay's own inode, which names the upper file if there is one.
#[inline(always)]
pub fn marks(inode: u64, filesystem: u32, links: u32, dentry: u64) -> u32 {
    if links == 0 {
        return if matches!(filesystem, TMPFS | HUGETLBFS) && is_memfd(dentry) { flag::MEMFD } else { flag::DELETED };
    }
    if filesystem == OVERLAY && object::upper(inode).is_some() {
        return flag::UPPER_LAYER;
    }
    0
}

#[inline(always)]
fn is_memfd(dentry: u64) -> bool {
    read::pointer(dentry, offset!(dentry_name)).and_then(read::kernel::<[u8; 6]>) == Some(*b"memfd:")
}

/// Stops the current process if its cgroup is a container's that is watched for one of `facts`. Gives those that were asked for. Nobody
/// is stopped while no agent is there to let them go.
///
/// Noted before it is done: where the table is full, nobody is stopped whom the agent could not find.
#[inline(always)]
pub fn stop(facts: u32, marks: u32, identity: &Identity, mount_namespace: u32) -> u32 {
    if facts == 0 || mount_namespace == 0 || mount_namespace == config!(host_mount_namespace) {
        return 0;
    }
    let known = known(identity.cgroup_id);
    if known & CONTAINER == 0 {
        return 0;
    }
    // SAFETY: the value is a number that is written whole; an old or a new one are both right.
    let default = DEFAULT_WATCH.get_ptr(0).map_or(0, |value| unsafe { *value });
    let asked = facts & watch::ALL & if known & CHOSEN == 0 { default } else { known };
    if asked == 0 || !agent::lets_go() {
        return 0;
    }
    let stopped = Stopped {
        start_ns: identity.start_ns,
        // SAFETY: takes nothing, gives a number.
        boot_ns: unsafe { bpf_ktime_get_boot_ns() },
        cgroup_id: identity.cgroup_id,
        stopped_for: asked,
        marks,
    };
    if STOPPED.insert(identity.pid, stopped, 0).is_err() {
        return 0;
    }
    // SAFETY: takes a number. The signal goes to the current process, which is in its own exec and has not run yet.
    if unsafe { bpf_send_signal(STOP) } != 0 {
        // The agent forgets it too, when it sees that nobody is stopped.
        let _gone = STOPPED.remove(identity.pid);
        return 0;
    }
    asked
}

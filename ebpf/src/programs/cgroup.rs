//! Cgroups made and removed: the agent knows a container before its first exec, and the kernel even before the agent.
//!
//! The kernel counts a new cgroup as a container's when
//! - its name is 64 hexadecimal digits, alone (runtimes that write cgroups themselves) or behind `docker-`,
//!   `cri-containerd-`, `crio-` or `libpod-` (runtimes that ask systemd); the monitors that a runtime keeps beside
//!   (`crio-conmon-…`) have no digits there and stay the host's;
//! - or its parent's name is one that the agent was configured with (for runtimes that take any name);
//! - or its parent is a container's cgroup: what a container makes inside belongs to it, and is watched for the same.

use aya_ebpf::macros::{btf_tracepoint, map};
use aya_ebpf::maps::{HashMap, PerCpuArray};
use aya_ebpf::programs::BtfTracePointContext;
use ebpf_common::config::cgroup::CONTAINER;
use ebpf_common::config::{COMPONENT, Component};
use ebpf_common::header::flag;
use ebpf_common::loss::Outcome;
use ebpf_common::record::Cgroup;
use ebpf_common::record::cgroup::MAX_CGROUP_PATH;
use ebpf_common::{Class, Header, Kind};

use super::enforce;
use crate::emit::{About, Wake};
use crate::identity::Identity;
use crate::scratch::{Builder, Scratch};
use crate::{account, offset, path, read};

/// Names of cgroups whose children are containers.
#[map]
static CONTAINER_PARENTS: HashMap<Component, u32> = HashMap::with_max_entries(64, 0);

const RECORD: usize = size_of::<Header>() + size_of::<Cgroup>() + MAX_CGROUP_PATH;
/// No file is walked here.
const WALK: usize = path::NONE;

#[map]
static CGROUP_SCRATCH: PerCpuArray<Scratch<RECORD, WALK>> = PerCpuArray::with_max_entries(1, 0);

/// `cgroup_mkdir`, since 4.14, typed since 5.5. Runs in the process that makes the cgroup, before anything is in it.
/// `cgroup_mkdir` in <https://github.com/torvalds/linux/blob/v6.18/kernel/cgroup/cgroup.c>
///
/// Only the version 2 tree is told. Does not see: cgroups that were there before; the agent lists those.
#[btf_tracepoint(function = "cgroup_mkdir")]
fn cgroup_mkdir(context: BtfTracePointContext) -> i32 {
    let (group, path): (u64, u64) = (context.arg(0), context.arg(1));
    let Some(made) = Made::read(group) else { return 0 };
    if made.is_container() {
        let inherited = enforce::known(made.parent_id);
        // A full table is a container that is not watched in the kernel; the agent still stops by rule.
        let _full = enforce::CGROUPS.insert(made.id, inherited | CONTAINER, 0);
        if inherited & CONTAINER != 0 {
            account::made_below(made.id, made.parent_id);
        }
    }
    tell(Kind::CgroupMade, &made, path);
    0
}

/// `cgroup_rmdir`, since 4.14, typed since 5.5. Runs when the cgroup is empty and goes.
/// `cgroup_rmdir` in <https://github.com/torvalds/linux/blob/v6.18/kernel/cgroup/cgroup.c>
#[btf_tracepoint(function = "cgroup_rmdir")]
fn cgroup_rmdir(context: BtfTracePointContext) -> i32 {
    let (group, path): (u64, u64) = (context.arg(0), context.arg(1));
    let Some(gone) = Made::read(group) else { return 0 };
    tell(Kind::CgroupGone, &gone, path);
    let _absent = enforce::CGROUPS.remove(gone.id);
    account::gone(gone.id);
    0
}

/// A cgroup of the version 2 tree.
struct Made {
    id: u64,
    node: u64,
    parent_id: u64,
    parent: u64,
    level: u32,
}

impl Made {
    #[inline(always)]
    fn read(group: u64) -> Option<Self> {
        /// Of the version 2 tree, which is the first that is made; each version 1 tree has a number of its own.
        const VERSION_2: i32 = 0;
        let root = read::pointer(group, offset!(cgroup_root))?;
        if read::field::<i32>(root, offset!(cgroup_root_hierarchy))? != VERSION_2 {
            return None;
        }
        let node = read::pointer(group, offset!(cgroup_kn))?;
        let parent = read::pointer(node, offset!(kernfs_parent)).unwrap_or(0);
        Some(Self {
            id: read::field(node, offset!(kernfs_id))?,
            node,
            parent_id: read::or_zero(parent, offset!(kernfs_id)),
            parent,
            level: read::or_zero::<u32>(group, offset!(cgroup_level)),
        })
    }

    #[inline(always)]
    fn is_container(&self) -> bool {
        enforce::known(self.parent_id) & CONTAINER != 0 || self.parent_is_named() || named_as_container(self.node)
    }

    #[inline(always)]
    fn parent_is_named(&self) -> bool {
        let Some(name) = read::pointer(self.parent, offset!(kernfs_name)) else { return false };
        // A longer name is cut; keys are shorter than that, so that the cut one is none.
        read::kernel_name::<COMPONENT>(name).is_some_and(|key: Component| CONTAINER_PARENTS.get_ptr(key).is_some())
    }
}

const NAME: usize = 96;
const DIGITS: usize = 64;

#[inline(always)]
fn named_as_container(node: u64) -> bool {
    let Some(address) = read::pointer(node, offset!(kernfs_name)) else { return false };
    let Some(name) = read::kernel_name::<NAME>(address) else { return false };
    digits::<0>(&name)
        || (begins(&name, b"docker-") && digits::<7>(&name))
        || (begins(&name, b"cri-containerd-") && digits::<15>(&name))
        || (begins(&name, b"crio-") && digits::<5>(&name))
        || (begins(&name, b"libpod-") && digits::<7>(&name))
}

#[inline(always)]
fn begins<const LENGTH: usize>(name: &[u8; NAME], prefix: &[u8; LENGTH]) -> bool {
    let mut at = 0;
    while at < LENGTH {
        if name[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// 64 hexadecimal digits from `FROM`, and no more.
#[inline(always)]
fn digits<const FROM: usize>(name: &[u8; NAME]) -> bool {
    let mut at = FROM;
    while at < FROM + DIGITS {
        if !name[at].is_ascii_hexdigit() {
            return false;
        }
        at += 1;
    }
    !name[FROM + DIGITS].is_ascii_hexdigit()
}

#[inline(always)]
fn tell(kind: Kind, group: &Made, path: u64) {
    let Some(scratch) = CGROUP_SCRATCH.get_ptr_mut(0) else { return };
    let Some(mut record) = Builder::begin(scratch, Class::Process, size_of::<Cgroup>()) else { return };
    let Some(identity) = Identity::current() else {
        record.lose(Outcome::ReadFault);
        return;
    };
    let length = record.kernel_string(path, MAX_CGROUP_PATH as u32).map(|(length, _)| length);
    let mut flags = enforce::container(group.id);
    flags |= if length.is_none() { flag::FIELD_MISSING } else { 0 };
    let path_length = length.unwrap_or(0);
    flags |= if usize::from(path_length) + 1 == MAX_CGROUP_PATH { flag::PATH_TRUNCATED } else { 0 };
    let body = Cgroup { id: group.id, level: group.level, path_length, reserved: 0 };
    record.send(About::new(kind, flags, Wake::Now), &identity, body);
}

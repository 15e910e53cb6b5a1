//! Bodies of powers taken, and used on other processes.
//!
//! `call` is the number of the system call on this machine, or one of [`way`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Object, Texts};

/// What stands for `call` where it was no one system call.
pub mod way {
    /// A new process.
    pub const FORK: u32 = 0xffff_0001;
    /// `/proc/PID/mem` was opened for writing.
    pub const MEMORY_FILE: u32 = 0xffff_0002;
    /// A module that the kernel has taken in, by its name.
    pub const MODULE_LOADED: u32 = 0xffff_0003;
    /// The kernel asked whether memory may be mapped.
    pub const MAPPING: u32 = 0xffff_0004;
    /// The kernel asked whether an area of memory may be used in another way.
    pub const PROTECTION: u32 = 0xffff_0005;
}

/// What memory is of.
pub mod memory {
    /// The hook does not see it.
    pub const UNKNOWN: u32 = 0;
    /// Of no file.
    pub const ANONYMOUS: u32 = 1;
    /// Of a file.
    pub const FILE: u32 = 2;
}

/// What a process may act as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Credentials {
    /// Effective capabilities.
    pub effective: u64,
    /// Capabilities that it may make effective.
    pub permitted: u64,
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub effective_uid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub effective_gid: u32,
}

/// Users, groups or capabilities of a thread were changed, by a call or by a program that has them. Capabilities that were only
/// given up are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CredentialsChanged {
    /// Before; zero where that was not seen, and then `FIELD_MISSING` is set.
    pub before: Credentials,
    /// After.
    pub after: Credentials,
    /// The call.
    pub call: u32,
    /// 0 or negative errno.
    pub result: i32,
}

const _: () = assert!(size_of::<CredentialsChanged>() == 72);

/// Another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Target {
    /// When its leader was forked; 0 where it is not known.
    pub start_ns: u64,
    /// Thread group, in the host's pid namespace; 0 where it is not known.
    pub pid: u32,
    /// As the caller named it: a number of its own pid namespace, or a descriptor.
    pub given: i32,
}

/// A process reached into another: its memory, its registers, its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reach {
    /// Into which. Of a process that lets itself be traced: its parent, who then may.
    pub target: Target,
    /// Of ptrace and process_vm_*: where in its memory. Of kcmp: the other process. Of pidfd_getfd: which of its descriptors.
    pub address: u64,
    /// The call.
    pub call: u32,
    /// Of ptrace: the request. Of kcmp: what is compared.
    pub request: u32,
    /// 0, bytes, or negative errno.
    pub result: i32,
    /// The same on the same target, counted and not sent since the record before this one.
    pub repeats: u32,
}

const _: () = assert!(size_of::<Reach>() == 40);

/// Inode numbers of namespaces; 0: this kernel has none of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Namespaces {
    /// Mounts.
    pub mount: u32,
    /// Processes: that of children made from now on.
    pub pid: u32,
    /// Network.
    pub network: u32,
    /// Users.
    pub user: u32,
    /// Cgroups.
    pub cgroup: u32,
    /// Host name.
    pub uts: u32,
    /// System V and message queues.
    pub ipc: u32,
    /// Clocks.
    pub time: u32,
}

/// A thread is in other namespaces, or its child begins in others, or in another cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NamespacesChanged {
    /// Before; zero where that was not seen, and then `FIELD_MISSING` is set.
    pub before: Namespaces,
    /// After; of a child: its own.
    pub after: Namespaces,
    /// The child. Of setns by pidfd: the process whose namespaces were joined.
    pub target: Target,
    /// The child's cgroup where it is not its parent's, else 0.
    pub cgroup_id: u64,
    /// The call.
    pub call: u32,
    /// `CLONE_NEW*`, as given; of a child 0.
    pub flags: u32,
    /// 0 or negative errno.
    pub result: i32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<NamespacesChanged>() == 104);

/// chroot(2) or `pivot_root(2)`. Texts: the name given, its directory where it is relative; of `pivot_root` the same of the place for the
/// old root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Root {
    /// The call.
    pub call: u32,
    /// 0 or negative errno.
    pub result: i32,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// userfaultfd(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Userfault {
    /// As given: 1 asks for the process's own faults only.
    pub flags: u32,
    /// Descriptor, or negative errno.
    pub result: i32,
}

/// `keyctl(2)`, `add_key(2)` or `request_key(2)`. Texts: the key's type, its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Key {
    /// The call.
    pub call: u32,
    /// `KEYCTL_*`.
    pub operation: u32,
    /// The key or ring that was named.
    pub serial: i32,
    /// A key's number, bytes, 0, or negative errno.
    pub result: i32,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// Memory was made executable. Texts: the path of its file. The marks `MEMFD`, `DELETED` and `UPPER_LAYER` are the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Executable {
    /// The file, where it is of one.
    pub object: Object,
    /// Where it begins; 0 where the kernel has not chosen yet.
    pub address: u64,
    /// Its bytes, as given; of an area that is changed, the area's; 0 where the hook does not see it.
    pub length: u64,
    /// The call.
    pub call: u32,
    /// What was asked for: 1 read, 2 write, 4 execute.
    pub protection: u32,
    /// 0 or negative errno.
    pub result: i32,
    /// Of [`memory`].
    pub memory: u32,
    /// Magic number of the file's filesystem.
    pub filesystem: u32,
    /// The same, counted and not sent since the record before this one.
    pub repeats: u32,
    /// Lengths of the texts.
    pub texts: Texts,
}

const _: () = assert!(size_of::<Executable>() == 88);

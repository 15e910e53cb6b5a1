//! Bodies of the life of a process.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest path that is sent, its front cut off where it is longer. The kernel's own bound for one name given by a caller.
pub const MAX_PATH: usize = 4096;
/// Longest directory that is sent, its front cut off where it is longer.
pub const MAX_DIRECTORY: usize = 2048;
/// Most bytes of arguments that are sent from their begin; what follows is cut off, and counted in `argument_bytes`.
pub const MAX_ARGUMENTS: usize = 16 * 1024;
/// Most bytes that are then sent of their end.
pub const MAX_ARGUMENTS_END: usize = 2048;

/// A process was made; the header names its parent's view: the process that forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fork {
    /// When the child was forked.
    pub child_start_ns: u64,
    /// Thread group of the child.
    pub child_pid: u32,
    /// Thread group of the child's parent: not the process that forked, where that one asked for `CLONE_PARENT`.
    pub child_parent_pid: u32,
}

/// Longest name of a script that is sent, its end cut off where it is longer.
pub const MAX_SCRIPT: usize = 1024;

/// A new image is in place. Tail: script, path, directory, arguments (each ended by a zero byte), the end
/// of the arguments where they are longer. The script is what was asked
/// for, by the name that was given, where the kernel ran its interpreter instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Exec {
    /// Effective capabilities.
    pub capabilities: u64,
    /// Inode of the executable.
    pub inode: u64,
    /// Device of the executable, as the kernel counts: major << 20 | minor.
    pub device: u32,
    /// Names that the executable has; 0: deleted.
    pub links: u32,
    /// Real group.
    pub gid: u32,
    /// Effective user.
    pub effective_uid: u32,
    /// Length of all arguments in the process, also where the record holds fewer.
    pub argument_bytes: u32,
    /// Inode number of the mount namespace.
    pub mount_namespace: u32,
    /// Inode number of the pid namespace.
    pub pid_namespace: u32,
    /// Inode number of the network namespace.
    pub network_namespace: u32,
    /// Inode number of the user namespace.
    pub user_namespace: u32,
    /// Inode number of the cgroup namespace.
    pub cgroup_namespace: u32,
    /// The process's short name, ended by zero bytes.
    pub comm: [u8; 16],
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Bytes of the arguments in the tail.
    pub arguments_length: u16,
    /// Components of the path that were read.
    pub path_components: u16,
    /// Which of [`watch`] held and were asked for, where the process was stopped.
    pub stopped_for: u32,
    /// Magic number of the executable's filesystem.
    pub filesystem: u32,
    /// Bytes of the script's name in the tail.
    pub script_length: u16,
    /// Bytes of the end of the arguments in the tail; 0 where the arguments are whole.
    pub arguments_end_length: u16,
    /// Zero.
    pub reserved: [u16; 2],
}

const _: () = assert!(size_of::<Exec>() == 96);

/// Facts of an exec for which the kernel program stops a process of a watched cgroup.
pub mod watch {
    /// The executable is an anonymous file in memory.
    pub const MEMFD: u32 = 1 << 0;
    /// The executable is in the writable layer of an overlay.
    pub const UPPER_LAYER: u32 = 1 << 1;
    /// The executable has no name left.
    pub const DELETED: u32 = 1 << 2;
    /// All of them.
    pub const ALL: u32 = MEMFD | UPPER_LAYER | DELETED;
}

/// A process that the kernel program stopped at its exec: an entry of a table, by pid, until the agent has the record of that exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stopped {
    /// When it was forked.
    pub start_ns: u64,
    /// When it was stopped.
    pub boot_ns: u64,
    /// Its version 2 cgroup.
    pub cgroup_id: u64,
    /// Which of [`watch`] held and were asked for.
    pub stopped_for: u32,
    /// The marks of its record, [`crate::header::flag`].
    pub marks: u32,
}

const _: () = assert!(size_of::<Stopped>() == 32);

/// The last thread of a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Exit {
    /// Exit status, 0 to 255.
    pub code: u32,
    /// The signal that ended it; 0: none.
    pub signal: u32,
}

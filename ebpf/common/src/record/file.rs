//! Bodies of opened and changed files.
//!
//! A *path* is of the file itself, as the kernel has it, from the root of the mount namespace. A *name* is what the process
//! gave, from its directory where it is relative; the *directory* is then in the tail, else empty.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest path of a file, its front cut off where it is longer.
pub const MAX_FILE_PATH: usize = 2048;
/// Longest name, its end cut off where it is longer.
pub const MAX_NAME: usize = 1024;

/// Opened for writing, created, or perhaps of the sensitive list. Tail: path, name, directory. The path is empty where the
/// open failed; the name and directory are empty where it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileOpen {
    /// Patterns of the sensitive list that may match, a bit each: the kernel compares one component, the agent the rest.
    pub candidates: u64,
    /// Inode; 0 where the open failed.
    pub inode: u64,
    /// Device, as the kernel counts.
    pub device: u32,
    /// Flags of open(2), as given.
    pub flags: u32,
    /// Mode given for a file to be made.
    pub mode: u32,
    /// Descriptor, or negative errno.
    pub result: i32,
    /// 1: this open made the file.
    pub created: u32,
    /// Type and permission bits of the file; 0 where the open failed.
    pub file_mode: u32,
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Bytes of the name in the tail.
    pub name_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Components of the path that were read.
    pub path_components: u16,
}

/// A name was removed. Tail: name, directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileUnlink {
    /// 0 or negative errno.
    pub result: i32,
    /// Flags of unlinkat(2): 0x200 removes a directory.
    pub flags: u32,
    /// Bytes of the name in the tail.
    pub name_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Zero.
    pub reserved: u32,
}

/// A name was changed. Tail: name, directory, new name, new directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileRename {
    /// 0 or negative errno.
    pub result: i32,
    /// Flags of renameat2(2).
    pub flags: u32,
    /// Bytes of the old name in the tail.
    pub name_length: u16,
    /// Bytes of the old name's directory in the tail.
    pub directory_length: u16,
    /// Bytes of the new name in the tail.
    pub new_name_length: u16,
    /// Bytes of the new name's directory in the tail.
    pub new_directory_length: u16,
}

/// A mode was changed. Tail: path, name, directory. The path is there for fchmod, the name for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileChmod {
    /// 0 or negative errno.
    pub result: i32,
    /// The new mode, as given.
    pub mode: u32,
    /// The descriptor that was given, or -1.
    pub descriptor: i32,
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Bytes of the name in the tail.
    pub name_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

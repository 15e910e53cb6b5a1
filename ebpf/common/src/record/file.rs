//! Bodies of opened and changed files.
//!
//! A *path* is of the file itself, as the kernel has it, from the root of the mount namespace. A *name* is what the process
//! gave, from its directory where it is relative; the *directory* is then in the tail, else empty.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest path of a file, its front cut off where it is longer.
pub const MAX_FILE_PATH: usize = 2048;
/// Longest name, its end cut off where it is longer.
pub const MAX_NAME: usize = 1024;

/// Which file, whatever its names say. All zero where the hook does not have the object: an inode is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Object {
    /// Inode.
    pub inode: u64,
    /// The mount that it was reached by, as a number that this boot never gives again; 0 where the kernel has none (before 6.8).
    pub mount_unique: u64,
    /// Device, as the kernel counts: major << 20 | minor.
    pub device: u32,
    /// Which of the files that had this inode number, as its filesystem counts.
    pub generation: u32,
    /// The mount as `/proc/self/mountinfo` names it; 0 where the hook has no mount.
    pub mount_id: u32,
    /// Type and permission bits.
    pub mode: u32,
    /// Names that it has.
    pub links: u32,
    /// Of [`object`].
    pub marks: u32,
}

const _: () = assert!(size_of::<Object>() == 40);

impl Object {
    /// The hook does not have it.
    pub const UNKNOWN: Self =
        Self { inode: 0, mount_unique: 0, device: 0, generation: 0, mount_id: 0, mode: 0, links: 0, marks: 0 };
}

/// Marks of an [`Object`].
pub mod object {
    /// In the writable layer of an overlay.
    pub const UPPER_LAYER: u32 = 1 << 0;
    /// A whiteout: the character device 0:0, by which an overlay hides a name of the layers below.
    pub const WHITEOUT: u32 = 1 << 1;
}

/// Opened for writing, created, or perhaps of the sensitive list. Tail: path, name, directory. Where the open failed there is no path. Where it
/// did not there is no directory, and the name is another one of the same file, from the root of its filesystem or of the mount namespace,
/// by which the sensitive list may know it; else empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileOpen {
    /// Patterns of the sensitive list that may match, a bit each: the kernel compares one component, the agent the rest.
    pub candidates: u64,
    /// Since when the same open is counted and not told, until the window is over: the name of its entry in the table of repeats, with the
    /// thread's. 0: it is told each time.
    pub counted_ns: u64,
    /// The file; unknown where the open failed.
    pub object: Object,
    /// Flags of open(2), as given.
    pub flags: u32,
    /// Mode given for a file to be made.
    pub mode: u32,
    /// Descriptor, or negative errno. Object hooks see the file before it has a descriptor, and say 0.
    pub result: i32,
    /// 1: this open made the file.
    pub created: u16,
    /// 1: opened by its handle, without a name: no folder that would have hidden it was passed.
    pub by_handle: u16,
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Bytes of the name in the tail.
    pub name_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Components of the path that were read.
    pub path_components: u16,
}

/// A name was removed. Tail: path, name, directory. The path and the object are there where the hook has the object, the name
/// where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileUnlink {
    /// What had the name.
    pub object: Object,
    /// 0 or negative errno.
    pub result: i32,
    /// Flags of unlinkat(2): 0x200 removes a directory.
    pub flags: u32,
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Bytes of the name in the tail.
    pub name_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Zero.
    pub reserved: u16,
}

/// A name was changed, or one more was given. Tail: name, directory, new name, new directory; a name that the kernel itself read
/// from its tree is whole, and its directory empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileRename {
    /// What has the old name.
    pub object: Object,
    /// What had the new name before.
    pub replaced: Object,
    /// 0 or negative errno.
    pub result: i32,
    /// Flags of renameat2(2) or linkat(2).
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
    /// The file, where a descriptor was given or the hook has it.
    pub object: Object,
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

/// Something of a file was changed, or it was reached by an unusual way. Tail: path, name, directory, other. The path is there where
/// the hook has the object, the name where it does not. What the numbers and `other` are, the kind says:
///
/// | kind | first | second | flags | other |
/// |---|---|---|---|---|
/// | `FileMade` | type and mode, as given | device | 0 | |
/// | `FileSize` | new size | | 0 | |
/// | `FileOwner` | user, `u32::MAX`: left | group, the same | 0 | |
/// | `FileTimes` | access time, ns | modification time, ns | [`times`] | |
/// | `FileAttribute` | bytes of the value | | 1: removed | its name |
/// | `FileMapped` | bytes | | protection | |
/// | `FileCopied` | inode of the source | its device | 0 | path of the source |
/// | `FileHandle` | | | of the call | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileChange {
    /// The file, where the hook has it.
    pub object: Object,
    /// By kind.
    pub first: u64,
    /// By kind.
    pub second: u64,
    /// What the call answered: not negative, or negative errno.
    pub result: i32,
    /// By kind.
    pub flags: u32,
    /// Bytes of the path in the tail.
    pub path_length: u16,
    /// Bytes of the name in the tail.
    pub name_length: u16,
    /// Bytes of the directory in the tail.
    pub directory_length: u16,
    /// Bytes of the other piece in the tail.
    pub other_length: u16,
}

const _: () = assert!(size_of::<FileChange>() == 72);

/// Which times of a `FileTimes` somebody chose; one that is not marked was set to the moment of the call, or left.
pub mod times {
    /// The access time.
    pub const ACCESSED: u32 = 1 << 0;
    /// The modification time.
    pub const MODIFIED: u32 = 1 << 1;
}

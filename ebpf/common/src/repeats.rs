//! What a process does again and again, and how often: an entry of the table in which the kernel programs count it. The agent takes an
//! entry out when its window is over.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most things that are counted at a time. Of those for which there is no room each is told.
pub const MAX_REPEATS: u32 = 8192;

/// One file, opened in one way by one image of one process, in one window of time. Where any of it differs, it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Repeated {
    /// When the process was forked.
    pub start_ns: u64,
    /// Its cgroup.
    pub cgroup_id: u64,
    /// Inode of the file.
    pub inode: u64,
    /// The mount that it was reached by, as the kernel's address of it.
    pub mount: u64,
    /// The process.
    pub pid: u32,
    /// Which of its images, as the kernel counts; 0 where it does not.
    pub image: u32,
    /// Device of the file, as the kernel counts.
    pub device: u32,
    /// Which of the files that had this inode number, as its filesystem counts.
    pub generation: u32,
    /// The name in its folder, as the kernel hashes both: another name of the same file is another thing.
    pub name: u32,
    /// Flags of open(2), as given.
    pub flags: u32,
    /// The kernel's own flags of the open file that say what it may be used for.
    pub mode: u32,
    /// The window: `CLOCK_BOOTTIME` divided by its length.
    pub window: u32,
}

const _: () = assert!(size_of::<Repeated>() == 64);

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Repeats {
    /// When counting began, as the record says it whose repeats these are.
    pub counted_ns: u64,
    /// How often since then.
    pub count: u64,
    /// When last.
    pub last_ns: u64,
    /// The thread of that record.
    pub tid: u32,
    /// Zero.
    pub reserved: u32,
}

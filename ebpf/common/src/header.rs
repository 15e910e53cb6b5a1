//! What stands before every record: how long it is, what it is, in which order it came, and which process it is about.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Raised when the meaning of any byte changes: an agent refuses records of another version.
pub const VERSION: u8 = 5;

/// No record is longer: the tail of an exec at its bounds, rounded up.
pub const MAX_RECORD: usize = 28 * 1024;

/// The first 72 bytes of every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// Bytes of the whole record, this header included.
    pub length: u32,
    /// Of [`flag`].
    pub flags: u32,
    /// A [`Kind`].
    pub kind: u16,
    /// The CPU that made the record: no kernel counts more than 8192.
    pub cpu: u16,
    /// A [`Class`].
    pub class: u8,
    /// [`VERSION`].
    pub version: u8,
    /// Bytes of the body, between this header and the tail.
    pub body: u16,
    /// Dense from 1 per CPU and class, and counted on also where the record is then lost. An interrupt may put a number
    /// into the ring before the one that it interrupted: dense as a set, nearly in order. 0: none, because the record's
    /// program came while another on its CPU was taking one.
    pub sequence: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub boot_ns: u64,
    /// Thread group, in the host's pid namespace; 0 where [`flag::OWNER_UNKNOWN`] is set.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// When the thread group's leader was forked, `CLOCK_BOOTTIME` in nanoseconds: with `pid`, one process of this boot.
    pub start_ns: u64,
    /// Thread group of the parent at this moment.
    pub parent_pid: u32,
    /// Real user, in the initial user namespace.
    pub uid: u32,
    /// When the parent was forked.
    pub parent_start_ns: u64,
    /// The version 2 cgroup of the process.
    pub cgroup_id: u64,
}

const _: () = assert!(size_of::<Header>() == 72);

/// Marks of a record. A mark that a kind does not use is not set on it.
pub mod flag {
    /// The process was stopped by the kernel program, before the first instruction of its new image.
    pub const STOPPED_IN_KERNEL: u32 = 1 << 0;
    /// The path or name lost bytes: the beginning of a path, the end of a name.
    pub const PATH_TRUNCATED: u32 = 1 << 1;
    /// The end of the arguments is missing.
    pub const ARGUMENTS_TRUNCATED: u32 = 1 << 2;
    /// The beginning of the directory is missing.
    pub const DIRECTORY_TRUNCATED: u32 = 1 << 3;
    /// The executable is an anonymous file in memory.
    pub const MEMFD: u32 = 1 << 4;
    /// The executable is in the writable layer of an overlay.
    pub const UPPER_LAYER: u32 = 1 << 5;
    /// The executable has no name left (its link count is 0).
    pub const DELETED: u32 = 1 << 6;
    /// The owner of the socket was not seen to take it: process fields are 0.
    pub const OWNER_UNKNOWN: u32 = 1 << 7;
    /// The connection was begun from this side.
    pub const OUTGOING: u32 = 1 << 8;
    /// A field could not be read and holds 0 or nothing.
    pub const FIELD_MISSING: u32 = 1 << 9;
    /// The kernel program counts the cgroup as a container's.
    pub const CONTAINER: u32 = 1 << 10;
    /// The second name of the record lost bytes (the new name of a rename).
    pub const SECOND_TRUNCATED: u32 = 1 << 11;
    /// Not the kernel's record: that one was lost, and the agent made this from `/proc`.
    pub const FROM_PROC: u32 = 1 << 12;
    /// Somebody was about to do this, and the kernel had not answered yet: it may have refused it, or failed.
    pub const ATTEMPT: u32 = 1 << 13;
    /// What the record tells was done to the agent itself, or to what it put into the kernel.
    pub const TAMPER: u32 = 1 << 14;
}

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// A new process.
    Fork = 1,
    /// A new image.
    Exec = 2,
    /// The end of a process.
    Exit = 3,
    /// A cgroup was made.
    CgroupMade = 4,
    /// A cgroup was removed.
    CgroupGone = 5,
    /// A TCP connection begun here was established, or failed.
    Connect = 16,
    /// A TCP connection was accepted.
    Accept = 17,
    /// A TCP connection ended.
    Close = 18,
    /// The first datagram of a flow.
    Datagram = 19,
    /// A DNS message or a piece of one, to or from port 53.
    Dns = 20,
    /// The first bytes of TLS on a connection begun here.
    ClientHello = 21,
    /// A socket was given an address.
    SocketBind = 22,
    /// A socket waits for connections.
    SocketListen = 23,
    /// A socket that is neither TCP nor UDP was connected.
    SocketConnect = 24,
    /// A raw or packet socket was made.
    SocketMade = 25,
    /// A file was opened.
    FileOpen = 32,
    /// A name was removed.
    FileUnlink = 33,
    /// A name was changed.
    FileRename = 34,
    /// A mode was changed.
    FileChmod = 35,
    /// A file has one more name.
    FileLink = 36,
    /// A symbolic link was made.
    FileSymlink = 37,
    /// A folder, device, pipe or empty file was made.
    FileMade = 38,
    /// A file was cut or lengthened.
    FileSize = 39,
    /// An owner was changed.
    FileOwner = 40,
    /// Times were changed.
    FileTimes = 41,
    /// An extended attribute was set or removed.
    FileAttribute = 42,
    /// A file was mapped to be written through memory.
    FileMapped = 43,
    /// Bytes of another file or a pipe were put into a file by the kernel.
    FileCopied = 44,
    /// A file's handle was asked for.
    FileHandle = 45,
    /// What a process may act as was changed.
    Credentials = 48,
    /// A process reached into another.
    Reach = 49,
    /// A process is in other namespaces, or its child is.
    Namespaces = 50,
    /// A process has another root folder.
    Root = 51,
    /// A descriptor that is told of page faults was asked for.
    Userfault = 52,
    /// A key of the kernel's was used.
    Key = 53,
    /// A kernel module was loaded or removed.
    Module = 64,
    /// A command of bpf(2) that puts something into the kernel, or takes hold of it.
    Bpf = 65,
    /// A performance event was opened.
    PerfEvent = 66,
    /// Another kernel was made ready.
    Kexec = 67,
    /// An `io_uring` was asked for.
    UringSetup = 68,
    /// An `io_uring` was changed.
    UringRegister = 69,
    /// A request was given to an `io_uring`.
    UringRequest = 70,
    /// Something was mounted, moved or unmounted.
    Mount = 71,
    /// A setting of the kernel was written.
    Sysctl = 72,
    /// Somebody reached for the agent itself, by a way that has no record of its own.
    Tamper = 73,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 45] = [
        Self::Fork,
        Self::Exec,
        Self::Exit,
        Self::CgroupMade,
        Self::CgroupGone,
        Self::Connect,
        Self::Accept,
        Self::Close,
        Self::Datagram,
        Self::Dns,
        Self::ClientHello,
        Self::SocketBind,
        Self::SocketListen,
        Self::SocketConnect,
        Self::SocketMade,
        Self::FileOpen,
        Self::FileUnlink,
        Self::FileRename,
        Self::FileChmod,
        Self::FileLink,
        Self::FileSymlink,
        Self::FileMade,
        Self::FileSize,
        Self::FileOwner,
        Self::FileTimes,
        Self::FileAttribute,
        Self::FileMapped,
        Self::FileCopied,
        Self::FileHandle,
        Self::Credentials,
        Self::Reach,
        Self::Namespaces,
        Self::Root,
        Self::Userfault,
        Self::Key,
        Self::Module,
        Self::Bpf,
        Self::PerfEvent,
        Self::Kexec,
        Self::UringSetup,
        Self::UringRegister,
        Self::UringRequest,
        Self::Mount,
        Self::Sysctl,
        Self::Tamper,
    ];

    /// The kind with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == number)
    }
}

/// What is counted and numbered together. Each has a ring of its own but the two that are rare, which share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Life of processes and cgroups.
    Process = 0,
    /// Connections and datagrams.
    Network = 1,
    /// Opened and changed files.
    File = 2,
    /// Powers taken, and used on other processes.
    Privilege = 3,
    /// Changes to the kernel itself.
    Kernel = 4,
}

impl Class {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// All classes, the most urgent first.
    pub const ALL: [Self; Self::COUNT] = [Self::Process, Self::Privilege, Self::Kernel, Self::Network, Self::File];

    /// The class with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| *class as u8 == number)
    }

    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Network => "network",
            Self::File => "file",
            Self::Privilege => "privilege",
            Self::Kernel => "kernel",
        }
    }
}

//! Bytes from a ring to a record that borrows from them. Takes what the kernel programs emitted, or any other bytes at any
//! alignment; gives a [`Record`] or says what is [`Malformed`]. Copies the plain fields only; never panics, never reads
//! beyond the bytes.

mod file;
mod kernel;
mod network;
mod privilege;
mod tail;
#[cfg(test)]
mod tests;
mod texts;

use ebpf_common::header::{self, Header, Kind, flag};
use ebpf_common::record::{self, process::watch};
use zerocopy::FromBytes;

use tail::Tail;

pub use file::{FileChange, FileChmod, FileOpen, FileRename, FileUnlink};
pub use kernel::Change;
pub use network::{Payload, SocketCall};
pub use privilege::Privilege;
pub use texts::Worded;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer bytes than a header.
    #[error("{length} bytes are fewer than a header")]
    Short {
        /// How many there are.
        length: usize,
    },
    /// The header's length is not that of the bytes.
    #[error("header says {said} bytes, there are {length}")]
    Length {
        /// What the header says.
        said: u32,
        /// How many there are.
        length: usize,
    },
    /// Another version of the kernel programs.
    #[error("record of version {found}")]
    Version {
        /// Its version.
        found: u8,
    },
    /// No such kind.
    #[error("record of unknown kind {kind}")]
    Kind {
        /// Its number.
        kind: u16,
    },
    /// No such class.
    #[error("record of unknown class {class}")]
    Class {
        /// Its number.
        class: u8,
    },
    /// The body is not as long as its kind's.
    #[error("{kind:?} with a body of {found} bytes")]
    Body {
        /// What it is said to be.
        kind: Kind,
        /// The body's length.
        found: u16,
    },
    /// The tail is not as long as the lengths in the body say.
    #[error("{kind:?} with a tail of {found} bytes")]
    Tail {
        /// What it is said to be.
        kind: Kind,
        /// The tail's length.
        found: usize,
    },
}

/// A record: who and when, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Who and when.
    pub header: Header,
    /// What.
    pub body: Body<'a>,
}

/// What a record tells. The plain fields are in `fixed`, as the kernel wrote them; what has a variable length is beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A new process.
    Fork(record::Fork),
    /// A new image.
    Exec(Exec<'a>),
    /// The end of a process.
    Exit(record::Exit),
    /// A TCP connection begun here has an outcome.
    Connect(record::Connect),
    /// A TCP connection was accepted.
    Accept(record::Accept),
    /// A TCP connection ended.
    Close(record::Close),
    /// The first datagram of a flow.
    Datagram(record::Datagram),
    /// A DNS message or a piece of one.
    Dns(Payload<'a>),
    /// The first bytes of TLS that a client sent.
    ClientHello(Payload<'a>),
    /// A socket was made, bound, set to listen or connected.
    Socket(SocketCall<'a>),
    /// A file was opened.
    FileOpen(FileOpen<'a>),
    /// A name was removed.
    FileUnlink(FileUnlink<'a>),
    /// A name was changed.
    FileRename(FileRename<'a>),
    /// A mode was changed.
    FileChmod(FileChmod<'a>),
    /// A file has one more name.
    FileLink(FileRename<'a>),
    /// A symbolic link was made: its text is the old name.
    FileSymlink(FileRename<'a>),
    /// Something else of a file was changed.
    FileChange(FileChange<'a>),
    /// Powers taken, and used on other processes.
    Privilege(Privilege<'a>),
    /// A change to the kernel itself.
    Kernel(Change<'a>),
    /// A cgroup was made.
    CgroupMade(Cgroup<'a>),
    /// A cgroup was removed.
    CgroupGone(Cgroup<'a>),
}

/// A new image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exec<'a> {
    /// Plain fields.
    pub fixed: record::Exec,
    /// The executable, from the root of the process's mount namespace.
    pub path: &'a [u8],
    /// Working directory.
    pub directory: &'a [u8],
    /// What was asked for, as it was named, where `path` is only its interpreter; else empty.
    pub script: &'a [u8],
    /// Arguments, each ended by a zero byte (the last one not, where it was cut).
    pub arguments: &'a [u8],
    /// The last bytes of the arguments, where those above were cut; it may begin in the middle of one, and follow the others without a gap.
    pub arguments_end: &'a [u8],
}

impl Exec<'_> {
    /// The process's short name, without the zero bytes.
    pub fn comm(&self) -> &[u8] {
        let end = self.fixed.comm.iter().position(|byte| *byte == 0).unwrap_or(self.fixed.comm.len());
        self.fixed.comm.get(..end).unwrap_or_default()
    }

    /// The facts of [`watch`] for which it was stopped; 0 where it was not.
    pub fn stopped_for(&self) -> u32 {
        self.fixed.stopped_for & watch::ALL
    }
}

/// A cgroup was made or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroup<'a> {
    /// Plain fields.
    pub fixed: record::Cgroup,
    /// From the root of the version 2 tree, with its leading slash.
    pub path: &'a [u8],
}

impl Record<'_> {
    /// Whether a mark of [`flag`] is set.
    pub fn has(&self, mark: u32) -> bool {
        self.header.flags & mark != 0
    }

    /// The process was stopped before its first instruction.
    pub fn stopped_in_kernel(&self) -> bool {
        self.has(flag::STOPPED_IN_KERNEL)
    }
}

/// Reads one record.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, Malformed> {
    let (header, rest) = Header::read_from_prefix(bytes).map_err(|_| Malformed::Short { length: bytes.len() })?;
    if usize::try_from(header.length) != Ok(bytes.len()) {
        return Err(Malformed::Length { said: header.length, length: bytes.len() });
    }
    if header.version != header::VERSION {
        return Err(Malformed::Version { found: header.version });
    }
    if header::Class::from_number(header.class).is_none() {
        return Err(Malformed::Class { class: header.class });
    }
    let kind = Kind::from_number(header.kind).ok_or(Malformed::Kind { kind: header.kind })?;
    Ok(Record { body: body(kind, &header, rest)?, header })
}

fn body<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<Body<'a>, Malformed> {
    Ok(match kind {
        Kind::Fork => Body::Fork(plain(kind, header, rest)?),
        Kind::Exit => Body::Exit(plain(kind, header, rest)?),
        Kind::Connect => Body::Connect(plain(kind, header, rest)?),
        Kind::Accept => Body::Accept(plain(kind, header, rest)?),
        Kind::Close => Body::Close(plain(kind, header, rest)?),
        Kind::Datagram => Body::Datagram(plain(kind, header, rest)?),
        Kind::Exec => Body::Exec(exec(kind, header, rest)?),
        Kind::FileOpen => Body::FileOpen(file::file_open(kind, header, rest)?),
        Kind::FileUnlink => Body::FileUnlink(file::file_unlink(kind, header, rest)?),
        Kind::FileRename => Body::FileRename(file::file_rename(kind, header, rest)?),
        Kind::FileChmod => Body::FileChmod(file::file_chmod(kind, header, rest)?),
        Kind::FileLink => Body::FileLink(file::file_rename(kind, header, rest)?),
        Kind::FileSymlink => Body::FileSymlink(file::file_rename(kind, header, rest)?),
        Kind::FileMade
        | Kind::FileSize
        | Kind::FileOwner
        | Kind::FileTimes
        | Kind::FileAttribute
        | Kind::FileMapped
        | Kind::FileCopied
        | Kind::FileHandle => Body::FileChange(file::file_change(kind, header, rest)?),
        Kind::Dns => Body::Dns(network::payload(kind, header, rest)?),
        Kind::ClientHello => Body::ClientHello(network::payload(kind, header, rest)?),
        Kind::SocketBind | Kind::SocketListen | Kind::SocketConnect | Kind::SocketMade => {
            Body::Socket(network::socket_call(kind, header, rest)?)
        }
        Kind::Credentials
        | Kind::Reach
        | Kind::Namespaces
        | Kind::Root
        | Kind::Userfault
        | Kind::Key
        | Kind::Executable => Body::Privilege(privilege::body(kind, header, rest)?),
        Kind::Module
        | Kind::Bpf
        | Kind::PerfEvent
        | Kind::Kexec
        | Kind::UringSetup
        | Kind::UringRegister
        | Kind::UringRequest
        | Kind::Mount
        | Kind::Sysctl
        | Kind::Tamper => Body::Kernel(kernel::body(kind, header, rest)?),
        Kind::CgroupMade => Body::CgroupMade(cgroup(kind, header, rest)?),
        Kind::CgroupGone => Body::CgroupGone(cgroup(kind, header, rest)?),
    })
}

/// The body, and the tail behind it.
fn fixed<'a, T>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<(T, Tail<'a>), Malformed>
where
    T: FromBytes,
{
    let wrong = Malformed::Body { kind, found: header.body };
    if usize::from(header.body) != size_of::<T>() {
        return Err(wrong);
    }
    let (body, rest) = T::read_from_prefix(rest).map_err(|_| wrong)?;
    Ok((body, Tail::new(kind, rest)))
}

/// A body without a tail.
fn plain<T>(kind: Kind, header: &Header, rest: &[u8]) -> Result<T, Malformed>
where
    T: FromBytes,
{
    let (body, tail) = fixed::<T>(kind, header, rest)?;
    tail.end()?;
    Ok(body)
}

fn exec<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<Exec<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::Exec>(kind, header, rest)?;
    let script = tail.take(fixed.script_length)?;
    let path = tail.take(fixed.path_length)?;
    let directory = tail.take(fixed.directory_length)?;
    let arguments = tail.take(fixed.arguments_length)?;
    let arguments_end = tail.take(fixed.arguments_end_length)?;
    tail.end()?;
    Ok(Exec { fixed, path, directory, script, arguments, arguments_end })
}

fn cgroup<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<Cgroup<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::Cgroup>(kind, header, rest)?;
    let path = tail.take(fixed.path_length)?;
    tail.end()?;
    Ok(Cgroup { fixed, path })
}

//! Files made, cut, given to others, given other times and attributes, named by a handle. Looked at when the call ends, with its
//! answer: what was done, and what was refused. Another failure (a folder that is there already) is no news.
//!
//! Where the call names a descriptor, the file behind it is told; where it names a name, the name, as in `file_names`.
//!
//! What it does not see: the same by `io_uring` or by 32-bit programs; attributes that an `ioctl` sets (`FS_IOC_SETFLAGS`).

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::file::{MAX_NAME, times};
use ebpf_common::record::{FileChange, Object};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments, WORKING_DIRECTORY};
use super::file::{FILE_PATH, Record, begin, end, named, refused};
use crate::path::Place;
use crate::{filter, object, offset, read};

/// What was asked; see `FileChange`.
#[derive(Clone, Copy)]
pub struct Change {
    pub kind: Kind,
    pub first: u64,
    pub second: u64,
    pub flags: u32,
}

/// No name was given: the call is about the descriptor.
const NO_NAME: u64 = 0;
/// No pattern of the sensitive list is asked about.
const NONE: u64 = 0;

/// The end of one system call. As at every tracepoint, the point's name is also the section's: the loader keeps, for each program, the
/// lines of all that stand in its section.
macro_rules! at_exit {
    ($(#[$doc:meta])* $program:ident = $at:tt, |$result:ident, $given:ident| $body:expr) => {
        $(#[$doc])*
        #[tracepoint(category = "syscalls", name = $at)]
        fn $program(context: TracePointContext) -> u32 {
            #[inline(always)]
            fn ended($result: i32, $given: Arguments) -> Option<()> {
                $body
            }
            let _told = ended(call::answer(&context), Arguments::current());
            0
        }
    };
}
pub(super) use at_exit;

at_exit!(
    /// `sys_exit_mkdir`, since 2.6.33. See [`changed`].
    sys_exit_mkdir = "sys_exit_mkdir", |result, given| made(result, WORKING_DIRECTORY, given.first(), FOLDER | given.second() as u32, 0)
);
at_exit!(
    /// `sys_exit_mkdirat`, since 2.6.33. See [`changed`].
    sys_exit_mkdirat = "sys_exit_mkdirat", |result, given| made(result, given.first() as i32, given.second(), FOLDER | given.third() as u32, 0)
);
at_exit!(
    /// `sys_exit_mknod`, since 2.6.33. See [`changed`].
    sys_exit_mknod = "sys_exit_mknod", |result, given| {
        made(result, WORKING_DIRECTORY, given.first(), given.second() as u32, given.third() as u32)
    }
);
at_exit!(
    /// `sys_exit_mknodat`, since 2.6.33. See [`changed`].
    sys_exit_mknodat = "sys_exit_mknodat", |result, given| {
        made(result, given.first() as i32, given.second(), given.third() as u32, given.fourth() as u32)
    }
);

const FOLDER: u32 = 0o040_000;

/// A name was to be made for something that is no file with bytes.
/// `do_mkdirat`, `do_mknodat` in <https://github.com/torvalds/linux/blob/v6.18/fs/namei.c>
#[inline(always)]
fn made(result: i32, directory: i32, name: u64, mode: u32, device: u32) -> Option<()> {
    // The caller's form of a device's number, made the kernel's.
    let (major, minor) = ((device & 0xf_ff00) >> 8, (device & 0xff) | ((device >> 12) & 0xf_ff00));
    let second = u64::from(major << 20 | minor);
    changed(result, Change { kind: Kind::FileMade, first: mode.into(), second, flags: 0 }, directory, name, NO_NAME)
}

at_exit!(
    /// `sys_exit_truncate`, since 2.6.33. See [`changed`].
    sys_exit_truncate = "sys_exit_truncate", |result, given| {
        changed(result, sized(given.second()), WORKING_DIRECTORY, given.first(), NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_ftruncate`, since 2.6.33. Not told of a file without a name (memory that programs share). See [`changed`].
    /// `do_ftruncate` in <https://github.com/torvalds/linux/blob/v6.18/fs/open.c>
    sys_exit_ftruncate = "sys_exit_ftruncate", |result, given| {
        let descriptor = given.first() as i32;
        match call::file(descriptor).and_then(|file| read::pointer(file, offset!(file_inode))) {
            Some(inode) if read::field::<u32>(inode, offset!(inode_links)) == Some(0) => None,
            _ => changed(result, sized(given.second()), descriptor, NO_NAME, NO_NAME),
        }
    }
);

#[inline(always)]
fn sized(size: u64) -> Change {
    Change { kind: Kind::FileSize, first: size, second: 0, flags: 0 }
}

at_exit!(
    /// `sys_exit_chown`, since 2.6.33. See [`changed`].
    sys_exit_chown = "sys_exit_chown", |result, given| {
        changed(result, owned(given.second(), given.third()), WORKING_DIRECTORY, given.first(), NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_lchown`, since 2.6.33. See [`changed`].
    sys_exit_lchown = "sys_exit_lchown", |result, given| {
        changed(result, owned(given.second(), given.third()), WORKING_DIRECTORY, given.first(), NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_fchown`, since 2.6.33. See [`changed`].
    sys_exit_fchown = "sys_exit_fchown", |result, given| {
        changed(result, owned(given.second(), given.third()), given.first() as i32, NO_NAME, NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_fchownat`, since 2.6.33. See [`changed`].
    /// `do_fchownat` in <https://github.com/torvalds/linux/blob/v6.18/fs/open.c>
    sys_exit_fchownat = "sys_exit_fchownat", |result, given| {
        changed(result, owned(given.third(), given.fourth()), given.first() as i32, given.second(), NO_NAME)
    }
);

#[inline(always)]
fn owned(user: u64, group: u64) -> Change {
    Change { kind: Kind::FileOwner, first: user & 0xffff_ffff, second: group & 0xffff_ffff, flags: 0 }
}

const SECOND: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1_000;

at_exit!(
    /// `sys_exit_utime`, since 2.6.33. Its times are whole seconds. See [`changed`].
    sys_exit_utime = "sys_exit_utime", |result, given| {
        let chosen = read::user::<[u64; 2]>(given.second()).map(|[a, m]| [[a, 0], [m, 0]]);
        changed(result, timed(chosen, 1), WORKING_DIRECTORY, given.first(), NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_utimes`, since 2.6.33. See [`changed`].
    sys_exit_utimes = "sys_exit_utimes", |result, given| {
        changed(result, timed(read::user(given.second()), MICROSECOND), WORKING_DIRECTORY, given.first(), NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_futimesat`, since 2.6.33. See [`changed`].
    sys_exit_futimesat = "sys_exit_futimesat", |result, given| {
        changed(result, timed(read::user(given.third()), MICROSECOND), given.first() as i32, given.second(), NO_NAME)
    }
);
at_exit!(
    /// `sys_exit_utimensat`, since 2.6.33. See [`changed`].
    /// `do_utimes` in <https://github.com/torvalds/linux/blob/v6.18/fs/utimes.c>
    sys_exit_utimensat = "sys_exit_utimensat", |result, given| {
        changed(result, timed(read::user(given.third()), 1), given.first() as i32, given.second(), NO_NAME)
    }
);

/// Both times as the caller laid them down; none where they are the moment of the call.
#[inline(always)]
fn timed(chosen: Option<[[u64; 2]; 2]>, unit: u64) -> Change {
    /// `UTIME_NOW` and `UTIME_OMIT` stand for nanoseconds.
    const NOT_CHOSEN: u64 = 0x3fff_fffe;
    let mut change = Change { kind: Kind::FileTimes, first: 0, second: 0, flags: 0 };
    if let Some([accessed, modified]) = chosen {
        if accessed[1] < NOT_CHOSEN {
            change.first = accessed[0].wrapping_mul(SECOND).wrapping_add(accessed[1].wrapping_mul(unit));
            change.flags |= times::ACCESSED;
        }
        if modified[1] < NOT_CHOSEN {
            change.second = modified[0].wrapping_mul(SECOND).wrapping_add(modified[1].wrapping_mul(unit));
            change.flags |= times::MODIFIED;
        }
    }
    change
}

at_exit!(
    /// `sys_exit_setxattr`, since 2.6.33. See [`changed`].
    /// `path_setxattrat` in <https://github.com/torvalds/linux/blob/v6.18/fs/xattr.c>
    sys_exit_setxattr = "sys_exit_setxattr", |result, given| {
        changed(result, attribute(given.fourth(), 0), WORKING_DIRECTORY, given.first(), given.second())
    }
);
at_exit!(
    /// `sys_exit_lsetxattr`, since 2.6.33. See [`changed`].
    sys_exit_lsetxattr = "sys_exit_lsetxattr", |result, given| {
        changed(result, attribute(given.fourth(), 0), WORKING_DIRECTORY, given.first(), given.second())
    }
);
at_exit!(
    /// `sys_exit_fsetxattr`, since 2.6.33. See [`changed`].
    sys_exit_fsetxattr = "sys_exit_fsetxattr", |result, given| {
        changed(result, attribute(given.fourth(), 0), given.first() as i32, NO_NAME, given.second())
    }
);
at_exit!(
    /// `sys_exit_setxattrat`, since 6.13. See [`changed`].
    sys_exit_setxattrat = "sys_exit_setxattrat", |result, given| {
        /// Of `struct xattr_args`: behind the value's address.
        const SIZE: u64 = 8;
        let size = read::user_or_zero::<u32>(given.fifth() + SIZE);
        changed(result, attribute(size.into(), 0), given.first() as i32, given.second(), given.fourth())
    }
);
at_exit!(
    /// `sys_exit_removexattr`, since 2.6.33. See [`changed`].
    sys_exit_removexattr = "sys_exit_removexattr", |result, given| {
        changed(result, attribute(0, REMOVED), WORKING_DIRECTORY, given.first(), given.second())
    }
);
at_exit!(
    /// `sys_exit_lremovexattr`, since 2.6.33. See [`changed`].
    sys_exit_lremovexattr = "sys_exit_lremovexattr", |result, given| {
        changed(result, attribute(0, REMOVED), WORKING_DIRECTORY, given.first(), given.second())
    }
);
at_exit!(
    /// `sys_exit_fremovexattr`, since 2.6.33. See [`changed`].
    sys_exit_fremovexattr = "sys_exit_fremovexattr", |result, given| {
        changed(result, attribute(0, REMOVED), given.first() as i32, NO_NAME, given.second())
    }
);
at_exit!(
    /// `sys_exit_removexattrat`, since 6.13. See [`changed`].
    sys_exit_removexattrat = "sys_exit_removexattrat", |result, given| {
        changed(result, attribute(0, REMOVED), given.first() as i32, given.second(), given.fourth())
    }
);

const REMOVED: u32 = 1;

#[inline(always)]
fn attribute(size: u64, flags: u32) -> Change {
    Change { kind: Kind::FileAttribute, first: size, second: 0, flags }
}

at_exit!(
    /// `sys_exit_name_to_handle_at`, since 2.6.39. What it is asked for is to open the file later, past the folders. See [`changed`].
    /// `name_to_handle_at` in <https://github.com/torvalds/linux/blob/v6.18/fs/fhandle.c>
    sys_exit_name_to_handle_at = "sys_exit_name_to_handle_at", |result, given| {
        let change = Change { kind: Kind::FileHandle, first: 0, second: 0, flags: given.fifth() as u32 };
        changed(result, change, given.first() as i32, given.second(), NO_NAME)
    }
);

/// Something of a file was to be changed. `other` is a name of something else, in the caller's memory.
#[inline(always)]
fn changed(result: i32, change: Change, directory: i32, name: u64, other: u64) -> Option<()> {
    if result < 0 && !refused(result) || filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileChange>())?;
    let mut body = empty(result, change);
    let mut marks = if name == NO_NAME || read::user::<u8>(name) == Some(0) {
        let place = call::file(directory).and_then(|file| Place::read(file + u64::from(offset!(file_path))));
        place.map_or(flag::FIELD_MISSING, |place| placed(&mut record, &mut body, place))
    } else {
        let named = named(&mut record, directory, name);
        (body.name_length, body.directory_length) = (named.name_length, named.directory_length);
        named.flags
    };
    if other != NO_NAME {
        match record.user_string(other, MAX_NAME as u32) {
            Some((length, _)) => body.other_length = length,
            None => marks |= flag::FIELD_MISSING,
        }
    }
    end(record, change.kind, marks, NONE, body);
    Some(())
}

/// Nothing known of the file yet.
#[inline(always)]
pub fn empty(result: i32, change: Change) -> FileChange {
    FileChange {
        object: Object::UNKNOWN,
        first: change.first,
        second: change.second,
        result,
        flags: change.flags,
        path_length: 0,
        name_length: 0,
        directory_length: 0,
        other_length: 0,
    }
}

/// Puts the file itself into the record. Gives the marks.
#[inline(always)]
pub fn placed(record: &mut Record, body: &mut FileChange, place: Place) -> u32 {
    let path = record.path::<FILE_PATH>(place);
    body.path_length = path.length;
    body.object = record.forget(object::at(place));
    if path.truncated { flag::PATH_TRUNCATED } else { 0 }
}

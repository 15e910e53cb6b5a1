//! Names removed and changed, modes changed. Looked at when the call ends, with its answer, whether it worked or not (what is
//! not there is told too: somebody tried).
//!
//! What it does not see: the same by `io_uring` or by 32-bit programs. The name is read again after the call; a thread that
//! changes the bytes in between puts its own words there.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::{FileChmod, FileRename, FileUnlink, Object};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments, WORKING_DIRECTORY};
use super::file::{FILE_PATH, begin, end, named};
use crate::path::Place;
use crate::{filter, object, offset};

pub const REMOVE_DIRECTORY: u32 = 0x200;
/// No pattern of the sensitive list is asked about.
pub const NONE: u64 = 0;

/// `sys_exit_unlink`, since 2.6.33. See [`unlinked`].
#[tracepoint(category = "syscalls", name = "sys_exit_unlink")]
fn sys_exit_unlink(context: TracePointContext) -> u32 {
    unlinked(call::answer(&context), WORKING_DIRECTORY, Arguments::current().first(), 0);
    0
}

/// `sys_exit_unlinkat`, since 2.6.33. See [`unlinked`].
#[tracepoint(category = "syscalls", name = "sys_exit_unlinkat")]
fn sys_exit_unlinkat(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    unlinked(call::answer(&context), given.first() as i32, given.second(), given.third() as u32);
    0
}

/// `sys_exit_rmdir`, since 2.6.33. See [`unlinked`].
#[tracepoint(category = "syscalls", name = "sys_exit_rmdir")]
fn sys_exit_rmdir(context: TracePointContext) -> u32 {
    unlinked(call::answer(&context), WORKING_DIRECTORY, Arguments::current().first(), REMOVE_DIRECTORY);
    0
}

/// A name was to be removed.
/// `do_unlinkat` in <https://github.com/torvalds/linux/blob/v6.18/fs/namei.c>
#[inline(always)]
fn unlinked(result: i32, directory: i32, name: u64, flags: u32) -> Option<()> {
    if filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileUnlink>())?;
    let named = named(&mut record, directory, name);
    let (name_length, directory_length) = (named.name_length, named.directory_length);
    let body = FileUnlink {
        object: Object::UNKNOWN,
        result,
        flags,
        path_length: 0,
        name_length,
        directory_length,
        reserved: 0,
    };
    end(record, Kind::FileUnlink, named.flags, NONE, body);
    Some(())
}

/// `sys_exit_rename`, since 2.6.33. See [`renamed`].
#[tracepoint(category = "syscalls", name = "sys_exit_rename")]
fn sys_exit_rename(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let (from, to) = ((WORKING_DIRECTORY, given.first()), (WORKING_DIRECTORY, given.second()));
    renamed(call::answer(&context), from, to, 0);
    0
}

/// `sys_exit_renameat`, since 2.6.33. See [`renamed`].
#[tracepoint(category = "syscalls", name = "sys_exit_renameat")]
fn sys_exit_renameat(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let (from, to) = ((given.first() as i32, given.second()), (given.third() as i32, given.fourth()));
    renamed(call::answer(&context), from, to, 0);
    0
}

/// `sys_exit_renameat2`, since 3.15. See [`renamed`].
#[tracepoint(category = "syscalls", name = "sys_exit_renameat2")]
fn sys_exit_renameat2(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let (from, to) = ((given.first() as i32, given.second()), (given.third() as i32, given.fourth()));
    renamed(call::answer(&context), from, to, given.fifth() as u32);
    0
}

/// A name was to be changed.
/// `do_renameat2` in <https://github.com/torvalds/linux/blob/v6.18/fs/namei.c>
#[inline(always)]
fn renamed(result: i32, from: (i32, u64), to: (i32, u64), flags: u32) -> Option<()> {
    if filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileRename>())?;
    let old = named(&mut record, from.0, from.1);
    let new = named(&mut record, to.0, to.1);
    let mut marks = old.flags | new.flags & !flag::PATH_TRUNCATED;
    marks |= if new.flags & flag::PATH_TRUNCATED == 0 { 0 } else { flag::SECOND_TRUNCATED };
    let body = FileRename {
        object: Object::UNKNOWN,
        replaced: Object::UNKNOWN,
        result,
        flags,
        name_length: old.name_length,
        directory_length: old.directory_length,
        new_name_length: new.name_length,
        new_directory_length: new.directory_length,
    };
    end(record, Kind::FileRename, marks, NONE, body);
    Some(())
}

/// `sys_exit_chmod`, since 2.6.33. See [`changed`].
#[tracepoint(category = "syscalls", name = "sys_exit_chmod")]
fn sys_exit_chmod(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    changed(call::answer(&context), WORKING_DIRECTORY, given.first(), given.second() as u32);
    0
}

/// `sys_exit_fchmodat`, since 2.6.33. See [`changed`].
#[tracepoint(category = "syscalls", name = "sys_exit_fchmodat")]
fn sys_exit_fchmodat(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    changed(call::answer(&context), given.first() as i32, given.second(), given.third() as u32);
    0
}

/// `sys_exit_fchmodat2`, since 6.6. See [`changed`].
#[tracepoint(category = "syscalls", name = "sys_exit_fchmodat2")]
fn sys_exit_fchmodat2(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    changed(call::answer(&context), given.first() as i32, given.second(), given.third() as u32);
    0
}

/// The mode of a named file was to be changed.
/// `do_fchmodat` in <https://github.com/torvalds/linux/blob/v6.18/fs/open.c>
#[inline(always)]
fn changed(result: i32, directory: i32, name: u64, mode: u32) -> Option<()> {
    if filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileChmod>())?;
    let named = named(&mut record, directory, name);
    let body = FileChmod {
        object: Object::UNKNOWN,
        result,
        mode,
        descriptor: -1,
        path_length: 0,
        name_length: named.name_length,
        directory_length: named.directory_length,
        reserved: [0; 3],
    };
    end(record, Kind::FileChmod, named.flags, NONE, body);
    Some(())
}

/// `sys_exit_fchmod`, since 2.6.33. Names the file behind the descriptor.
/// `vfs_fchmod` in <https://github.com/torvalds/linux/blob/v6.18/fs/open.c>
#[tracepoint(category = "syscalls", name = "sys_exit_fchmod")]
fn sys_exit_fchmod(context: TracePointContext) -> u32 {
    changed_open(call::answer(&context));
    0
}

#[inline(always)]
fn changed_open(result: i32) -> Option<()> {
    if filter::excluded(Class::File) {
        return None;
    }
    let given = Arguments::current();
    let (descriptor, mode) = (given.first() as i32, given.second() as u32);
    let mut record = begin(size_of::<FileChmod>())?;
    let place = call::file(descriptor).and_then(|file| Place::read(file + u64::from(offset!(file_path))));
    let (object, path_length, marks) = place.map_or((Object::UNKNOWN, 0, flag::FIELD_MISSING), |place| {
        let path = record.path::<FILE_PATH>(place);
        (record.forget(object::at(place)), path.length, if path.truncated { flag::PATH_TRUNCATED } else { 0 })
    });
    let body = FileChmod {
        object,
        result,
        mode,
        descriptor,
        path_length,
        name_length: 0,
        directory_length: 0,
        reserved: [0; 3],
    };
    end(record, Kind::FileChmod, marks, NONE, body);
    Some(())
}

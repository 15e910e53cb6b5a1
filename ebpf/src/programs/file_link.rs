//! Names given to files that are there: links. Looked at when the call ends, with its answer: what was done, and what was refused.
//!
//! What it does not see: the same by `io_uring` or by 32-bit programs. The names are read again after the call, as in `file_names`.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::file::MAX_NAME;
use ebpf_common::record::{FileRename, Object};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments, WORKING_DIRECTORY};
use super::file::{FILE_PATH, Named, Record, begin, end, named, refused};
use super::file_change::at_exit;
use crate::path::Place;
use crate::{filter, object, offset, read};

/// No pattern of the sensitive list is asked about.
const NONE: u64 = 0;

at_exit!(
    /// `sys_exit_link`, since 2.6.33. See [`linked`].
    sys_exit_link = "sys_exit_link", |result, given| {
        linked(result, (WORKING_DIRECTORY, given.first()), (WORKING_DIRECTORY, given.second()), 0)
    }
);
at_exit!(
    /// `sys_exit_linkat`, since 2.6.33. See [`linked`].
    sys_exit_linkat = "sys_exit_linkat", |result, given| {
        let (from, to) = ((given.first() as i32, given.second()), (given.third() as i32, given.fourth()));
        linked(result, from, to, given.fifth() as u32)
    }
);
at_exit!(
    /// `sys_exit_symlink`, since 2.6.33. See [`pointed`].
    sys_exit_symlink = "sys_exit_symlink", |result, given| pointed(result, given.first(), (WORKING_DIRECTORY, given.second()))
);
at_exit!(
    /// `sys_exit_symlinkat`, since 2.6.33. See [`pointed`].
    sys_exit_symlinkat = "sys_exit_symlinkat", |result, given| pointed(result, given.first(), (given.second() as i32, given.third()))
);

/// A file was to have one more name. With an empty name for the old one it is the file behind a descriptor.
/// `do_linkat` in <https://github.com/torvalds/linux/blob/v6.18/fs/namei.c>
#[inline(always)]
fn linked(result: i32, from: (i32, u64), to: (i32, u64), flags: u32) -> Option<()> {
    if result < 0 && !refused(result) || filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileRename>())?;
    let mut object = Object::UNKNOWN;
    let old = if read::user::<u8>(from.1) == Some(0) {
        behind(&mut record, &mut object, from.0).unwrap_or(Named { flags: flag::FIELD_MISSING, ..Named::default() })
    } else {
        named(&mut record, from.0, from.1)
    };
    let (old, object) = (record.forget(old), record.forget(object));
    sent(record, Kind::FileLink, result, old, to, object, flags);
    Some(())
}

#[inline(always)]
fn behind(record: &mut Record, object: &mut Object, descriptor: i32) -> Option<Named> {
    let place = Place::read(call::file(descriptor)? + u64::from(offset!(file_path)))?;
    let path = record.path::<FILE_PATH>(place);
    *object = record.forget(object::at(place));
    let flags = if path.truncated { flag::PATH_TRUNCATED } else { 0 };
    Some(Named { name_length: path.length, directory_length: 0, flags })
}

/// A name was to point to whatever has another name.
/// `do_symlinkat` in <https://github.com/torvalds/linux/blob/v6.18/fs/namei.c>
#[inline(always)]
fn pointed(result: i32, target: u64, to: (i32, u64)) -> Option<()> {
    if result < 0 && !refused(result) || filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileRename>())?;
    let text = record.user_string(target, MAX_NAME as u32);
    let old = text.map_or(Named { flags: flag::FIELD_MISSING, ..Named::default() }, |(name_length, _)| {
        let flags = if usize::from(name_length) + 1 == MAX_NAME { flag::PATH_TRUNCATED } else { 0 };
        Named { name_length, directory_length: 0, flags }
    });
    sent(record, Kind::FileSymlink, result, old, to, Object::UNKNOWN, 0);
    Some(())
}

#[inline(always)]
fn sent(mut record: Record, kind: Kind, result: i32, old: Named, to: (i32, u64), object: Object, flags: u32) {
    let new = named(&mut record, to.0, to.1);
    let mut marks = old.flags | new.flags & !flag::PATH_TRUNCATED;
    marks |= if new.flags & flag::PATH_TRUNCATED == 0 { 0 } else { flag::SECOND_TRUNCATED };
    let body = FileRename {
        object,
        replaced: Object::UNKNOWN,
        result,
        flags,
        name_length: old.name_length,
        directory_length: old.directory_length,
        new_name_length: new.name_length,
        new_directory_length: new.directory_length,
    };
    end(record, kind, marks, NONE, body);
}

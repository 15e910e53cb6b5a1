//! Names removed and changed, modes changed, where the kernel asks its security modules: the objects and the mounts are there, so
//! that the path is the host's, whoever asked and by whichever call. The kernel has not answered yet: each record is an attempt.
//!
//! What it does not see: names that were not there to begin with; what the kernel does for itself (the layers below an overlay).

use ebpf_common::header::flag;
use ebpf_common::record::{FileChmod, FileRename, FileUnlink};
use ebpf_common::{Class, Kind};

use super::file::{FILE_PATH, Record, begin, end};
use super::file_names::{NONE, REMOVE_DIRECTORY};
use crate::path::Place;
use crate::scratch::Appended;
use crate::{filter, object, offset, read};

// `security_path_unlink`, since 2.6.29, and the hook in it. `security_path_unlink` in
// <https://github.com/torvalds/linux/blob/v6.18/security/security.c>
shells!(unlinking: lsm_unlink, fentry_unlink, kprobe_unlink, 0 1);
// `security_path_rmdir`, likewise.
shells!(removing_directory: lsm_rmdir, fentry_rmdir, kprobe_rmdir, 0 1);
// `security_path_rename`, likewise. The hook has the flags since 5.19; before, an exchange is two renames.
shells!(renaming: lsm_rename, fentry_rename, kprobe_rename, 0 1 2 3 4);
// `security_path_chmod`, likewise.
shells!(changing_mode: lsm_chmod, fentry_chmod, kprobe_chmod, 0 1);

#[inline(always)]
fn unlinking(directory: u64, dentry: u64) {
    removing(directory, dentry, 0);
}

#[inline(always)]
fn removing_directory(directory: u64, dentry: u64) {
    removing(directory, dentry, REMOVE_DIRECTORY);
}

#[inline(always)]
fn removing(directory: u64, dentry: u64, flags: u32) -> Option<()> {
    let place = inside(directory, dentry)?;
    let mut record = attempt(size_of::<FileUnlink>())?;
    let path = record.path::<FILE_PATH>(place);
    let body = FileUnlink {
        object: record.forget(object::at(place)),
        result: 0,
        flags,
        path_length: path.length,
        name_length: 0,
        directory_length: 0,
        reserved: 0,
    };
    end(record, Kind::FileUnlink, marks(path, flag::PATH_TRUNCATED), NONE, body);
    Some(())
}

#[inline(always)]
fn renaming(old: u64, old_dentry: u64, new: u64, new_dentry: u64, flags: u64) -> Option<()> {
    let (from, to) = (inside(old, old_dentry)?, inside(new, new_dentry)?);
    let mut record = attempt(size_of::<FileRename>())?;
    let (name, new_name) = (record.path::<FILE_PATH>(from), record.path::<FILE_PATH>(to));
    let body = FileRename {
        object: record.forget(object::at(from)),
        replaced: record.forget(object::at(to)),
        result: 0,
        flags: flags as u32,
        name_length: name.length,
        directory_length: 0,
        new_name_length: new_name.length,
        new_directory_length: 0,
    };
    let marks = marks(name, flag::PATH_TRUNCATED) | marks(new_name, flag::SECOND_TRUNCATED);
    end(record, Kind::FileRename, marks, NONE, body);
    Some(())
}

#[inline(always)]
fn changing_mode(path: u64, mode: u64) -> Option<()> {
    let place = Place::read(path)?;
    let mut record = attempt(size_of::<FileChmod>())?;
    let path = record.path::<FILE_PATH>(place);
    let body = FileChmod {
        object: record.forget(object::at(place)),
        result: 0,
        mode: mode as u32 & 0xffff,
        descriptor: -1,
        path_length: path.length,
        name_length: 0,
        directory_length: 0,
        reserved: [0; 3],
    };
    end(record, Kind::FileChmod, marks(path, flag::PATH_TRUNCATED), NONE, body);
    Some(())
}

/// Takes the room for the record of an attempt, where it is not to be left out.
#[inline(always)]
pub fn attempt(body: usize) -> Option<Record> {
    if filter::excluded(Class::File) { None } else { begin(body) }
}

/// A name in a folder that the kernel gave as a `struct path`.
#[inline(always)]
pub fn inside(directory: u64, dentry: u64) -> Option<Place> {
    Some(Place { mount: read::pointer(directory, offset!(path_mnt))?, dentry })
}

/// The marks of an attempt, with the one for a path that lost its front.
#[inline(always)]
pub fn marks(path: Appended, truncated: u32) -> u32 {
    flag::ATTEMPT | if path.truncated { truncated } else { 0 }
}

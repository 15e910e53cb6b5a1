//! Opened and changed files: record → event body.
//!
//! Takes a decoded record and the list of sensitive paths; gives the wire's body, its paths whole.

use ebpf_common::header::flag;
use ebpf_common::record::{self, file::object as marks};
use proto::v1::event::Body;
use proto::v1::{FileChmod, FileObject, FileOpen, FileRename, FileUnlink};

use super::path::resolve;
use super::sensitive::Sensitive;
use crate::decode::{self, Record};

/// Marks that say that some piece of a path is missing.
const CUT: u32 = flag::PATH_TRUNCATED | flag::DIRECTORY_TRUNCATED | flag::SECOND_TRUNCATED;

pub(crate) fn open(record: &Record<'_>, open: &decode::FileOpen<'_>, sensitive: &Sensitive) -> Body {
    let path = path(open.path, open.directory, open.name);
    let class = sensitive.class(open.fixed.candidates, &path).unwrap_or_default().to_owned();
    Body::FileOpen(FileOpen {
        path,
        truncated: record.has(CUT),
        flags: open.fixed.flags,
        mode: open.fixed.mode,
        sensitive: class,
        result: open.fixed.result,
        object: object(&open.fixed.object),
        created: open.fixed.created == 1,
        by_handle: open.fixed.by_handle == 1,
    })
}

/// An open that only the kernel's one-component comparison let through, and that is of no sensitive path: no event.
pub(crate) fn is_chance_hit(body: &Body) -> bool {
    let Body::FileOpen(open) = body else { return false };
    open.sensitive.is_empty() && !changes(open.flags)
}

/// Whether an open may change the file: `O_WRONLY`, `O_RDWR`, `O_CREAT` or `O_TRUNC`.
pub(crate) fn changes(flags: u32) -> bool {
    const ACCESS: u32 = 0o3;
    const CREATE: u32 = 0o100;
    const TRUNCATE: u32 = 0o1000;
    flags & ACCESS != 0 || flags & (CREATE | TRUNCATE) != 0
}

pub(crate) fn unlink(record: &Record<'_>, unlink: &decode::FileUnlink<'_>) -> Body {
    Body::FileUnlink(FileUnlink {
        path: path(unlink.path, unlink.directory, unlink.name),
        truncated: record.has(CUT),
        result: unlink.fixed.result,
        object: object(&unlink.fixed.object),
    })
}

pub(crate) fn rename(record: &Record<'_>, rename: &decode::FileRename<'_>) -> Body {
    Body::FileRename(FileRename {
        from: resolve(rename.directory, rename.name),
        to: resolve(rename.new_directory, rename.new_name),
        truncated: record.has(CUT),
        result: rename.fixed.result,
        flags: rename.fixed.flags,
        object: object(&rename.fixed.object),
        replaced: object(&rename.fixed.replaced),
    })
}

pub(crate) fn chmod(record: &Record<'_>, chmod: &decode::FileChmod<'_>) -> Body {
    Body::FileChmod(FileChmod {
        path: path(chmod.path, chmod.directory, chmod.name),
        truncated: record.has(CUT),
        mode: chmod.fixed.mode,
        result: chmod.fixed.result,
        descriptor: chmod.fixed.descriptor,
        object: object(&chmod.fixed.object),
    })
}

/// The kernel's own path where there is one: it follows links, which the name does not.
fn path(path: &[u8], directory: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { resolve(directory, name) } else { path.to_vec() }
}

fn object(found: &record::Object) -> Option<FileObject> {
    (*found != record::Object::UNKNOWN).then_some(FileObject {
        device: found.device,
        inode: found.inode,
        generation: found.generation,
        mount_id: found.mount_id,
        mount_unique: found.mount_unique,
        mode: found.mode,
        links: found.links,
        upper_layer: found.marks & marks::UPPER_LAYER != 0,
        whiteout: found.marks & marks::WHITEOUT != 0,
    })
}

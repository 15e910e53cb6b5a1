//! Opened and changed files: record → event body.
//!
//! Takes a decoded record and the list of sensitive paths; gives the wire's body, its paths whole.

use ebpf_common::header::flag;
use proto::v1::event::Body;
use proto::v1::{FileChmod, FileOpen, FileRename, FileUnlink};

use super::path::resolve;
use super::sensitive::Sensitive;
use crate::decode::{self, Record};

/// Marks that say that some piece of a path is missing.
const CUT: u32 = flag::PATH_TRUNCATED | flag::DIRECTORY_TRUNCATED | flag::SECOND_TRUNCATED;

pub(crate) fn open(record: &Record<'_>, open: &decode::FileOpen<'_>, sensitive: &Sensitive) -> Body {
    // The kernel's own path where there is one: it follows links, which the name does not.
    let path = if open.path.is_empty() { resolve(open.directory, open.name) } else { open.path.to_vec() };
    let class = sensitive.class(open.fixed.candidates, &path).unwrap_or_default().to_owned();
    Body::FileOpen(FileOpen {
        path,
        truncated: record.has(CUT),
        flags: open.fixed.flags,
        mode: open.fixed.mode,
        sensitive: class,
        result: open.fixed.result,
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
        path: resolve(unlink.directory, unlink.name),
        truncated: record.has(CUT),
        result: unlink.fixed.result,
    })
}

pub(crate) fn rename(record: &Record<'_>, rename: &decode::FileRename<'_>) -> Body {
    Body::FileRename(FileRename {
        from: resolve(rename.directory, rename.name),
        to: resolve(rename.new_directory, rename.new_name),
        truncated: record.has(CUT),
        result: rename.fixed.result,
    })
}

pub(crate) fn chmod(record: &Record<'_>, chmod: &decode::FileChmod<'_>) -> Body {
    let named = !chmod.name.is_empty();
    Body::FileChmod(FileChmod {
        path: if named { resolve(chmod.directory, chmod.name) } else { chmod.path.to_vec() },
        truncated: record.has(CUT),
        mode: chmod.fixed.mode,
        result: chmod.fixed.result,
        descriptor: chmod.fixed.descriptor,
    })
}

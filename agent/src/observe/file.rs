//! Opened and changed files: record → event body.
//!
//! Takes a decoded record and the list of sensitive paths; gives the wire's body, its paths whole.

use ebpf_common::header::{Kind, flag};
use ebpf_common::record;
use ebpf_common::record::file::{object as marks, times};
use proto::v1::event::Body;
use proto::v1::{FileAct, FileChange, FileChmod, FileObject, FileOpen, FileRename, FileUnlink};

use super::path::resolve;
use super::sensitive::Sensitive;
use crate::decode::{self, Record};

const TYPE: u32 = 0o170_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
/// Attributes by which an overlay hides a name of the layers below.
const WHITEOUTS: [&[u8]; 2] = [b"trusted.overlay.whiteout", b"user.overlay.whiteout"];

/// Marks that say that some piece of a path is missing.
const CUT: u32 = flag::PATH_TRUNCATED | flag::DIRECTORY_TRUNCATED | flag::SECOND_TRUNCATED;

pub(crate) fn open(record: &Record<'_>, open: &decode::FileOpen<'_>, sensitive: &Sensitive) -> Body {
    let path = path(open.path, open.directory, open.name);
    let other = if open.path.is_empty() { &[][..] } else { rooted(open.name) };
    let by_name = sensitive.class(open.fixed.candidates, &path);
    let by_alias = || sensitive.class(open.fixed.candidates, other).filter(|_| !other.is_empty());
    let alias = if by_name.is_none() && by_alias().is_some() { other.to_vec() } else { Vec::new() };
    let class = by_name.or_else(by_alias).unwrap_or_default().to_owned();
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
        alias,
        repeats: None,
    })
}

/// A path that the kernel read past the root of its filesystem, whose name is a slash, begins with one.
fn rooted(path: &[u8]) -> &[u8] {
    let slashes = path.iter().take_while(|byte| **byte == b'/').count();
    path.get(slashes.saturating_sub(1)..).unwrap_or_default()
}

/// An open that only the kernel's one-component comparison let through, and that is of no sensitive path: no event.
pub(crate) fn is_chance_hit(body: &Body) -> bool {
    let Body::FileOpen(open) = body else { return false };
    open.sensitive.is_empty() && !changes(open.flags) && !open.by_handle
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

/// A file has one more name, by itself or by a symbolic link.
pub(crate) fn link(record: &Record<'_>, link: &decode::FileRename<'_>, act: FileAct) -> Body {
    // The text of a symbolic link is what it is.
    let other = if act == FileAct::Symlinked { link.name.to_vec() } else { resolve(link.directory, link.name) };
    Body::FileChange(FileChange {
        act: act.into(),
        path: resolve(link.new_directory, link.new_name),
        truncated: record.has(CUT),
        result: link.fixed.result,
        object: object(&link.fixed.object),
        other,
        ..FileChange::default()
    })
}

/// Something of a file was changed: the kind says what its numbers are.
pub(crate) fn change(record: &Record<'_>, change: &decode::FileChange<'_>) -> Body {
    let fixed = &change.fixed;
    let (first, second) = (fixed.first, fixed.second);
    let [low, low_second] = [first, second].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let known = FileChange {
        path: path(change.path, change.directory, change.name),
        truncated: record.has(CUT),
        result: fixed.result,
        object: object(&fixed.object),
        other: change.other.to_vec(),
        ..FileChange::default()
    };
    let chosen = |mark, time: u64| (fixed.flags & mark != 0).then(|| time.cast_signed());
    Body::FileChange(match change.kind {
        Kind::FileMade => FileChange {
            act: FileAct::Made.into(),
            mode: low,
            device: low_second,
            whiteout: low & TYPE == CHARACTER_DEVICE && second == 0,
            ..known
        },
        Kind::FileSize => FileChange { act: FileAct::Sized.into(), size: first, ..known },
        Kind::FileOwner => FileChange { act: FileAct::Owned.into(), uid: low, gid: low_second, ..known },
        Kind::FileTimes => FileChange {
            act: FileAct::Timed.into(),
            accessed_ns: chosen(times::ACCESSED, first),
            modified_ns: chosen(times::MODIFIED, second),
            ..known
        },
        Kind::FileAttribute if fixed.flags == 0 => FileChange {
            act: FileAct::AttributeSet.into(),
            size: first,
            whiteout: WHITEOUTS.contains(&change.other),
            ..known
        },
        Kind::FileAttribute => FileChange { act: FileAct::AttributeRemoved.into(), ..known },
        Kind::FileMapped => FileChange { act: FileAct::Mapped.into(), size: first, ..known },
        Kind::FileCopied => FileChange { act: FileAct::Copied.into(), ..known },
        _ => FileChange { act: FileAct::HandleTaken.into(), ..known },
    })
}

/// The kernel's own path where there is one: it follows links, which the name does not.
fn path(path: &[u8], directory: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { resolve(directory, name) } else { path.to_vec() }
}

pub(super) fn object(found: &record::Object) -> Option<FileObject> {
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

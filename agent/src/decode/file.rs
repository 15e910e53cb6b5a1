//! Opened and changed files: bytes to bodies that borrow from them. Takes a kind of this noun, the header and the bytes behind it; gives a
//! body or says what is malformed.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record;

use super::{Malformed, fixed};

/// A file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOpen<'a> {
    /// Plain fields.
    pub fixed: record::FileOpen,
    /// The file itself, from the root of the process's mount namespace; empty where the open failed.
    pub path: &'a [u8],
    /// As the process gave it, where the open failed; where it did not, another name of the same file, by which the sensitive list may know it.
    pub name: &'a [u8],
    /// Where `name` starts, if it is relative.
    pub directory: &'a [u8],
}

/// A name was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileUnlink<'a> {
    /// Plain fields.
    pub fixed: record::FileUnlink,
    /// What had the name, where the hook has it.
    pub path: &'a [u8],
    /// As the process gave it.
    pub name: &'a [u8],
    /// Where `name` starts, if it is relative.
    pub directory: &'a [u8],
}

/// A name was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRename<'a> {
    /// Plain fields.
    pub fixed: record::FileRename,
    /// The old name, as the process gave it.
    pub name: &'a [u8],
    /// Where `name` starts, if it is relative.
    pub directory: &'a [u8],
    /// The new name, as the process gave it.
    pub new_name: &'a [u8],
    /// Where `new_name` starts, if it is relative.
    pub new_directory: &'a [u8],
}

/// A mode was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileChmod<'a> {
    /// Plain fields.
    pub fixed: record::FileChmod,
    /// The file itself, where a descriptor was given.
    pub path: &'a [u8],
    /// As the process gave it, where a name was given.
    pub name: &'a [u8],
    /// Where `name` starts, if it is relative.
    pub directory: &'a [u8],
}

/// Something of a file was changed, or it was reached by an unusual way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileChange<'a> {
    /// Which: it says what the numbers are.
    pub kind: Kind,
    /// Plain fields.
    pub fixed: record::FileChange,
    /// The file itself, where the hook has it.
    pub path: &'a [u8],
    /// As the process gave it, where a name was given.
    pub name: &'a [u8],
    /// Where `name` starts, if it is relative.
    pub directory: &'a [u8],
    /// The name of an attribute, the path of a source.
    pub other: &'a [u8],
}

pub(super) fn file_open<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<FileOpen<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::FileOpen>(kind, header, rest)?;
    let path = tail.take(fixed.path_length)?;
    let name = tail.take(fixed.name_length)?;
    let directory = tail.take(fixed.directory_length)?;
    tail.end()?;
    Ok(FileOpen { fixed, path, name, directory })
}

pub(super) fn file_unlink<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<FileUnlink<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::FileUnlink>(kind, header, rest)?;
    let path = tail.take(fixed.path_length)?;
    let name = tail.take(fixed.name_length)?;
    let directory = tail.take(fixed.directory_length)?;
    tail.end()?;
    Ok(FileUnlink { fixed, path, name, directory })
}

pub(super) fn file_rename<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<FileRename<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::FileRename>(kind, header, rest)?;
    let name = tail.take(fixed.name_length)?;
    let directory = tail.take(fixed.directory_length)?;
    let new_name = tail.take(fixed.new_name_length)?;
    let new_directory = tail.take(fixed.new_directory_length)?;
    tail.end()?;
    Ok(FileRename { fixed, name, directory, new_name, new_directory })
}

pub(super) fn file_chmod<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<FileChmod<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::FileChmod>(kind, header, rest)?;
    let path = tail.take(fixed.path_length)?;
    let name = tail.take(fixed.name_length)?;
    let directory = tail.take(fixed.directory_length)?;
    tail.end()?;
    Ok(FileChmod { fixed, path, name, directory })
}

pub(super) fn file_change<'a>(kind: Kind, header: &Header, rest: &'a [u8]) -> Result<FileChange<'a>, Malformed> {
    let (fixed, mut tail) = fixed::<record::FileChange>(kind, header, rest)?;
    let path = tail.take(fixed.path_length)?;
    let name = tail.take(fixed.name_length)?;
    let directory = tail.take(fixed.directory_length)?;
    let other = tail.take(fixed.other_length)?;
    tail.end()?;
    Ok(FileChange { kind, fixed, path, name, directory, other })
}

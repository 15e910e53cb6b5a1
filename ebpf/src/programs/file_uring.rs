//! Files opened, names removed and changed through `io_uring`, where the kernel takes the request: the fallback for kernels that let
//! no program onto their objects. The names are the kernel's own copies, the process is the ring's owner, and the request has not
//! been carried out yet: each record is an attempt.
//!
//! What it does not see: where links in the name lead, and other requests that change files.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use ebpf_common::Kind;
use ebpf_common::header::flag;
use ebpf_common::offsets::ABSENT;
use ebpf_common::record::{FileOpen, FileRename, FileUnlink, Object};

use super::file::{self, Open, end, named_by_kernel};
use super::file_named::attempt;
use super::file_names::NONE;
use crate::{offset, read};

const OPENAT: u8 = 18;
const OPENAT2: u8 = 28;
const RENAMEAT: u8 = 35;
const UNLINKAT: u8 = 36;

/// `io_uring_submit_req`, since 6.3. Runs in the process that hands the request in, or in the ring's own thread, which is one of the
/// process. `io_submit_sqe` in <https://github.com/torvalds/linux/blob/v6.18/io_uring/io_uring.c>
#[btf_tracepoint]
fn uring_open(context: BtfTracePointContext) -> i32 {
    opening(context.arg(0));
    0
}

/// `io_uring_submit_req`. See [`uring_open`].
#[btf_tracepoint]
fn uring_unlink(context: BtfTracePointContext) -> i32 {
    unlinking(context.arg(0));
    0
}

/// `io_uring_submit_req`. See [`uring_open`].
#[btf_tracepoint]
fn uring_rename(context: BtfTracePointContext) -> i32 {
    renaming(context.arg(0));
    0
}

/// What the request says, where it is one of these.
#[inline(always)]
fn asked(request: u64, operations: [u8; 2]) -> Option<u64> {
    let operation = read::field::<u8>(request, offset!(uring_opcode))?;
    let known = offset!(uring_command) != ABSENT && operations.contains(&operation);
    known.then_some(request + u64::from(offset!(uring_command)))
}

/// The kernel's copy of a name.
#[inline(always)]
fn name(asked: u64, offset: u32) -> Option<u64> {
    read::pointer(read::pointer(asked, offset)?, offset!(filename_name))
}

/// All are told: the agent drops those that change nothing and that the sensitive list does not know.
#[inline(always)]
fn opening(request: u64) -> Option<()> {
    const ALL: u64 = u64::MAX;
    let asked = asked(request, [OPENAT, OPENAT2])?;
    let open = Open {
        result: 0,
        directory: read::field(asked, offset!(uring_open_directory))?,
        name: name(asked, offset!(uring_open_name))?,
        flags: read::field(asked, offset!(uring_open_flags))?,
        mode: read::field(asked, offset!(uring_open_mode))?,
    };
    let mut record = attempt(size_of::<FileOpen>())?;
    let named = named_by_kernel(&mut record, open.directory, open.name);
    let body = FileOpen {
        candidates: ALL,
        name_length: named.name_length,
        directory_length: named.directory_length,
        ..file::empty(&open)
    };
    end(record, Kind::FileOpen, named.flags | flag::ATTEMPT, ALL, body);
    Some(())
}

#[inline(always)]
fn unlinking(request: u64) -> Option<()> {
    let asked = asked(request, [UNLINKAT; 2])?;
    let directory = read::field(asked, offset!(uring_unlink_directory))?;
    let name = name(asked, offset!(uring_unlink_name))?;
    let flags = read::field(asked, offset!(uring_unlink_flags))?;
    let mut record = attempt(size_of::<FileUnlink>())?;
    let named = named_by_kernel(&mut record, directory, name);
    let body = FileUnlink {
        object: Object::UNKNOWN,
        result: 0,
        flags,
        path_length: 0,
        name_length: named.name_length,
        directory_length: named.directory_length,
        reserved: 0,
    };
    end(record, Kind::FileUnlink, named.flags | flag::ATTEMPT, NONE, body);
    Some(())
}

#[inline(always)]
fn renaming(request: u64) -> Option<()> {
    let asked = asked(request, [RENAMEAT; 2])?;
    let from = (read::field(asked, offset!(uring_rename_old_directory))?, name(asked, offset!(uring_rename_old))?);
    let to = (read::field(asked, offset!(uring_rename_new_directory))?, name(asked, offset!(uring_rename_new))?);
    let flags = read::field(asked, offset!(uring_rename_flags))?;
    let mut record = attempt(size_of::<FileRename>())?;
    let old = named_by_kernel(&mut record, from.0, from.1);
    let new = named_by_kernel(&mut record, to.0, to.1);
    let second = if new.flags & flag::PATH_TRUNCATED == 0 { 0 } else { flag::SECOND_TRUNCATED };
    let body = FileRename {
        object: Object::UNKNOWN,
        replaced: Object::UNKNOWN,
        result: 0,
        flags,
        name_length: old.name_length,
        directory_length: old.directory_length,
        new_name_length: new.name_length,
        new_directory_length: new.directory_length,
    };
    let marks = old.flags | new.flags & !flag::PATH_TRUNCATED | second | flag::ATTEMPT;
    end(record, Kind::FileRename, marks, NONE, body);
    Some(())
}

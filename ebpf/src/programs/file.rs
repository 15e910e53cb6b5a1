//! Files opened: for writing, made by the open, refused, or perhaps of the sensitive list.
//!
//! Only the end of the call is looked at. There the descriptor leads to the file that was really opened, through links,
//! relative names and races over the name's bytes alike; and an open that nobody asks about costs no look at its name.
//!
//! What it does not see: opens by `io_uring`, by 32-bit programs; a read of a sensitive file through a descriptor
//! that was received; writing through a mapping. Opens of null, zero, random, terminals and nameless pipes for writing are counted
//! as excluded. Opens of the same file in the same way are counted after the first: see `repeats`.

use aya_ebpf::macros::{map, tracepoint};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::account::Purse;
use ebpf_common::header::flag;
use ebpf_common::loss::Outcome;
use ebpf_common::record::file::{MAX_FILE_PATH, MAX_NAME};
use ebpf_common::record::process::MAX_DIRECTORY;
use ebpf_common::record::{FileOpen, FileRename, Object};
use ebpf_common::{Class, Header, Kind};

use super::call::{self, Arguments, WORKING_DIRECTORY};
use super::{enforce, file_alias, privilege_reach};
use crate::emit::{self, About, Wake};
use crate::identity::Identity;
use crate::object::Inode;
use crate::path::{self, Place};
use crate::repeats::Way;
use crate::scratch::{Appended, Builder, Scratch};
use crate::{filter, offset, read};

/// The longest is a rename: two names, two directories.
pub const RECORD: usize = size_of::<Header>() + size_of::<FileRename>() + 2 * (MAX_NAME + MAX_DIRECTORY);
pub const WALK: usize = path::FILE;
pub const FILE_PATH: u64 = MAX_FILE_PATH as u64;

pub type FileScratch = Scratch<RECORD, WALK>;
pub type Record = Builder<RECORD, WALK>;

#[map]
pub static FILE_SCRATCH: PerCpuArray<FileScratch> = PerCpuArray::with_max_entries(1, 0);

/// What an open was asked, and what it answered.
pub struct Open {
    pub result: i32,
    pub directory: i32,
    pub name: u64,
    pub flags: u32,
    pub mode: u32,
}

const WRITING: u32 = 3;
const CREATE: u32 = 0o100;
const TRUNCATE: u32 = 0o1000;
/// Of the kernel's own flags of an open file.
const MODE_WRITE: u32 = 1 << 1;
const MODE_CREATED: u32 = 1 << 20;

/// `sys_exit_open`, since 2.6.33. See [`opened`].
#[tracepoint(category = "syscalls", name = "sys_exit_open")]
#[inline(always)]
fn sys_exit_open(context: TracePointContext) -> u32 {
    opened(call::answer(&context), |result| {
        let given = Arguments::current();
        let (flags, mode) = (given.second() as u32, given.third() as u32);
        Open { result, directory: WORKING_DIRECTORY, name: given.first(), flags, mode }
    });
    0
}

/// `sys_exit_openat`, since 2.6.33. See [`opened`].
#[tracepoint(category = "syscalls", name = "sys_exit_openat")]
#[inline(always)]
fn sys_exit_openat(context: TracePointContext) -> u32 {
    opened(call::answer(&context), |result| {
        let given = Arguments::current();
        let (flags, mode) = (given.third() as u32, given.fourth() as u32);
        Open { result, directory: given.first() as i32, name: given.second(), flags, mode }
    });
    0
}

/// `sys_exit_openat2`, since 5.6. See [`opened`].
#[tracepoint(category = "syscalls", name = "sys_exit_openat2")]
#[inline(always)]
fn sys_exit_openat2(context: TracePointContext) -> u32 {
    opened(call::answer(&context), |result| {
        let given = Arguments::current();
        let how = given.third();
        let (flags, mode) = (read::user_or_zero::<u64>(how), read::user_or_zero::<u64>(how + 8));
        Open { result, directory: given.first() as i32, name: given.second(), flags: flags as u32, mode: mode as u32 }
    });
    0
}

/// `sys_exit_creat`, since 2.6.33. See [`opened`].
#[tracepoint(category = "syscalls", name = "sys_exit_creat")]
#[inline(always)]
fn sys_exit_creat(context: TracePointContext) -> u32 {
    opened(call::answer(&context), |result| {
        let given = Arguments::current();
        let flags = CREATE | TRUNCATE | 1;
        Open { result, directory: WORKING_DIRECTORY, name: given.first(), flags, mode: given.second() as u32 }
    });
    0
}

/// An open ended. `ask` looks at what it was given, which costs; most opens are answered without.
/// `do_sys_openat2` in <https://github.com/torvalds/linux/blob/v6.18/fs/open.c>
#[inline(always)]
fn opened(result: i32, ask: impl Fn(i32) -> Open) {
    if result < 0 {
        failed(result, ask);
    } else {
        succeeded(result, ask, false);
    }
}

/// `sys_exit_open_by_handle_at`, since 2.6.39. Told whatever it was opened for: it passed no folder that would have hidden the file.
/// `do_handle_open` in <https://github.com/torvalds/linux/blob/v6.18/fs/fhandle.c>
#[tracepoint(category = "syscalls", name = "sys_exit_open_by_handle_at")]
#[inline(always)]
fn sys_exit_open_by_handle_at(context: TracePointContext) -> u32 {
    let result = call::answer(&context);
    let ask = |result| Open {
        result,
        directory: WORKING_DIRECTORY,
        name: 0,
        flags: Arguments::current().third() as u32,
        mode: 0,
    };
    if result >= 0 {
        succeeded(result, ask, true);
    } else if refused(result) {
        nameless(&ask(result));
    }
    0
}

#[inline(always)]
fn nameless(open: &Open) -> Option<()> {
    if filter::excluded(Class::File) {
        return None;
    }
    end(begin(size_of::<FileOpen>())?, Kind::FileOpen, 0, 0, FileOpen { by_handle: 1, ..empty(open) });
    Some(())
}

/// The kernel said that the caller may not.
#[inline(always)]
pub fn refused(result: i32) -> bool {
    const NOT_PERMITTED: i32 = -1;
    const ACCESS_DENIED: i32 = -13;
    const READ_ONLY: i32 = -30;
    matches!(result, NOT_PERMITTED | ACCESS_DENIED | READ_ONLY)
}

#[inline(always)]
fn succeeded(result: i32, ask: impl Fn(i32) -> Open, by_handle: bool) -> Option<()> {
    told(call::file(result)?, || ask(result), by_handle)
}

/// An open that gave a file: told where it may change it, or the sensitive list may know it.
#[inline(always)]
pub fn found(file: u64, ask: impl Fn() -> Open) -> Option<()> {
    told(file, ask, false)
}

#[inline(always)]
fn told(file: u64, ask: impl Fn() -> Open, by_handle: bool) -> Option<()> {
    let mode = read::field::<u32>(file, offset!(file_mode))?;
    let place = Place::read(file + u64::from(offset!(file_path)))?;
    let address = read::pointer(file, offset!(file_inode))?;
    let inode = &Inode::read(address);
    let named = filter::sensitive(place.dentry);
    let alias = if named == 0 { file_alias::of_link(inode, place) } else { file_alias::of_mount(inode, place) };
    let candidates = if named == 0 && alias.is_somewhere() { filter::sensitive(alias.dentry) } else { named };
    if candidates == 0 && mode & (MODE_WRITE | MODE_CREATED) == 0 && !by_handle {
        return None;
    }
    if mode & MODE_WRITE != 0 {
        privilege_reach::memory_opened(|| ask().result, place.dentry, address);
    }
    if filter::excluded(Class::File) {
        return None;
    }
    if filter::swallows(inode) {
        emit::count(Class::File, Outcome::Excluded);
        return None;
    }
    // A file that the open made is another one each time, and a handle is no usual way.
    let is_countable = mode & MODE_CREATED == 0 && !by_handle;
    let way = Way { inode: address, place, flags: ask().flags, mode };
    if is_countable && way.is_counted() {
        return None;
    }
    let purse = if candidates == 0 { Purse::Usual } else { Purse::Sensitive };
    let mut record = Builder::begin_paid(FILE_SCRATCH.get_ptr_mut(0)?, Class::File, size_of::<FileOpen>(), purse)?;
    let counted_ns = if is_countable { way.begin() } else { 0 };
    let path = record.path::<FILE_PATH>(place);
    record.mark(if path.truncated { flag::PATH_TRUNCATED } else { 0 });
    let alias = if alias.is_somewhere() { record.path::<{ MAX_NAME as u64 }>(alias) } else { Appended::default() };
    record.mark(if alias.truncated { flag::SECOND_TRUNCATED } else { 0 });
    let body = record.body::<FileOpen>();
    // SAFETY: the place is a `FileOpen`'s, and ours until the record is sent. Filled there: it would not fit on the stack beside the rest.
    unsafe {
        body.write(FileOpen {
            candidates,
            counted_ns,
            name_length: alias.length,
            created: u16::from(mode & MODE_CREATED != 0),
            by_handle: u16::from(by_handle),
            path_length: path.length,
            path_components: path.components,
            ..empty(&ask())
        });
        (*body).object = inode.object(place.mount);
    }
    end_filled::<FileOpen>(record, Kind::FileOpen, candidates);
    Some(())
}

/// A refused open is told whatever it asked for; another failure only if it was to write. What is not there is no news.
#[inline(always)]
fn failed(result: i32, ask: impl Fn(i32) -> Open) -> Option<()> {
    gave_nothing(&ask(result), |record, open| named(record, open.directory, open.name))
}

/// An open that failed, and how its name is read.
#[inline(always)]
pub fn gave_nothing(open: &Open, name: impl Fn(&mut Record, &Open) -> Named) -> Option<()> {
    let refused = refused(open.result);
    if !refused && open.flags & (WRITING | CREATE) == 0 {
        return None;
    }
    if filter::excluded(Class::File) {
        return None;
    }
    let mut record = begin(size_of::<FileOpen>())?;
    let named = name(&mut record, open);
    let candidates = if refused { u64::MAX } else { 0 };
    let body = FileOpen {
        candidates,
        name_length: named.name_length,
        directory_length: named.directory_length,
        ..empty(open)
    };
    end(record, Kind::FileOpen, named.flags, candidates, body);
    Some(())
}

#[inline(always)]
pub fn empty(open: &Open) -> FileOpen {
    FileOpen {
        candidates: 0,
        counted_ns: 0,
        object: Object::UNKNOWN,
        flags: open.flags,
        mode: if open.flags & CREATE == 0 { 0 } else { open.mode },
        result: open.result,
        created: 0,
        by_handle: 0,
        path_length: 0,
        name_length: 0,
        directory_length: 0,
        path_components: 0,
    }
}

/// A name as it was given, and where it starts.
#[derive(Clone, Copy, Default)]
pub struct Named {
    pub name_length: u16,
    pub directory_length: u16,
    pub flags: u32,
}

/// Appends a name, and its directory if it is relative.
#[inline(always)]
pub fn named(record: &mut Record, directory: i32, name: u64) -> Named {
    let read = record.user_string(name, MAX_NAME as u32);
    let named = with_directory(record, directory, read);
    record.forget(named)
}

/// As [`named`], from the kernel's own copy of the name, which no thread can change.
#[inline(always)]
pub fn named_by_kernel(record: &mut Record, directory: i32, name: u64) -> Named {
    let read = record.kernel_string(name, MAX_NAME as u32);
    let named = with_directory(record, directory, read);
    record.forget(named)
}

#[inline(always)]
fn with_directory(record: &mut Record, directory: i32, name: Option<(u16, u8)>) -> Named {
    let Some((name_length, first)) = name else {
        return Named { flags: flag::FIELD_MISSING, ..Named::default() };
    };
    let mut flags = if usize::from(name_length) + 1 == MAX_NAME { flag::PATH_TRUNCATED } else { 0 };
    if first == b'/' {
        return Named { name_length, directory_length: 0, flags };
    }
    let Some(place) = call::directory(directory) else {
        return Named { name_length, directory_length: 0, flags: flags | flag::FIELD_MISSING };
    };
    let from = record.path::<{ MAX_DIRECTORY as u64 }>(place);
    flags |= if from.truncated { flag::DIRECTORY_TRUNCATED } else { 0 };
    Named { name_length, directory_length: from.length, flags }
}

/// Takes the room for a record of a file.
#[inline(always)]
pub fn begin(body: usize) -> Option<Record> {
    Builder::begin(FILE_SCRATCH.get_ptr_mut(0)?, Class::File, body)
}

/// Sends a finished record of a file, which may be of these patterns of the sensitive list.
#[inline(always)]
pub fn end<T: Copy>(record: Record, kind: Kind, flags: u32, candidates: u64, body: T) {
    let Some(identity) = Identity::current() else {
        record.lose(Outcome::ReadFault);
        return;
    };
    let about = about(kind, flags, candidates, &identity);
    record.send(about, &identity, body);
}

/// The same of a record whose body was filled in its place, and whose marks are set.
#[inline(always)]
fn end_filled<T: Copy>(record: Record, kind: Kind, candidates: u64) {
    let Some(identity) = Identity::current() else {
        record.lose(Outcome::ReadFault);
        return;
    };
    let about = about(kind, record.marks(), candidates, &identity);
    record.send_filled::<T>(about, &identity);
}

#[inline(always)]
fn about(kind: Kind, flags: u32, candidates: u64, identity: &Identity) -> About {
    let flags = flags | enforce::container(identity.cgroup_id);
    let wake = if candidates == 0 { Wake::Later } else { Wake::of_container(flags) };
    About::new(kind, flags, wake)
}

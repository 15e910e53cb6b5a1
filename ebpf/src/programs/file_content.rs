//! Files written without a call that writes: through a shared mapping, and by the kernel itself from another file or a pipe. The
//! first time of a process and a file is told; what it does again is counted as aggregated.
//!
//! What it does not see: what is stored through the mapping; a mapping that is made writable later (`mprotect`); `sendfile` into a
//! file.

use aya_ebpf::macros::{map, tracepoint};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::loss::Outcome;
use ebpf_common::record::FileChange;
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::file::{FILE_PATH, begin, end};
use super::file_change::{Change, at_exit, empty, placed};
use crate::identity::Identity;
use crate::path::Place;
use crate::{emit, filter, object, offset, read};

/// One process and one file, by one way.
#[derive(Clone, Copy)]
#[repr(C)]
struct Written {
    start_ns: u64,
    inode: u64,
    pid: u32,
    device: u32,
    generation: u32,
    kind: u32,
}

/// What was told. It may forget: the file is then told once more.
#[map]
static WRITTEN: LruHashMap<Written, u8> = LruHashMap::with_max_entries(8192, 0);

const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
/// No pattern of the sensitive list is asked about.
const NONE: u64 = 0;

at_exit!(
    /// `sys_exit_mmap`, since 2.6.33. Most mappings are private or of no file, and pay for a look at two registers.
    /// `ksys_mmap_pgoff` in <https://github.com/torvalds/linux/blob/v6.18/mm/mmap.c>
    sys_exit_mmap = "sys_exit_mmap", |_result, given| {
        const SHARED: u64 = 1;
        const ANONYMOUS: u64 = 0x20;
        const WRITE: u64 = 2;
        if given.fourth() & (SHARED | ANONYMOUS) == SHARED && given.third() & WRITE != 0 {
            let (first, flags) = (given.second(), given.third() as u32);
            written(0, Change { kind: Kind::FileMapped, first, second: 0, flags }, given.fifth() as i32, Place::NOWHERE)
        } else {
            None
        }
    }
);

at_exit!(
    /// `sys_exit_splice`, since 2.6.33. Told where a pipe's bytes go into a file.
    /// `do_splice` in <https://github.com/torvalds/linux/blob/v6.18/fs/splice.c>
    sys_exit_splice = "sys_exit_splice", |result, given| copied(result, given)
);

at_exit!(
    /// `sys_exit_copy_file_range`, since 4.5. The filesystem may share the blocks instead of copying them.
    /// `vfs_copy_file_range` in <https://github.com/torvalds/linux/blob/v6.18/fs/read_write.c>
    sys_exit_copy_file_range = "sys_exit_copy_file_range", |result, given| copied(result, given)
);

#[inline(always)]
fn copied(result: i32, given: Arguments) -> Option<()> {
    if result <= 0 {
        return None;
    }
    let source = call::file(given.first() as i32)?;
    let source = Place::read(source + u64::from(offset!(file_path))).unwrap_or(Place::NOWHERE);
    written(result, Change { kind: Kind::FileCopied, first: 0, second: 0, flags: 0 }, given.third() as i32, source)
}

#[inline(always)]
fn written(result: i32, change: Change, descriptor: i32, source: Place) -> Option<()> {
    written_to(result, change, call::file(descriptor)?, source, 0)
}

/// A file with a name was written to. A mapping that the kernel refused has no file that was open for writing; it is left out.
#[inline(always)]
pub fn written_to(result: i32, change: Change, file: u64, source: Place, marks: u32) -> Option<()> {
    const MODE_WRITE: u32 = 1 << 1;
    if read::field::<u32>(file, offset!(file_mode))? & MODE_WRITE == 0 {
        return None;
    }
    let place = Place::read(file + u64::from(offset!(file_path)))?;
    let found = object::of(read::pointer(place.dentry, offset!(dentry_inode))?, place.mount);
    if found.mode & TYPE != REGULAR || found.links == 0 || filter::excluded(Class::File) {
        return None;
    }
    let identity = Identity::current()?;
    let key = Written {
        start_ns: identity.start_ns,
        inode: found.inode,
        pid: identity.pid,
        device: found.device,
        generation: found.generation,
        kind: change.kind as u32,
    };
    if WRITTEN.get_ptr(key).is_some() {
        emit::count(Class::File, Outcome::Aggregated);
        return None;
    }
    // A full table forgets its oldest by itself.
    let _kept = WRITTEN.insert(key, 1, 0);
    let mut record = begin(size_of::<FileChange>())?;
    let mut body = empty(result, change);
    let mut marks = marks | placed(&mut record, &mut body, place);
    // A pipe has no path.
    if source.is_somewhere() {
        let from = object::at(source);
        (body.first, body.second) = (from.inode, from.device.into());
        if from.mode & TYPE == REGULAR {
            let path = record.path::<FILE_PATH>(source);
            body.other_length = path.length;
            marks |= if path.truncated { flag::SECOND_TRUNCATED } else { 0 };
        }
    }
    end(record, change.kind, marks, NONE, body);
    Some(())
}

//! Memory made executable: of no file, or of a file that is not one of the image's or the host's own: in the writable layer, in memory,
//! without a name. Programs are loaded without an exec that way, and libraries are. What a process does again and again, as a
//! compiler that runs its own output does, is told once for each file, and then counted.
//!
//! Every start of a program maps its libraries to be executed: those are looked at, and are no news. Neither is a process's own executable,
//! of which its exec tells.
//!
//! What these do not see: a mapping that is executable because the program asked for all that is readable to be (`READ_IMPLIES_EXEC`),
//! a stack that is executable from the start; files of a volume. At the end of the calls also not: those of 32-bit programs, shared
//! memory of `shmat`, and whose file it is that `mprotect` makes executable.

use aya_ebpf::macros::{fentry, kprobe, lsm, tracepoint};
use aya_ebpf::programs::{FEntryContext, LsmContext, ProbeContext, TracePointContext};
use ebpf_common::header::flag;
use ebpf_common::record::privilege::{memory, way};
use ebpf_common::record::{Executable, Object};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::enforce;
use super::file::{FILE_PATH, refused};
use super::guard::{self, Again, Repeat};
use crate::identity::Identity;
use crate::path::Place;
use crate::read::Known;
use crate::{filter, object, offset, read};

/// Of a protection.
const WRITE: u32 = 2;
const EXECUTE: u32 = 4;
/// Of the flags of a mapping.
const ANONYMOUS: u64 = 0x20;
/// Of no file.
const NONE: u64 = 0;

/// What was asked for.
#[derive(Clone, Copy)]
struct Asked {
    call: u32,
    protection: u32,
    address: u64,
    length: u64,
    /// 0 or negative errno.
    result: i32,
    marks: u32,
}

/// `sys_exit_mmap`, since 2.6.33. Most mappings are not to be executed, and pay for a look at one register.
/// `ksys_mmap_pgoff` in <https://github.com/torvalds/linux/blob/v6.18/mm/mmap.c>
#[tracepoint(category = "syscalls", name = "sys_exit_mmap")]
fn mmap_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let protection = given.third() as u32;
    if protection & EXECUTE == 0 {
        return 0;
    }
    let answer = call::address(&context);
    let result = call::failure(answer);
    let asked = Asked {
        call: call::number(&context),
        protection,
        address: if result == 0 { answer } else { 0 },
        length: given.second(),
        result,
        marks: 0,
    };
    let file = if given.fourth() & ANONYMOUS == 0 { call::file(given.fifth() as i32).unwrap_or(NONE) } else { NONE };
    mapped(asked, file);
    0
}

/// `sys_exit_mprotect` and `sys_exit_pkey_mprotect`, since 2.6.33 and 4.9.
/// `do_mprotect_pkey` in <https://github.com/torvalds/linux/blob/v6.18/mm/mprotect.c>
#[tracepoint(category = "syscalls", name = "sys_exit_mprotect")]
fn mprotect_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let protection = given.third() as u32;
    if protection & EXECUTE == 0 {
        return 0;
    }
    let (address, length) = (given.first(), given.second());
    let asked = Asked {
        call: call::number(&context),
        protection,
        address,
        length,
        result: call::answer(&context),
        marks: flag::FIELD_MISSING,
    };
    told(asked, memory::UNKNOWN, NONE);
    0
}

/// `mmap_file`, since 3.5. Also asked for shared memory (`shmat`).
/// `security_mmap_file` in <https://github.com/torvalds/linux/blob/v6.18/security/security.c>
#[lsm]
fn lsm_mmap_file(context: LsmContext) -> i32 {
    to_be_mapped(read::argument(&context, 0), context.arg(1), context.arg(3));
    0
}

/// See [`lsm_mmap_file`].
#[fentry]
fn fentry_mmap_file(context: FEntryContext) -> u32 {
    to_be_mapped(read::argument(&context, 0), context.arg(1), context.arg(2));
    0
}

/// See [`lsm_mmap_file`].
#[kprobe]
fn kprobe_mmap_file(context: ProbeContext) -> u32 {
    to_be_mapped(context.arg(0).unwrap_or(0), context.arg(1).unwrap_or(0), context.arg(2).unwrap_or(0));
    0
}

#[inline(always)]
fn to_be_mapped(file: u64, protection: u64, flags: u64) {
    let protection = protection as u32;
    if protection & EXECUTE == 0 {
        return;
    }
    let asked = Asked { call: way::MAPPING, protection, address: 0, length: 0, result: 0, marks: flag::ATTEMPT };
    mapped(asked, if flags & ANONYMOUS == 0 { file } else { NONE });
}

// `file_mprotect`, since 2.6.12: the kernel asks for each area of the memory by itself.
// `security_file_mprotect` in <https://github.com/torvalds/linux/blob/v6.18/security/security.c>
shells!(to_be_protected: lsm_file_mprotect, fentry_file_mprotect, kprobe_file_mprotect, 0 1);

#[inline(always)]
fn to_be_protected(area: u64, protection: u64) {
    let protection = protection as u32;
    if protection & EXECUTE == 0 {
        return;
    }
    let (start, end) = read::fields::<u64, u64>(area, offset!(area_start), offset!(area_end)).unwrap_or_default();
    let (address, length) = (start, end.saturating_sub(start));
    let asked = Asked { call: way::PROTECTION, protection, address, length, result: 0, marks: flag::ATTEMPT };
    let file = read::pointer(area, offset!(area_file)).unwrap_or(NONE);
    let what = if file == NONE { memory::ANONYMOUS } else { memory::FILE };
    told(asked, what, file);
}

/// A mapping of a file that is as it should be is no news, unless it is to be written as well.
#[inline(always)]
fn mapped(asked: Asked, file: u64) -> Option<()> {
    let Some(inode) = read::pointer(file, offset!(file_inode)) else {
        return told(asked, memory::ANONYMOUS, NONE);
    };
    if asked.protection & WRITE == 0 && is_usual(file, inode) {
        return None;
    }
    told(asked, memory::FILE, file)
}

/// A file of the image or the host, or the process's own executable.
#[inline(always)]
fn is_usual(file: u64, inode: u64) -> bool {
    let filesystem = read::pointer(inode, offset!(inode_super));
    let magic = filesystem.and_then(|it| read::field::<u64>(it, offset!(super_magic))).unwrap_or(0) as u32;
    let links = read::field::<u32>(inode, offset!(inode_links)).unwrap_or(1);
    let is_dropped = match magic {
        enforce::TMPFS => !is_root(file),
        enforce::OVERLAY => object::upper(inode).is_some(),
        _ => false,
    };
    if links != 0 && !is_dropped {
        return true;
    }
    let own = Known::task().follow(offset!(task_mm)).and_then(|memory| memory.follow(offset!(mm_exe_file)));
    own.is_some_and(|own| own.field::<u64>(offset!(file_inode)) == inode)
}

/// The file is below the mount that is the process's root: of a machine without a disk, whose root is a filesystem in memory.
#[inline(always)]
fn is_root(file: u64) -> bool {
    // A path begins with its mount.
    let root = Known::task().follow(offset!(task_fs)).and_then(|fs| read::pointer(fs.address(), offset!(fs_root)));
    root.is_some() && root == read::pointer(file, offset!(file_path))
}

/// Tells it, once for each file or for all memory without one. What the kernel refused is told where it says that the process may not.
#[inline(always)]
fn told(asked: Asked, what: u32, file: u64) -> Option<()> {
    if asked.result < 0 && !refused(asked.result) {
        return None;
    }
    // Files are paid for, like all that a process does with files; memory of no file is as rare as its processes.
    let class = if what == memory::FILE { Class::File } else { Class::Privilege };
    if filter::excluded(class) {
        return None;
    }
    let identity = Identity::current()?;
    let inode = read::pointer(file, offset!(file_inode)).unwrap_or(NONE);
    let refusal = u32::from(asked.result < 0) << 15;
    let key = Again {
        start_ns: identity.start_ns,
        target: inode,
        pid: identity.pid,
        what: asked.call << 16 | asked.protection & 7 | refusal,
    };
    let Repeat::Tell(repeats) = guard::again(class, key) else { return None };
    let mut record = guard::begin(class, size_of::<Executable>())?;
    let mut body = Executable {
        object: Object::UNKNOWN,
        address: asked.address,
        length: asked.length,
        call: asked.call,
        protection: asked.protection,
        result: asked.result,
        memory: what,
        filesystem: 0,
        repeats,
        texts: [0; 4],
    };
    record.mark(asked.marks);
    if let Some(place) = Place::read(file.wrapping_add(u64::from(offset!(file_path)))) {
        let path = record.path::<FILE_PATH>(place);
        body.texts = [path.length, 0, 0, 0];
        body.object = object::of(inode, place.mount);
        let filesystem = read::pointer(inode, offset!(inode_super));
        body.filesystem = filesystem.and_then(|it| read::field::<u64>(it, offset!(super_magic))).unwrap_or(0) as u32;
        record.mark(enforce::marks(inode, body.filesystem, body.object.links, place.dentry));
        record.mark(if path.truncated { flag::PATH_TRUNCATED } else { 0 });
    }
    guard::end(record, Kind::Executable, 0, body);
    Some(())
}

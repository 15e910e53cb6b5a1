//! Files that are given the blocks of another (`FICLONE`, `FICLONERANGE`): all its bytes are then that one's, and none was written. Told as
//! copied, once for a process and a file, as in `file_content`.
//!
//! `FIDEDUPERANGE` is not told: the kernel compares first, and no byte changes. On an overlay the file below is told as well, where the
//! kernel's function is hooked.

use aya_ebpf::macros::{fexit, kprobe, tracepoint};
use aya_ebpf::programs::{FExitContext, ProbeContext, TracePointContext};
use ebpf_common::Kind;
use ebpf_common::header::flag;

use super::call::{self, Arguments};
use super::file_change::Change;
use super::file_content::written_to;
use crate::path::Place;
use crate::{offset, read};

/// End of `vfs_clone_file_range`, since 4.5: the bytes that are shared, or an errno.
/// <https://github.com/torvalds/linux/blob/v6.18/fs/remap_range.c>
#[fexit]
fn fexit_clone(context: FExitContext) -> u32 {
    let (source, target, answer): (u64, u64, i64) = (context.arg(0), context.arg(2), context.arg(6));
    if answer > 0 {
        cloned(source, target, 0);
    }
    0
}

/// Begin of `vfs_clone_file_range`: whether the filesystem can do it is not known yet.
#[kprobe]
fn kprobe_clone(context: ProbeContext) -> u32 {
    cloned(context.arg(0).unwrap_or(0), context.arg(2).unwrap_or(0), flag::ATTEMPT);
    0
}

/// `sys_exit_ioctl`, since 2.6.33. Nearly all calls are other ones, and pay for a look at their answer and one register.
/// `do_vfs_ioctl` in <https://github.com/torvalds/linux/blob/v6.18/fs/ioctl.c>
#[tracepoint(category = "syscalls", name = "sys_exit_ioctl")]
fn sys_exit_ioctl(context: TracePointContext) -> u32 {
    if call::answer(&context) == 0 {
        asked(Arguments::current());
    }
    0
}

#[inline(always)]
fn asked(given: Arguments) -> Option<()> {
    const CLONE: u32 = 0x4004_9409;
    /// Its argument is a structure that begins with the descriptor.
    const CLONE_RANGE: u32 = 0x4020_940d;
    let source = match given.second() as u32 {
        CLONE => given.third() as i32,
        CLONE_RANGE => read::user::<i64>(given.third())? as i32,
        _ => return None,
    };
    cloned(call::file(source)?, call::file(given.first() as i32)?, 0)
}

#[inline(always)]
fn cloned(source: u64, target: u64, marks: u32) -> Option<()> {
    let source = Place::read(source + u64::from(offset!(file_path))).unwrap_or(Place::NOWHERE);
    let change = Change { kind: Kind::FileCopied, first: 0, second: 0, flags: 0 };
    written_to(0, change, target, source, marks)
}

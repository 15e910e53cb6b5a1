//! Mounts: made, moved, changed and ended.
//!
//! What these do not see: where a target that leads through `/proc/self/fd` really is; the calls of 32-bit programs. Names are read
//! again after the call.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::record::Mount;
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments, WORKING_DIRECTORY};
use super::file::{self, Record};
use super::guard;
use crate::filter;

/// `sys_exit_mount`, since 2.6.33.
/// `mount` in <https://github.com/torvalds/linux/blob/v6.18/fs/namespace.c>
#[tracepoint(category = "syscalls", name = "sys_exit_mount")]
fn mount_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let at = Some((WORKING_DIRECTORY, given.second()));
    mounted(&context, given.fourth(), |record| guard::text(record, given.first()), at, given.third());
    0
}

/// `sys_exit_umount`, since 2.6.33.
#[tracepoint(category = "syscalls", name = "sys_exit_umount")]
fn umount_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    mounted(&context, given.second(), |_| 0, Some((WORKING_DIRECTORY, given.first())), 0);
    0
}

/// `sys_exit_move_mount`, since 5.2.
#[tracepoint(category = "syscalls", name = "sys_exit_move_mount")]
fn move_mount_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let to = Some((given.third() as i32, given.fourth()));
    mounted(&context, given.fifth(), |record| guard::text(record, given.second()), to, 0);
    0
}

/// `sys_exit_fsopen`, since 5.2.
#[tracepoint(category = "syscalls", name = "sys_exit_fsopen")]
fn fsopen_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    mounted(&context, given.second(), |_| 0, None, given.first());
    0
}

/// `sys_exit_fsconfig`, since 5.2. Tells texts only: the source is one of them.
#[tracepoint(category = "syscalls", name = "sys_exit_fsconfig")]
fn fsconfig_end(context: TracePointContext) -> u32 {
    const SET_TEXT: u32 = 1;
    let given = Arguments::current();
    if given.second() as u32 == SET_TEXT {
        mounted(&context, 0, |record| guard::text(record, given.fourth()), None, given.third());
    }
    0
}

/// `sys_exit_fsmount`, since 5.2.
#[tracepoint(category = "syscalls", name = "sys_exit_fsmount")]
fn fsmount_end(context: TracePointContext) -> u32 {
    mounted(&context, Arguments::current().third(), |_| 0, None, 0);
    0
}

/// `sys_exit_open_tree`, since 5.2. Told where it makes a mount, which is then moved.
#[tracepoint(category = "syscalls", name = "sys_exit_open_tree")]
fn open_tree_end(context: TracePointContext) -> u32 {
    const CLONE: u64 = 1;
    let given = Arguments::current();
    if given.third() & CLONE != 0 {
        mounted(&context, given.third(), |record| guard::text(record, given.second()), None, 0);
    }
    0
}

/// `sys_exit_mount_setattr`, since 5.12.
#[tracepoint(category = "syscalls", name = "sys_exit_mount_setattr")]
fn mount_setattr_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    mounted(&context, given.third(), |_| 0, Some((given.first() as i32, given.second())), 0);
    0
}

#[inline(always)]
fn mounted(
    context: &TracePointContext,
    flags: u64,
    source: impl Fn(&mut Record) -> u16,
    target: Option<(i32, u64)>,
    kind: u64,
) -> Option<()> {
    if filter::excluded(Class::Kernel) {
        return None;
    }
    let mut record = guard::begin(Class::Kernel, size_of::<Mount>())?;
    let source = source(&mut record);
    let target = target.map_or(file::Named::default(), |(directory, name)| file::named(&mut record, directory, name));
    let texts = [source, target.name_length, target.directory_length, guard::text(&mut record, kind)];
    let body = Mount { flags, call: call::number(context), result: call::answer(context), texts };
    guard::end(record, Kind::Mount, target.flags, body);
    Some(())
}

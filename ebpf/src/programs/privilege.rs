//! Roots, keys and page faults: powers that need no other process. See also `privilege_credentials`, `privilege_namespaces` and
//! `privilege_reach`.
//!
//! What these do not see: the same asked for by 32-bit programs. Names are read again after the call.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::record::{Key, Root, Userfault};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments, WORKING_DIRECTORY};
use super::{file, guard};
use crate::filter;

/// `sys_exit_userfaultfd`, since 4.3. Tells each descriptor that is asked for, and each that is refused.
/// `userfaultfd` in <https://github.com/torvalds/linux/blob/v6.18/fs/userfaultfd.c>
///
/// Does not see: a descriptor made by opening `/dev/userfaultfd`, which is told as an opened file.
#[tracepoint(category = "syscalls", name = "sys_exit_userfaultfd")]
fn userfaultfd_end(context: TracePointContext) -> u32 {
    if !filter::excluded(Class::Privilege) {
        let body = Userfault { flags: Arguments::current().first() as u32, result: call::answer(&context) };
        guard::plain(Class::Privilege, Kind::Userfault, 0, body);
    }
    0
}

/// `sys_exit_chroot` and `sys_exit_pivot_root`, since 2.6.33.
/// `chroot` in <https://github.com/torvalds/linux/blob/v6.18/fs/open.c>
#[tracepoint(category = "syscalls", name = "sys_exit_chroot")]
fn chroot_end(context: TracePointContext) -> u32 {
    root(&context, false);
    0
}

/// `sys_exit_pivot_root`, since 2.6.33.
/// `pivot_root` in <https://github.com/torvalds/linux/blob/v6.18/fs/namespace.c>
#[tracepoint(category = "syscalls", name = "sys_exit_pivot_root")]
fn pivot_root_end(context: TracePointContext) -> u32 {
    root(&context, true);
    0
}

#[inline(always)]
fn root(context: &TracePointContext, is_pivot: bool) -> Option<()> {
    if filter::excluded(Class::Privilege) {
        return None;
    }
    let given = Arguments::current();
    let mut record = guard::begin(Class::Privilege, size_of::<Root>())?;
    let new = file::named(&mut record, WORKING_DIRECTORY, given.first());
    let old =
        if is_pivot { file::named(&mut record, WORKING_DIRECTORY, given.second()) } else { file::Named::default() };
    let texts = [new.name_length, new.directory_length, old.name_length, old.directory_length];
    let body = Root { call: call::number(context), result: call::answer(context), texts };
    guard::end(record, Kind::Root, new.flags | old.flags, body);
    Some(())
}

/// Operations that only ask what is there, and are not told: the number of a ring, a key's description, its label, what the
/// kernel can do.
const ASKING: u64 = 1 | 1 << 6 | 1 << 17 | 1 << 24 | 1 << 31;
const JOIN_RING: u32 = 1;
const SEARCH: u32 = 10;

/// `sys_exit_keyctl`, since 2.6.33.
/// `keyctl` in <https://github.com/torvalds/linux/blob/v6.18/security/keys/keyctl.c>
#[tracepoint(category = "syscalls", name = "sys_exit_keyctl")]
fn keyctl_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let operation = given.first() as u32;
    if operation < 64 && ASKING >> operation & 1 == 1 {
        return 0;
    }
    let texts = match operation {
        JOIN_RING => [0, given.second()],
        SEARCH => [given.third(), given.fourth()],
        _ => [0, 0],
    };
    let serial = if operation == JOIN_RING { 0 } else { given.second() as i32 };
    key(&context, operation, serial, texts);
    0
}

/// `sys_exit_add_key` and `sys_exit_request_key`, since 2.6.33.
/// `add_key` in <https://github.com/torvalds/linux/blob/v6.18/security/keys/keyctl.c>
///
/// Never reads the key itself.
#[tracepoint(category = "syscalls", name = "sys_exit_add_key")]
fn key_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    key(&context, 0, 0, [given.first(), given.second()]);
    0
}

#[inline(always)]
fn key(context: &TracePointContext, operation: u32, serial: i32, texts: [u64; 2]) -> Option<()> {
    if filter::excluded(Class::Privilege) {
        return None;
    }
    let mut record = guard::begin(Class::Privilege, size_of::<Key>())?;
    let texts = [guard::text(&mut record, texts[0]), guard::text(&mut record, texts[1]), 0, 0];
    let body = Key { call: call::number(context), operation, serial, result: call::answer(context), texts };
    guard::end(record, Kind::Key, 0, body);
    Some(())
}

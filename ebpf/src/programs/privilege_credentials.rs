//! What a thread may act as, before and after the calls that change it: its users, groups, capabilities and namespaces.
//!
//! The end of such a call no longer knows what was before, so that its begin is looked at too: it keeps what the thread is now, by the
//! thread's own structure, which stays the same where an exec changes its number.
//!
//! What these do not see: the filesystem's own ids (setfsuid), supplementary groups, the calls of 32-bit programs.

use aya_ebpf::macros::{map, tracepoint};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::{Credentials, CredentialsChanged, Namespaces};
use ebpf_common::{Class, Kind};

use super::{call, guard};
use crate::read::Known;
use crate::{filter, offset};

/// What a thread was when a call began that may change it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Before {
    pub credentials: Credentials,
    pub namespaces: Namespaces,
}

/// Threads in such a call now. Each leaves when its call ends, which every call does.
#[map]
static BEFORE: HashMap<u64, Before> = HashMap::with_max_entries(4096, 0);

const NOT_PERMITTED: i32 = -1;

/// `sys_enter_*` of setuid(2) and its like, of capset(2) and of execve(2), since 2.6.33.
/// `ksys_setresuid` in <https://github.com/torvalds/linux/blob/v6.18/kernel/sys.c>
#[tracepoint(category = "syscalls", name = "sys_enter_setuid")]
fn credentials_begin(_context: TracePointContext) -> u32 {
    let before = Before { credentials: credentials(), namespaces: Namespaces::default() };
    keep(&before);
    0
}

/// `sys_exit_*` of the same calls but exec. Tells what was switched or gained, and what was refused.
#[tracepoint(category = "syscalls", name = "sys_exit_setuid")]
fn credentials_end(context: TracePointContext) -> u32 {
    ended(&context, call::answer(&context) == NOT_PERMITTED);
    0
}

/// `sys_exit_execve` and `sys_exit_execveat`, since 2.6.33. Tells a program by which somebody became somebody else, or gained
/// capabilities: by its set-uid bit, or by its own.
/// `begin_new_exec` in <https://github.com/torvalds/linux/blob/v6.18/fs/exec.c>
#[tracepoint(category = "syscalls", name = "sys_exit_execve")]
fn exec_credentials_end(context: TracePointContext) -> u32 {
    ended(&context, false);
    0
}

#[inline(always)]
fn ended(context: &TracePointContext, is_refused: bool) {
    let before = take();
    // A value for each way: an old verifier sees the compiler look at what it then does not use.
    let (is_known, before) = (before.is_some(), before.map_or(Credentials::default(), |before| before.credentials));
    let result = call::answer(context);
    let after = credentials();
    let is_changed = result >= 0 && is_known && is_more(&before, &after);
    if !is_refused && !is_changed || filter::excluded(Class::Privilege) {
        return;
    }
    let flags = if is_known { 0 } else { flag::FIELD_MISSING };
    let body = CredentialsChanged { before, after, call: call::number(context), result };
    guard::plain(Class::Privilege, Kind::Credentials, flags, body);
}

/// Somebody else, or more capabilities.
#[inline(always)]
fn is_more(before: &Credentials, after: &Credentials) -> bool {
    let gained = after.effective & !before.effective | after.permitted & !before.permitted;
    gained != 0
        || before.uid != after.uid
        || before.effective_uid != after.effective_uid
        || before.gid != after.gid
        || before.effective_gid != after.effective_gid
}

/// Keeps what the current thread is now, until [`take`]. A full table is a call of which the end will not know what was before.
#[inline(always)]
pub fn keep(before: &Before) {
    let _full = BEFORE.insert(Known::task().address(), before, 0);
}

/// What the current thread was when its call began.
#[inline(always)]
pub fn take() -> Option<Before> {
    let thread = Known::task().address();
    // SAFETY: the entry is written whole by this thread before its call, and by nobody else.
    let before = unsafe { *BEFORE.get_ptr(thread)? };
    let _gone = BEFORE.remove(thread);
    Some(before)
}

/// Of the current thread.
#[inline(always)]
pub fn credentials() -> Credentials {
    let Some(cred) = Known::task().follow(offset!(task_cred)) else { return Credentials::default() };
    Credentials {
        effective: cred.field(offset!(cred_cap_effective)),
        permitted: cred.field(offset!(cred_cap_permitted)),
        uid: cred.field(offset!(cred_uid)),
        effective_uid: cred.field(offset!(cred_euid)),
        gid: cred.field(offset!(cred_gid)),
        effective_gid: cred.field(offset!(cred_egid)),
    }
}

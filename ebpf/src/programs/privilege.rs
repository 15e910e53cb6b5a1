//! Powers taken, and used on other processes.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::record::Userfault;
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::guard;
use crate::filter;

/// `sys_exit_userfaultfd`, since 4.3. Tells each descriptor that is asked for, and each that is refused.
/// `userfaultfd` in <https://github.com/torvalds/linux/blob/v6.18/fs/userfaultfd.c>
///
/// Does not see: a descriptor made by opening `/dev/userfaultfd`, which is told as an opened file.
#[tracepoint(category = "syscalls", name = "sys_exit_userfaultfd")]
fn sys_exit_userfaultfd(context: TracePointContext) -> u32 {
    if !filter::excluded(Class::Privilege) {
        let body = Userfault { flags: Arguments::current().first() as u32, result: call::answer(&context) };
        guard::plain(Class::Privilege, Kind::Userfault, 0, body);
    }
    0
}

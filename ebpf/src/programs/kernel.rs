//! Changes to the kernel itself, and ways into it beside system calls.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::UringSetup;
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::guard;
use crate::{filter, read};

/// `sys_exit_io_uring_setup`, since 5.1. Tells each ring that is asked for, and each that is refused.
/// `io_uring_setup` in <https://github.com/torvalds/linux/blob/v6.18/io_uring/io_uring.c>
#[tracepoint(category = "syscalls", name = "sys_exit_io_uring_setup")]
fn sys_exit_io_uring_setup(context: TracePointContext) -> u32 {
    /// Of `struct io_uring_params`.
    const FLAGS: u64 = 8;
    if !filter::excluded(Class::Kernel) {
        let given = Arguments::current();
        let flags = read::user::<u32>(given.second() + FLAGS);
        let marks = if flags.is_some() { 0 } else { flag::FIELD_MISSING };
        let (entries, result) = (given.first() as u32, call::answer(&context));
        let body = UringSetup { entries, flags: flags.unwrap_or(0), result, reserved: 0 };
        guard::plain(Class::Kernel, Kind::UringSetup, marks, body);
    }
    0
}

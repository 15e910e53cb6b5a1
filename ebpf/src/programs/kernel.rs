//! Modules, other kernels, performance events and rings: what is put into the kernel. See also `kernel_bpf`, `kernel_mount`,
//! `kernel_uring` and `kernel_sysctl`.
//!
//! What these do not see: the calls of 32-bit programs. What a caller gave by address is read again after the call.

use aya_ebpf::macros::{btf_tracepoint, tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, TracePointContext};
use ebpf_common::header::flag;
use ebpf_common::record::privilege::way;
use ebpf_common::record::{Kexec, Module, PerfEvent, Texts, UringRegister, UringSetup};
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::file::{FILE_PATH, Record};
use super::guard;
use crate::path::Place;
use crate::{filter, offset, read};

/// `module_load`, since 2.6.30, typed since 5.5. Runs in the process that loads it, before the module's own first instruction.
/// `load_module` in <https://github.com/torvalds/linux/blob/v6.18/kernel/module/main.c>
///
/// Where the kernel loads one by itself, that is the process for which it does (usually `modprobe`).
#[btf_tracepoint(function = "module_load")]
fn module_load(context: BtfTracePointContext) -> i32 {
    module_loaded(context.arg(0));
    0
}

#[inline(always)]
fn module_loaded(module: u64) -> Option<()> {
    /// Of the kernel, on 64-bit machines.
    const MAX_MODULE_NAME: u32 = 56;
    let mut record = guard::begin(Class::Kernel, size_of::<Module>())?;
    let name = record.kernel_string(module + u64::from(offset!(module_name)), MAX_MODULE_NAME);
    let texts = [name.map_or(0, |(length, _)| length), 0, 0, 0];
    let body = Module { call: way::MODULE_LOADED, flags: 0, result: 0, size: 0, texts };
    guard::end(record, Kind::Module, if name.is_none() { flag::FIELD_MISSING } else { 0 }, body);
    Some(())
}

/// `sys_exit_init_module`, since 2.6.33.
/// `init_module` in <https://github.com/torvalds/linux/blob/v6.18/kernel/module/main.c>
#[tracepoint(category = "syscalls", name = "sys_exit_init_module")]
fn init_module_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    module(&context, |record| (0, given.second() as u32, [0, 0, guard::text(record, given.third()), 0]));
    0
}

/// `sys_exit_finit_module`, since 3.8. Names the file, which may be one of memory.
#[tracepoint(category = "syscalls", name = "sys_exit_finit_module")]
fn finit_module_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    module(&context, |record| {
        let path = opened(record, given.first() as i32);
        (given.third() as u32, 0, [0, path, guard::text(record, given.second()), 0])
    });
    0
}

/// `sys_exit_delete_module`, since 2.6.33.
#[tracepoint(category = "syscalls", name = "sys_exit_delete_module")]
fn delete_module_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    module(&context, |record| (given.second() as u32, 0, [guard::text(record, given.first()), 0, 0, 0]));
    0
}

#[inline(always)]
fn module(context: &TracePointContext, told: impl Fn(&mut Record) -> (u32, u32, Texts)) -> Option<()> {
    if filter::excluded(Class::Kernel) {
        return None;
    }
    let mut record = guard::begin(Class::Kernel, size_of::<Module>())?;
    let (flags, size, texts) = told(&mut record);
    let body = Module { call: call::number(context), flags, result: call::answer(context), size, texts };
    guard::end(record, Kind::Module, 0, body);
    Some(())
}

/// Appends the path of an open file.
#[inline(always)]
pub fn opened(record: &mut Record, descriptor: i32) -> u16 {
    let Some(place) = call::file(descriptor).and_then(|file| Place::read(file + u64::from(offset!(file_path)))) else {
        record.mark(flag::FIELD_MISSING);
        return 0;
    };
    let path = record.path::<FILE_PATH>(place);
    record.mark(if path.truncated { flag::PATH_TRUNCATED } else { 0 });
    path.length
}

/// `sys_exit_kexec_load`, since 2.6.33.
/// `kexec_load` in <https://github.com/torvalds/linux/blob/v6.18/kernel/kexec.c>
#[tracepoint(category = "syscalls", name = "sys_exit_kexec_load")]
fn kexec_load_end(context: TracePointContext) -> u32 {
    kexec(&context, Arguments::current().fourth(), -1);
    0
}

/// `sys_exit_kexec_file_load`, since 3.17.
/// `kexec_file_load` in <https://github.com/torvalds/linux/blob/v6.18/kernel/kexec_file.c>
#[tracepoint(category = "syscalls", name = "sys_exit_kexec_file_load")]
fn kexec_file_load_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    kexec(&context, given.fifth(), given.first() as i32);
    0
}

#[inline(always)]
fn kexec(context: &TracePointContext, flags: u64, descriptor: i32) -> Option<()> {
    if filter::excluded(Class::Kernel) {
        return None;
    }
    let mut record = guard::begin(Class::Kernel, size_of::<Kexec>())?;
    let path = if descriptor < 0 { 0 } else { opened(&mut record, descriptor) };
    let body = Kexec { flags, call: call::number(context), result: call::answer(context), texts: [path, 0, 0, 0] };
    guard::end(record, Kind::Kexec, 0, body);
    Some(())
}

/// `sys_exit_perf_event_open`, since 2.6.33.
/// `perf_event_open` in <https://github.com/torvalds/linux/blob/v6.18/kernel/events/core.c>
#[tracepoint(category = "syscalls", name = "sys_exit_perf_event_open")]
fn perf_event_end(context: TracePointContext) -> u32 {
    /// Of `struct perf_event_attr`.
    const CONFIG: u64 = 8;
    const PERIOD: u64 = 16;
    if !filter::excluded(Class::Kernel) {
        let given = Arguments::current();
        let attributes = given.first();
        let source = read::user::<u32>(attributes);
        let body = PerfEvent {
            config: read::user_or_zero(attributes + CONFIG),
            period: read::user_or_zero(attributes + PERIOD),
            source: source.unwrap_or(0),
            pid: given.second() as i32,
            cpu: given.third() as i32,
            result: call::answer(&context),
            flags: given.fifth(),
        };
        let marks = if source.is_some() { 0 } else { flag::FIELD_MISSING };
        guard::plain(Class::Kernel, Kind::PerfEvent, marks, body);
    }
    0
}

/// `sys_exit_io_uring_setup`, since 5.1. Tells each ring that is asked for, and each that is refused.
/// `io_uring_setup` in <https://github.com/torvalds/linux/blob/v6.18/io_uring/io_uring.c>
#[tracepoint(category = "syscalls", name = "sys_exit_io_uring_setup")]
fn uring_setup_end(context: TracePointContext) -> u32 {
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

/// `sys_exit_io_uring_register`, since 5.1.
/// `io_uring_register` in <https://github.com/torvalds/linux/blob/v6.18/io_uring/register.c>
#[tracepoint(category = "syscalls", name = "sys_exit_io_uring_register")]
fn uring_register_end(context: TracePointContext) -> u32 {
    if !filter::excluded(Class::Kernel) {
        let given = Arguments::current();
        let body = UringRegister {
            opcode: given.second() as u32,
            count: given.fourth() as u32,
            result: call::answer(&context),
            descriptor: given.first() as i32,
        };
        guard::plain(Class::Kernel, Kind::UringRegister, 0, body);
    }
    0
}

//! The kernel programs. They take what a hook gives and fill maps; they never decide, block or wait.
#![no_std]
#![no_main]

use aya_ebpf::{macros::btf_tracepoint, macros::map, maps::PerCpuArray, programs::BtfTracePointContext};
use ebpf_common as _;

/// Execs seen by each CPU.
#[map]
static EXECS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// `sched_process_exec`, since 3.4. Runs after the new image is in place: a failed exec is not seen here.
#[btf_tracepoint(function = "sched_process_exec")]
fn exec(_context: BtfTracePointContext) -> i32 {
    if let Some(count) = EXECS.get_ptr_mut(0) {
        // SAFETY: the map gives a pointer to this CPU's own slot, valid for the program's run and written by nobody else.
        unsafe { *count += 1 };
    }
    0
}

/// No program can reach this: the verifier refuses what could. It exists because `core` names it.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The helpers that read kernel memory are open to programs under a licence compatible with the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

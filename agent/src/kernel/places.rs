//! Whether this kernel has the place where a program hangs. Takes a program's attachment; says in words what the kernel does not have.
//! Silent where that is not certain: then the kernel is asked, and refuses in its own words.

use std::path::Path;

use aya::Btf;
use aya_obj::btf::BtfKind;
use ebpf_common::hook::Attach;

use super::mounts::TRACING;

/// What is missing. Called in a thread that sees tracefs, see `mounts`.
pub(super) fn missing(types: &Btf, attach: Attach) -> Option<String> {
    match attach {
        Attach::SyscallEnter(call) => is_no_call(&format!("sys_enter_{call}")).then(|| no_call(call)),
        Attach::SyscallExit(call) => is_no_call(&format!("sys_exit_{call}")).then(|| no_call(call)),
        Attach::BtfTracepoint(point) => types
            .id_by_type_name_kind(&format!("btf_trace_{point}"), BtfKind::Typedef)
            .is_err()
            .then(|| format!("this kernel has no tracepoint {point}")),
        _ => None,
    }
}

fn no_call(call: &str) -> String {
    format!("this kernel has no call {call}")
}

/// Each call that a kernel is built with has its two tracepoints, or none has.
fn is_no_call(point: &str) -> bool {
    let mut shown = TRACING.iter().map(|place| Path::new(place).join("events/syscalls")).filter(|calls| calls.is_dir());
    shown.next().is_some_and(|calls| !calls.join(point).exists())
}

//! The rows of the noun kernel. Calls that a kernel was built without are optional: what cannot be done there need not be told.

use super::{Attach, Hook, OLDEST, Program, hook, on, syscall, syscall_if_any, tracepoints, typed, unless};
use crate::header::Kind;

/// A tracepoint that some kernels do not have.
const fn typed_if_any(point: &'static str) -> Program {
    Program { name: point, attach: Attach::BtfTracepoint(point), optional: true }
}

pub(super) const MODULE: Hook = unless(
    "this kernel cannot load modules",
    hook(
        "module",
        "kernel",
        &[Kind::Module],
        &[tracepoints(
            OLDEST,
            &[
                typed_if_any("module_load"),
                syscall_if_any("init_module_end", "init_module"),
                syscall_if_any("finit_module_end", "finit_module"),
                syscall_if_any("delete_module_end", "delete_module"),
            ],
        )],
    ),
);

pub(super) const BPF: Hook = hook("bpf", "kernel", &[Kind::Bpf], &[tracepoints(OLDEST, &[syscall("bpf_end", "bpf")])]);

pub(super) const PERF_EVENT: Hook = hook(
    "perf_event",
    "kernel",
    &[Kind::PerfEvent],
    &[tracepoints(OLDEST, &[syscall("perf_event_end", "perf_event_open")])],
);

pub(super) const KEXEC: Hook = unless(
    "this kernel cannot load another one",
    hook(
        "kexec",
        "kernel",
        &[Kind::Kexec],
        &[tracepoints(
            OLDEST,
            &[syscall_if_any("kexec_load_end", "kexec_load"), syscall_if_any("kexec_file_load_end", "kexec_file_load")],
        )],
    ),
);

pub(super) const URING: Hook = unless(
    "this kernel has no io_uring",
    hook(
        "uring_setup",
        "kernel",
        &[Kind::UringSetup, Kind::UringRegister],
        &[tracepoints(
            OLDEST,
            &[
                syscall_if_any("uring_setup_end", "io_uring_setup"),
                syscall_if_any("uring_register_end", "io_uring_register"),
            ],
        )],
    ),
);

pub(super) const URING_REQUEST: Hook = unless(
    "this kernel has no io_uring",
    hook(
        "uring_request",
        "kernel",
        &[Kind::UringRequest],
        &[tracepoints(OLDEST, &[typed_if_any("io_uring_submit_req"), typed_if_any("io_uring_submit_sqe")])],
    ),
);

pub(super) const MOUNT: Hook = hook(
    "mount",
    "kernel",
    &[Kind::Mount],
    &[tracepoints(
        OLDEST,
        &[
            syscall("mount_end", "mount"),
            syscall("umount_end", "umount"),
            syscall_if_any("move_mount_end", "move_mount"),
            syscall_if_any("fsopen_end", "fsopen"),
            syscall_if_any("fsconfig_end", "fsconfig"),
            syscall_if_any("fsmount_end", "fsmount"),
            syscall_if_any("open_tree_end", "open_tree"),
            syscall_if_any("mount_setattr_end", "mount_setattr"),
        ],
    )],
);

pub(super) const SYSCTL: Hook =
    hook("sysctl", "kernel", &[Kind::Sysctl], &[tracepoints(OLDEST, &[on("sysctl", Attach::RootCgroupSysctl)])]);

pub(super) const TAMPER: Hook = hook(
    "tamper",
    "kernel",
    &[Kind::Tamper],
    &[tracepoints(OLDEST, &[typed("signal_generate"), typed_if_any("cgroup_freeze")])],
);

//! The rows of the noun privilege.

use super::{Attach, Hook, OLDEST, Program, Tier, Way, hook, on, syscall, syscall_if_any, tracepoints, unless};
use crate::header::Kind;

/// The begin of a call that this machine may not have.
const fn begin(name: &'static str, call: &'static str) -> Program {
    Program { name, attach: Attach::SyscallEnter(call), optional: true }
}

pub(super) const CREDENTIALS: Hook = hook(
    "credentials",
    "privilege",
    &[Kind::Credentials],
    &[tracepoints(
        OLDEST,
        &[
            begin("credentials_begin", "setuid"),
            syscall("credentials_end", "setuid"),
            begin("credentials_begin", "setgid"),
            syscall("credentials_end", "setgid"),
            begin("credentials_begin", "setreuid"),
            syscall("credentials_end", "setreuid"),
            begin("credentials_begin", "setregid"),
            syscall("credentials_end", "setregid"),
            begin("credentials_begin", "setresuid"),
            syscall("credentials_end", "setresuid"),
            begin("credentials_begin", "setresgid"),
            syscall("credentials_end", "setresgid"),
            begin("credentials_begin", "capset"),
            syscall("credentials_end", "capset"),
            begin("credentials_begin", "execve"),
            syscall("exec_credentials_end", "execve"),
            begin("credentials_begin", "execveat"),
            syscall("exec_credentials_end", "execveat"),
        ],
    )],
);

pub(super) const REACH: Hook = hook(
    "reach",
    "privilege",
    &[Kind::Reach],
    &[tracepoints(
        OLDEST,
        &[
            syscall("ptrace_end", "ptrace"),
            syscall_if_any("process_memory_end", "process_vm_readv"),
            syscall_if_any("process_memory_end", "process_vm_writev"),
            syscall_if_any("pidfd_getfd_end", "pidfd_getfd"),
            syscall_if_any("kcmp_end", "kcmp"),
        ],
    )],
);

pub(super) const NAMESPACES: Hook = hook(
    "namespaces",
    "privilege",
    &[Kind::Namespaces],
    &[tracepoints(
        OLDEST,
        &[
            begin("namespaces_begin", "unshare"),
            syscall("unshare_end", "unshare"),
            begin("namespaces_begin", "setns"),
            syscall("setns_end", "setns"),
        ],
    )],
);

pub(super) const ROOT: Hook = hook(
    "root",
    "privilege",
    &[Kind::Root],
    &[tracepoints(OLDEST, &[syscall("chroot_end", "chroot"), syscall("pivot_root_end", "pivot_root")])],
);

pub(super) const USERFAULT: Hook = unless(
    "this kernel leaves page faults to no process",
    hook(
        "userfault",
        "privilege",
        &[Kind::Userfault],
        &[tracepoints(OLDEST, &[syscall_if_any("userfaultfd_end", "userfaultfd")])],
    ),
);

pub(super) const KEY: Hook = unless(
    "this kernel keeps no keys",
    hook(
        "key",
        "privilege",
        &[Kind::Key],
        &[tracepoints(
            OLDEST,
            &[
                syscall_if_any("keyctl_end", "keyctl"),
                syscall_if_any("key_end", "add_key"),
                syscall_if_any("key_end", "request_key"),
            ],
        )],
    ),
);

pub(super) const EXECUTABLE: Hook = hook(
    "executable",
    "privilege",
    &[Kind::Executable],
    objects!(
        "mmap_file": "lsm_mmap_file", "fentry_mmap_file", "kprobe_mmap_file";
        "file_mprotect": "lsm_file_mprotect", "fentry_file_mprotect", "kprobe_file_mprotect";
        or tracepoints(
            OLDEST,
            &[
                syscall("mmap_end", "mmap"),
                syscall("mprotect_end", "mprotect"),
                syscall_if_any("mprotect_end", "pkey_mprotect"),
            ],
        )
    ),
);

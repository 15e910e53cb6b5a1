//! The rows of the table. A new way is a new line here and a program of that name.

/// A hook of the security modules, else the begin of the function that asks them.
macro_rules! objects {
    ($($point:literal: $lsm:literal, $fentry:literal, $kprobe:literal;)+ or $($last:tt)+) => {
        &[
            Way { tier: Tier::Lsm, since: OLDEST, programs: &[$(on($lsm, Attach::Lsm($point))),+] },
            Way { tier: Tier::Fentry, since: OLDEST, programs: &[$(on($fentry, Attach::Fentry(concat!("security_", $point)))),+] },
            Way { tier: Tier::Kprobe, since: OLDEST, programs: &[$(on($kprobe, Attach::Kprobe(concat!("security_", $point)))),+] },
            $($last)+
        ]
    };
}

mod kernel;
mod privilege;

use super::{Attach, Hook, Program, Tier, Way};
use crate::header::Kind;

const fn on(name: &'static str, attach: Attach) -> Program {
    Program { name, attach, optional: false }
}

const fn typed(point: &'static str) -> Program {
    on(point, Attach::BtfTracepoint(point))
}

const fn syscall(name: &'static str, call: &'static str) -> Program {
    on(name, Attach::SyscallExit(call))
}

/// A call that this kernel may be too old for, or that this machine never had because a newer one replaced it.
const fn syscall_if_any(name: &'static str, call: &'static str) -> Program {
    Program { name, attach: Attach::SyscallExit(call), optional: true }
}

/// Requests to a ring, where the kernel takes them; since 6.3.
const fn request(name: &'static str) -> Program {
    Program { name, attach: Attach::BtfTracepoint("io_uring_submit_req"), optional: true }
}

const fn tracepoints(since: (u16, u16), programs: &'static [Program]) -> Way {
    Way { tier: Tier::Tracepoint, since, programs }
}

const fn functions(tier: Tier, programs: &'static [Program]) -> Way {
    Way { tier, since: OLDEST, programs }
}

const fn hook(name: &'static str, noun: &'static str, kinds: &'static [Kind], ways: &'static [Way]) -> Hook {
    Hook { name, noun, kinds, ways, absence: "" }
}

/// A hook whose places some kernels are built without.
const fn unless(absence: &'static str, hook: Hook) -> Hook {
    Hook { absence, ..hook }
}

/// The oldest kernel that is supported.
const OLDEST: (u16, u16) = (5, 10);

/// The function that every open by name ends in, under the names that kernels have for it.
const OPEN: &str = "do_filp_open|do_file_open";

/// All rows. The hooks that the others' meaning rests on stand first.
pub const HOOKS: &[Hook] = &[
    hook("cgroup_made", "process", &[Kind::CgroupMade], &[tracepoints(OLDEST, &[typed("cgroup_mkdir")])]),
    hook("cgroup_gone", "process", &[Kind::CgroupGone], &[tracepoints(OLDEST, &[typed("cgroup_rmdir")])]),
    hook("fork", "process", &[Kind::Fork], &[tracepoints(OLDEST, &[typed("sched_process_fork")])]),
    hook("exec", "process", &[Kind::Exec], &[tracepoints(OLDEST, &[typed("sched_process_exec")])]),
    hook("exit", "process", &[Kind::Exit], &[tracepoints(OLDEST, &[typed("sched_process_exit")])]),
    hook(
        "tcp",
        "network",
        &[Kind::Connect, Kind::Close, Kind::SocketListen],
        &[tracepoints(OLDEST, &[typed("inet_sock_set_state")])],
    ),
    hook(
        "accept",
        "network",
        &[Kind::Accept],
        &[
            functions(Tier::Fentry, &[on("fexit_accept", Attach::Fexit("inet_accept"))]),
            functions(
                Tier::Kprobe,
                &[
                    on("kprobe_accept", Attach::Kprobe("inet_accept")),
                    on("kretprobe_accept", Attach::Kretprobe("inet_accept")),
                ],
            ),
            tracepoints(OLDEST, &[syscall("sys_exit_accept", "accept"), syscall("sys_exit_accept4", "accept4")]),
        ],
    ),
    hook(
        "datagram",
        "network",
        &[Kind::Datagram],
        &[tracepoints(
            OLDEST,
            &[
                on("connect4", Attach::RootCgroupAddress),
                on("connect6", Attach::RootCgroupAddress),
                on("sendmsg4", Attach::RootCgroupAddress),
                on("sendmsg6", Attach::RootCgroupAddress),
            ],
        )],
    ),
    hook(
        "payload",
        "network",
        &[Kind::Dns, Kind::ClientHello],
        &[tracepoints(
            OLDEST,
            &[on("payload_out", Attach::RootCgroupEgress), on("payload_in", Attach::RootCgroupIngress)],
        )],
    ),
    hook("socket", "network", &[Kind::SocketMade], &[tracepoints(OLDEST, &[syscall("sys_exit_socket", "socket")])]),
    hook("bind", "network", &[Kind::SocketBind], &[tracepoints(OLDEST, &[syscall("sys_exit_bind", "bind")])]),
    hook("listen", "network", &[Kind::SocketListen], &[tracepoints(OLDEST, &[syscall("sys_exit_listen", "listen")])]),
    hook(
        "connect",
        "network",
        &[Kind::SocketConnect],
        &[tracepoints(OLDEST, &[syscall("sys_exit_connect", "connect")])],
    ),
    hook(
        "open",
        "file",
        &[Kind::FileOpen],
        &[
            functions(Tier::Fentry, &[on("fexit_open", Attach::Fexit(OPEN))]),
            functions(
                Tier::Kprobe,
                &[on("kprobe_open", Attach::Kprobe(OPEN)), on("kretprobe_open", Attach::Kretprobe(OPEN))],
            ),
            tracepoints(
                OLDEST,
                &[
                    syscall_if_any("sys_exit_open", "open"),
                    syscall("sys_exit_openat", "openat"),
                    syscall_if_any("sys_exit_openat2", "openat2"),
                    syscall_if_any("sys_exit_creat", "creat"),
                    request("uring_open"),
                ],
            ),
        ],
    ),
    hook(
        "open_by_handle",
        "file",
        &[Kind::FileOpen],
        &[tracepoints(OLDEST, &[syscall("sys_exit_open_by_handle_at", "open_by_handle_at")])],
    ),
    hook(
        "unlink",
        "file",
        &[Kind::FileUnlink],
        objects!(
            "path_unlink": "lsm_unlink", "fentry_unlink", "kprobe_unlink";
            "path_rmdir": "lsm_rmdir", "fentry_rmdir", "kprobe_rmdir";
            or tracepoints(
                OLDEST,
                &[
                    syscall_if_any("sys_exit_unlink", "unlink"),
                    syscall("sys_exit_unlinkat", "unlinkat"),
                    syscall_if_any("sys_exit_rmdir", "rmdir"),
                    request("uring_unlink"),
                ],
            )
        ),
    ),
    hook(
        "rename",
        "file",
        &[Kind::FileRename],
        objects!(
            "path_rename": "lsm_rename", "fentry_rename", "kprobe_rename";
            or tracepoints(
                OLDEST,
                &[
                    syscall_if_any("sys_exit_rename", "rename"),
                    syscall_if_any("sys_exit_renameat", "renameat"),
                    syscall("sys_exit_renameat2", "renameat2"),
                    request("uring_rename"),
                ],
            )
        ),
    ),
    hook(
        "chmod",
        "file",
        &[Kind::FileChmod],
        objects!(
            "path_chmod": "lsm_chmod", "fentry_chmod", "kprobe_chmod";
            or tracepoints(
                OLDEST,
                &[
                    syscall_if_any("sys_exit_chmod", "chmod"),
                    syscall("sys_exit_fchmod", "fchmod"),
                    syscall("sys_exit_fchmodat", "fchmodat"),
                    syscall_if_any("sys_exit_fchmodat2", "fchmodat2"),
                ],
            )
        ),
    ),
    hook(
        "link",
        "file",
        &[Kind::FileLink, Kind::FileSymlink],
        &[tracepoints(
            OLDEST,
            &[
                syscall_if_any("sys_exit_link", "link"),
                syscall("sys_exit_linkat", "linkat"),
                syscall_if_any("sys_exit_symlink", "symlink"),
                syscall("sys_exit_symlinkat", "symlinkat"),
            ],
        )],
    ),
    hook(
        "make",
        "file",
        &[Kind::FileMade],
        &[tracepoints(
            OLDEST,
            &[
                syscall_if_any("sys_exit_mkdir", "mkdir"),
                syscall("sys_exit_mkdirat", "mkdirat"),
                syscall_if_any("sys_exit_mknod", "mknod"),
                syscall("sys_exit_mknodat", "mknodat"),
            ],
        )],
    ),
    hook(
        "truncate",
        "file",
        &[Kind::FileSize],
        &[tracepoints(OLDEST, &[syscall("sys_exit_truncate", "truncate"), syscall("sys_exit_ftruncate", "ftruncate")])],
    ),
    hook(
        "owner",
        "file",
        &[Kind::FileOwner],
        &[tracepoints(
            OLDEST,
            &[
                syscall_if_any("sys_exit_chown", "chown"),
                syscall_if_any("sys_exit_lchown", "lchown"),
                syscall("sys_exit_fchown", "fchown"),
                syscall("sys_exit_fchownat", "fchownat"),
            ],
        )],
    ),
    hook(
        "times",
        "file",
        &[Kind::FileTimes],
        &[tracepoints(
            OLDEST,
            &[
                syscall_if_any("sys_exit_utime", "utime"),
                syscall_if_any("sys_exit_utimes", "utimes"),
                syscall_if_any("sys_exit_futimesat", "futimesat"),
                syscall("sys_exit_utimensat", "utimensat"),
            ],
        )],
    ),
    hook(
        "attribute",
        "file",
        &[Kind::FileAttribute],
        &[tracepoints(
            OLDEST,
            &[
                syscall("sys_exit_setxattr", "setxattr"),
                syscall("sys_exit_lsetxattr", "lsetxattr"),
                syscall("sys_exit_fsetxattr", "fsetxattr"),
                syscall_if_any("sys_exit_setxattrat", "setxattrat"),
                syscall("sys_exit_removexattr", "removexattr"),
                syscall("sys_exit_lremovexattr", "lremovexattr"),
                syscall("sys_exit_fremovexattr", "fremovexattr"),
                syscall_if_any("sys_exit_removexattrat", "removexattrat"),
            ],
        )],
    ),
    hook("map", "file", &[Kind::FileMapped], &[tracepoints(OLDEST, &[syscall("sys_exit_mmap", "mmap")])]),
    hook(
        "copy",
        "file",
        &[Kind::FileCopied],
        &[tracepoints(
            OLDEST,
            &[syscall("sys_exit_splice", "splice"), syscall("sys_exit_copy_file_range", "copy_file_range")],
        )],
    ),
    hook(
        "clone",
        "file",
        &[Kind::FileCopied],
        &[
            functions(Tier::Fentry, &[on("fexit_clone", Attach::Fexit("vfs_clone_file_range"))]),
            functions(Tier::Kprobe, &[on("kprobe_clone", Attach::Kprobe("vfs_clone_file_range"))]),
            tracepoints(OLDEST, &[syscall("sys_exit_ioctl", "ioctl")]),
        ],
    ),
    hook(
        "handle",
        "file",
        &[Kind::FileHandle],
        &[tracepoints(OLDEST, &[syscall("sys_exit_name_to_handle_at", "name_to_handle_at")])],
    ),
    privilege::CREDENTIALS,
    privilege::REACH,
    privilege::NAMESPACES,
    privilege::ROOT,
    privilege::USERFAULT,
    privilege::KEY,
    privilege::EXECUTABLE,
    kernel::MODULE,
    kernel::BPF,
    kernel::PERF_EVENT,
    kernel::KEXEC,
    kernel::URING,
    kernel::URING_REQUEST,
    kernel::MOUNT,
    kernel::SYSCTL,
    kernel::TAMPER,
    hook(
        "quarantine",
        "network",
        &[],
        &[tracepoints(
            OLDEST,
            &[on("quarantine_egress", Attach::Quarantine), on("quarantine_ingress", Attach::Quarantine)],
        )],
    ),
];

//! The table of hooks as data: which program hangs where, what it tells, on which tier, since which kernel. A new tier is a
//! new row here and a program of the row's name; the agent attaches each row on its own.

/// The way into the kernel, from the one that most kernels and lockdowns allow to the one that sees most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Tracepoints, typed or not, and programs of cgroups.
    Tracepoint,
}

impl Tier {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attach {
    /// A tracepoint whose arguments the kernel types.
    BtfTracepoint(&'static str),
    /// The end of one system call, by its name.
    SyscallExit(&'static str),
    /// The root of the version 2 cgroup tree, for socket addresses.
    RootCgroupAddress,
    /// A cgroup, when it is quarantined.
    Quarantine,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The program in the object; also how the hook is named in reports.
    pub program: &'static str,
    /// Where it hangs.
    pub attach: Attach,
    /// What it tells about.
    pub noun: &'static str,
    /// By which way.
    pub tier: Tier,
    /// First kernel that has the hook and lets this program in.
    pub since: (u16, u16),
}

const fn row(program: &'static str, attach: Attach, noun: &'static str, since: (u16, u16)) -> Hook {
    Hook { program, attach, noun, tier: Tier::Tracepoint, since }
}

const fn typed(program: &'static str, point: &'static str, noun: &'static str) -> Hook {
    row(program, Attach::BtfTracepoint(point), noun, (5, 12))
}

const fn syscall(program: &'static str, name: &'static str, noun: &'static str) -> Hook {
    row(program, Attach::SyscallExit(name), noun, (5, 15))
}

/// All rows. The hooks that the others' meaning rests on stand first.
pub const HOOKS: &[Hook] = &[
    typed("cgroup_mkdir", "cgroup_mkdir", "process"),
    typed("cgroup_rmdir", "cgroup_rmdir", "process"),
    typed("sched_process_fork", "sched_process_fork", "process"),
    typed("sched_process_exec", "sched_process_exec", "process"),
    typed("sched_process_exit", "sched_process_exit", "process"),
    typed("inet_sock_set_state", "inet_sock_set_state", "network"),
    syscall("sys_exit_accept", "accept", "network"),
    syscall("sys_exit_accept4", "accept4", "network"),
    row("connect4", Attach::RootCgroupAddress, "network", (5, 12)),
    row("connect6", Attach::RootCgroupAddress, "network", (5, 12)),
    row("sendmsg4", Attach::RootCgroupAddress, "network", (5, 12)),
    row("sendmsg6", Attach::RootCgroupAddress, "network", (5, 12)),
    syscall("sys_exit_open", "open", "file"),
    syscall("sys_exit_openat", "openat", "file"),
    syscall("sys_exit_openat2", "openat2", "file"),
    syscall("sys_exit_creat", "creat", "file"),
    syscall("sys_exit_unlink", "unlink", "file"),
    syscall("sys_exit_unlinkat", "unlinkat", "file"),
    syscall("sys_exit_rmdir", "rmdir", "file"),
    syscall("sys_exit_rename", "rename", "file"),
    syscall("sys_exit_renameat", "renameat", "file"),
    syscall("sys_exit_renameat2", "renameat2", "file"),
    syscall("sys_exit_chmod", "chmod", "file"),
    syscall("sys_exit_fchmod", "fchmod", "file"),
    syscall("sys_exit_fchmodat", "fchmodat", "file"),
    syscall("sys_exit_fchmodat2", "fchmodat2", "file"),
    syscall("sys_exit_userfaultfd", "userfaultfd", "privilege"),
    syscall("sys_exit_io_uring_setup", "io_uring_setup", "kernel"),
    row("quarantine_egress", Attach::Quarantine, "network", (5, 12)),
    row("quarantine_ingress", Attach::Quarantine, "network", (5, 12)),
];

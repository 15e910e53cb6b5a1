//! The table of hooks as data: what is told, by which ways, which programs hang where for each, since which kernel. A new way is
//! a new line here and a program of that name; the agent takes the first way that the running kernel grants.

mod table;

use crate::header::Kind;

pub use table::HOOKS;

/// The way into the kernel, from the one that most kernels and lockdowns allow to the one that sees most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Tracepoints, typed or not, and programs of cgroups.
    Tracepoint,
    /// Probes at the begin and the end of the kernel's functions, by breakpoint.
    Kprobe,
    /// The same by trampoline, with types.
    Fentry,
    /// The kernel's own security hooks.
    Lsm,
}

impl Tier {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// All tiers, the best first: the order in which the ways of a hook stand and are tried.
    pub const ALL: [Self; Self::COUNT] = [Self::Lsm, Self::Fentry, Self::Kprobe, Self::Tracepoint];

    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tracepoint => "tracepoint",
            Self::Kprobe => "kprobe",
            Self::Fentry => "fentry",
            Self::Lsm => "lsm",
        }
    }
}

/// How a program is attached. Functions of the kernel that were renamed stand with all their names, `|` between them: the
/// first that the running kernel has is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attach {
    /// A security hook.
    Lsm(&'static str),
    /// The begin of a function, by trampoline.
    Fentry(&'static str),
    /// The end of a function, by trampoline.
    Fexit(&'static str),
    /// The begin of a function, by breakpoint.
    Kprobe(&'static str),
    /// The end of a function, by breakpoint.
    Kretprobe(&'static str),
    /// A tracepoint whose arguments the kernel types.
    BtfTracepoint(&'static str),
    /// A tracepoint as tracefs shows it.
    Tracepoint {
        /// The folder of tracefs.
        category: &'static str,
        /// The tracepoint in it.
        name: &'static str,
    },
    /// The begin of one system call, by its name: only where its end does not know what was before.
    SyscallEnter(&'static str),
    /// The end of one system call, by its name.
    SyscallExit(&'static str),
    /// The root of the version 2 cgroup tree, for settings below `/proc/sys`.
    RootCgroupSysctl,
    /// The root of the version 2 cgroup tree, for socket addresses.
    RootCgroupAddress,
    /// The same, for the packets that its sockets send.
    RootCgroupEgress,
    /// The same, for the packets that its sockets receive.
    RootCgroupIngress,
    /// A cgroup, when it is quarantined: until then the program is only loaded.
    Quarantine,
}

/// A program of the object, and where it hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name in the object.
    pub name: &'static str,
    /// Where it hangs.
    pub attach: Attach,
    /// The way is whole without it: the place is one that some kernels or machines do not have.
    pub optional: bool,
}

/// One way to tell what a hook tells: all its programs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// How good it is.
    pub tier: Tier,
    /// First kernel that has the places and lets these programs in.
    pub since: (u16, u16),
    /// What is attached.
    pub programs: &'static [Program],
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// How it is named in reports.
    pub name: &'static str,
    /// What it tells about.
    pub noun: &'static str,
    /// The records it gives; none: it only acts.
    pub kinds: &'static [Kind],
    /// The ways to it, the best first.
    pub ways: &'static [Way],
    /// Where none of its places is there, this is why: what such a kernel cannot do, so that there is nothing to see. Empty: every
    /// kernel has some of them.
    pub absence: &'static str,
}

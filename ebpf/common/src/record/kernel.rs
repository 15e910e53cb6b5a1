//! Bodies of changes to the kernel itself, and of ways into it beside system calls.
//!
//! `call` is the number of the system call on this machine, or one of [`super::privilege::way`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Texts;
use super::privilege::Target;

/// Longest value of a setting that is sent, its end cut off where it is longer.
pub const MAX_VALUE: usize = 128;

/// A kernel module. Texts: its name, the file that was given, its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Module {
    /// The call, or that the kernel has taken it in.
    pub call: u32,
    /// As given.
    pub flags: u32,
    /// 0 or negative errno.
    pub result: i32,
    /// Of `init_module`: bytes of the image.
    pub size: u32,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// A command of bpf(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Bpf {
    /// `BPF_*`.
    pub command: u32,
    /// Descriptor, 0, or negative errno.
    pub result: i32,
    /// Number of the program, map or link that the command made or is about; 0 where it is not known.
    pub id: u32,
    /// Of a program: `BPF_PROG_TYPE_*`.
    pub program_type: u32,
    /// `BPF_ATTACH_TYPE_*`.
    pub attach_type: u32,
    /// Instructions of a program that is loaded.
    pub instructions: u32,
    /// Where it is attached, as given: a descriptor or an interface.
    pub place: u32,
    /// Zero.
    pub reserved: u32,
    /// Of a program or map, ended by zero bytes.
    pub name: [u8; 16],
}

/// `perf_event_open(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PerfEvent {
    /// What is counted, in the words of the source.
    pub config: u64,
    /// Counts, or samples a second, between two overflows; 0: it never overflows.
    pub period: u64,
    /// `PERF_TYPE_*`, or the number of a source that the kernel made up.
    pub source: u32,
    /// Whose, as given: -1 all.
    pub pid: i32,
    /// Where: -1 everywhere.
    pub cpu: i32,
    /// Descriptor, or negative errno.
    pub result: i32,
    /// As given.
    pub flags: u64,
}

/// `kexec_load(2)` or `kexec_file_load(2)`. Texts: the kernel's file, where one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Kexec {
    /// As given.
    pub flags: u64,
    /// The call.
    pub call: u32,
    /// 0 or negative errno.
    pub result: i32,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// `io_uring_setup(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UringSetup {
    /// Requests that the ring holds, as given.
    pub entries: u32,
    /// `IORING_SETUP_*`, as given.
    pub flags: u32,
    /// Descriptor, or negative errno.
    pub result: i32,
    /// Zero.
    pub reserved: u32,
}

/// `io_uring_register(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UringRegister {
    /// `IORING_REGISTER_*`.
    pub opcode: u32,
    /// Entries that were given.
    pub count: u32,
    /// 0 or more, or negative errno.
    pub result: i32,
    /// The ring's descriptor.
    pub descriptor: i32,
}

/// A request that an `io_uring` took: what becomes of it is not known yet. Texts: the name that it gives, or the path of the device that a command
/// is for; the second name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UringRequest {
    /// `IORING_OP_*`.
    pub opcode: u32,
    /// Requests of the same process with the same opcode that were counted and not sent since the record before this one.
    pub repeats: u32,
    /// The descriptor that it names, or where its name starts.
    pub descriptor: i32,
    /// 1: a thread of the kernel took it from the ring, without a system call.
    pub polled: u32,
    /// Of a command for a device: which.
    pub command: u32,
    /// 1: the descriptor is a place in the ring's own table of files.
    pub fixed_file: u32,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// A mount, its moving or its end. Texts: source, target, where the target starts if it is relative, type (or key, of `fsconfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mount {
    /// As given.
    pub flags: u64,
    /// The call.
    pub call: u32,
    /// Descriptor, 0, or negative errno.
    pub result: i32,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// A setting below `/proc/sys` is being written: whether the kernel then takes the value is not known. Texts: its name below that folder, the
/// value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sysctl {
    /// Where in the file.
    pub position: u64,
    /// Lengths of the texts.
    pub texts: Texts,
}

/// What was done to the agent.
pub mod tamper {
    /// A signal was sent to it.
    pub const SIGNAL: u32 = 1;
    /// Its cgroup was frozen.
    pub const FREEZE: u32 = 2;
}

/// Somebody reached for the agent, by a way that has no record of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tamper {
    /// The agent.
    pub target: Target,
    /// Of [`tamper`].
    pub what: u32,
    /// Of a signal: which.
    pub signal: u32,
    /// Of a signal: who sent it, as siginfo(7) has it in `si_code`.
    pub code: i32,
    /// Of a signal: 0 it was delivered.
    pub result: i32,
}

//! Requests to an `io_uring`: work that is done without its own system call. Told when the kernel has taken the request, before it is done:
//! what becomes of it is not known here.
//!
//! The first of each kind that a process makes is told at once, in the ring that nothing fills. Then those that name a file are told each, with
//! the files; all others are counted.
//!
//! What this does not see: the peer of a connect, which the socket's own hook tells; before 6.1 the names, which the kernel reads later; before 5.12, which process it is that had a thread of
//! the kernel poll its ring.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use ebpf_common::header::flag;
use ebpf_common::record::{Texts, UringRequest};
use ebpf_common::{Class, Kind};

use super::file::Record;
use super::guard::{self, Again, Repeat};
use crate::identity::Identity;
use crate::read::Known;
use crate::{config, filter, offset, read};

// Of `enum io_uring_op`.
const OPEN: u32 = 18;
const OPEN_2: u32 = 28;
const RENAME: u32 = 35;
const UNLINK: u32 = 36;
const MAKE_FOLDER: u32 = 37;
const SYMBOLIC_LINK: u32 = 38;
const LINK: u32 = 39;
/// What a device's own driver is asked, as by `ioctl`.
const COMMAND: u32 = 46;

/// What stands in [`Again::what`] beside the opcode.
const REQUEST: u32 = 1 << 31;
/// `io_uring_submit_sqe` of 5.10 has the opcode and no request, that of 5.15 both, that of 6.1 and all of `io_uring_submit_req` the request.
const ONLY_OPCODE: u32 = 6;
const BOTH: u32 = 8;

/// `io_uring_submit_req`, since 6.3.
/// `io_submit_sqe` in <https://github.com/torvalds/linux/blob/v6.18/io_uring/io_uring.c>
#[btf_tracepoint(function = "io_uring_submit_req")]
fn io_uring_submit_req(context: BtfTracePointContext) -> i32 {
    by_request(context.arg(0));
    0
}

/// `io_uring_submit_sqe`, before 6.3.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
fn io_uring_submit_sqe(context: BtfTracePointContext) -> i32 {
    match config!(uring_arguments) {
        ONLY_OPCODE => requested(0, context.arg::<u64>(1) as u32 & 0xff),
        BOTH => requested(0, context.arg::<u64>(2) as u32 & 0xff),
        _ => by_request(context.arg(0)),
    };
    0
}

#[inline(always)]
fn by_request(request: u64) -> Option<()> {
    requested(request, u32::from(read::field::<u8>(request, offset!(uring_opcode))?))
}

/// `request`: 0 where its content is not known yet.
#[inline(always)]
fn requested(request: u64, opcode: u32) -> Option<()> {
    if filter::excluded(Class::Kernel) {
        return None;
    }
    let names = matches!(opcode, OPEN | OPEN_2 | RENAME | UNLINK | MAKE_FOLDER | SYMBOLIC_LINK | LINK);
    let identity = Identity::current()?;
    let command = if opcode == COMMAND && request != 0 { Command::of(request) } else { Command::NONE };
    // Another device is another thing, and so is another command for it.
    let target = u64::from(command.number) << 32 | u64::from(command.descriptor as u32);
    let key = Again { start_ns: identity.start_ns, target, pid: identity.pid, what: REQUEST | opcode };
    let (class, repeats) = match guard::again(Class::Kernel, key) {
        Repeat::Tell(repeats) => (Class::Kernel, repeats),
        Repeat::Counted if names => (Class::File, 0),
        Repeat::Counted => return None,
    };
    let mut record = guard::begin(class, size_of::<UringRequest>())?;
    let mut descriptor = -1;
    let mut texts = Texts::default();
    if request == 0 {
        record.mark(if names { flag::FIELD_MISSING } else { 0 });
    } else {
        texts = named(&mut record, request, opcode, &command);
        descriptor = if matches!(opcode, OPEN | OPEN_2) {
            read::field(request, offset!(uring_open_directory)).unwrap_or(-1)
        } else {
            read::field(request, offset!(uring_descriptor)).unwrap_or(-1)
        };
    }
    let body = UringRequest {
        opcode,
        repeats,
        descriptor,
        polled: u32::from(is_polled()),
        command: command.number,
        fixed_file: command.fixed_file,
        texts,
    };
    guard::end(record, Kind::UringRequest, flag::ATTEMPT, body);
    Some(())
}

/// A command for a device.
struct Command {
    number: u32,
    descriptor: i32,
    fixed_file: u32,
}

impl Command {
    const NONE: Self = Self { number: 0, descriptor: 0, fixed_file: 0 };

    #[inline(always)]
    fn of(request: u64) -> Self {
        /// Of the flags of a request: its descriptor is a place in the ring's own table.
        const FIXED_FILE: u32 = 1;
        Self {
            number: read::field(request, offset!(uring_command_number)).unwrap_or(0),
            descriptor: read::field(request, offset!(uring_descriptor)).unwrap_or(-1),
            fixed_file: read::field::<u32>(request, offset!(uring_flags)).unwrap_or(0) & FIXED_FILE,
        }
    }
}

/// The names that a request gives, as the kernel has copied them; what it is asked about stands at the begin of the request.
#[inline(always)]
fn named(record: &mut Record, request: u64, opcode: u32, command: &Command) -> Texts {
    match opcode {
        OPEN | OPEN_2 => [name(record, request, offset!(uring_open_name)), 0, 0, 0],
        UNLINK => [name(record, request, offset!(uring_unlink_name)), 0, 0, 0],
        MAKE_FOLDER => [name(record, request, offset!(uring_mkdir_name)), 0, 0, 0],
        RENAME => {
            let old = name(record, request, offset!(uring_rename_old));
            [old, name(record, request, offset!(uring_rename_new)), 0, 0]
        }
        LINK | SYMBOLIC_LINK => {
            let old = name(record, request, offset!(uring_link_old));
            [old, name(record, request, offset!(uring_link_new)), 0, 0]
        }
        COMMAND if command.fixed_file == 0 => [super::kernel::opened(record, command.descriptor), 0, 0, 0],
        COMMAND => {
            record.mark(flag::FIELD_MISSING);
            Texts::default()
        }
        _ => Texts::default(),
    }
}

#[inline(always)]
fn name(record: &mut Record, request: u64, place: u32) -> u16 {
    let text = read::pointer(request, place).and_then(|name| read::pointer(name, offset!(filename_name)));
    let length = text.and_then(|text| record.kernel_string(text, guard::NAME));
    record.mark(if length.is_none() { flag::FIELD_MISSING } else { 0 });
    length.map_or(0, |(length, _)| length)
}

/// A thread of the kernel took the request: one that never runs the process's own code.
#[inline(always)]
fn is_polled() -> bool {
    /// Of `task_struct.flags`: a worker of the process's ring, since 5.12; a thread of the kernel.
    const WORKERS: u32 = 0x10 | 0x20_0000;
    const USER_WORKER: u32 = 0x4000;
    Known::task().field::<u32>(offset!(task_flags)) & (WORKERS | USER_WORKER) != 0
}

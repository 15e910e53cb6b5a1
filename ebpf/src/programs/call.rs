//! A system call at its end: what it was given and what it answered. Takes the hook's context; gives numbers, and files by
//! descriptor.
//!
//! What it does not see: calls of 32-bit programs (the kernel does not trace those here), and the same work done by `io_uring`.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};
use aya_ebpf::programs::TracePointContext;

use crate::identity::current_task;
use crate::path::Place;
use crate::read::Known;
use crate::{config, offset, read};

/// Where the answer stands behind a syscall tracepoint's common fields and number, the same on all 64-bit machines.
/// <https://github.com/torvalds/linux/blob/v6.18/include/trace/syscall.h>
const ANSWER: usize = 16;
/// Where its number stands.
const NUMBER: usize = 8;

/// `AT_FDCWD`: relative names start at the working directory.
pub const WORKING_DIRECTORY: i32 = -100;

/// What the call answered: a descriptor or 0, or a negative errno.
#[inline(always)]
pub fn answer(context: &TracePointContext) -> i32 {
    // SAFETY: eight aligned bytes inside the context; the verifier checks them against this program type.
    let answer = unsafe { context.as_ptr().cast::<i64>().add(ANSWER / size_of::<i64>()).read() };
    answer as i32
}

/// What the call answered: an address, or a negative errno.
#[inline(always)]
pub fn address(context: &TracePointContext) -> u64 {
    // SAFETY: as in `answer`.
    unsafe { context.as_ptr().cast::<u64>().add(ANSWER / size_of::<u64>()).read() }
}

/// The negative errno that such an answer is; 0: it is an address.
#[inline(always)]
pub fn failure(address: u64) -> i32 {
    const LARGEST: u64 = 4095;
    if address > u64::MAX - LARGEST { address as i32 } else { 0 }
}

/// The number of the call on this machine.
#[inline(always)]
pub fn number(context: &TracePointContext) -> u32 {
    // SAFETY: four aligned bytes inside the context; the verifier checks them against this program type.
    unsafe { context.as_ptr().cast::<u32>().add(NUMBER / size_of::<u32>()).read() }
}

/// The current process, in the host's pid namespace.
#[inline(always)]
pub fn process() -> u32 {
    Known::task().field(offset!(task_tgid))
}

/// The registers that the call was entered with.
#[derive(Clone, Copy)]
pub struct Arguments(u64);

impl Arguments {
    /// Of the call that ends now.
    #[inline(always)]
    pub fn current() -> Self {
        let from_stack = config!(registers_in_stack);
        if from_stack == 0 {
            // SAFETY: the task is the current one, as the second helper demands of its argument's type.
            return Self(unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64);
        }
        Self(Known::task().field::<u64>(offset!(task_stack)) + u64::from(from_stack))
    }

    #[inline(always)]
    pub fn first(self) -> u64 {
        read::or_zero(self.0, offset!(argument_0))
    }

    #[inline(always)]
    pub fn second(self) -> u64 {
        read::or_zero(self.0, offset!(argument_1))
    }

    #[inline(always)]
    pub fn third(self) -> u64 {
        read::or_zero(self.0, offset!(argument_2))
    }

    #[inline(always)]
    pub fn fourth(self) -> u64 {
        read::or_zero(self.0, offset!(argument_3))
    }

    #[inline(always)]
    pub fn fifth(self) -> u64 {
        read::or_zero(self.0, offset!(argument_4))
    }
}

/// The `struct file` behind a descriptor of the current process.
#[inline(always)]
pub fn file(descriptor: i32) -> Option<u64> {
    if descriptor < 0 {
        return None;
    }
    let table = Known::task().follow(offset!(task_files))?.follow(offset!(files_fdt))?;
    if descriptor as u32 >= table.field::<u32>(offset!(fdtable_max_fds)) {
        return None;
    }
    let slots = table.field::<u64>(offset!(fdtable_fd));
    read::kernel::<u64>(slots + descriptor as u64 * 8).filter(|file| *file != 0)
}

/// Where a relative name starts.
#[inline(always)]
pub fn directory(descriptor: i32) -> Option<Place> {
    if descriptor == WORKING_DIRECTORY {
        let fs = read::pointer(current_task(), offset!(task_fs))?;
        return Place::read(fs + u64::from(offset!(fs_pwd)));
    }
    Place::read(file(descriptor)? + u64::from(offset!(file_path)))
}

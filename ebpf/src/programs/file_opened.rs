//! Opens at the end of the kernel's own function for them, through which every way to open by name goes: system calls of 64 and
//! 32 bits, `io_uring`. It gives the file that was really opened, or why there is none, and the name as the kernel copied it: a
//! thread that changes the name's bytes, or puts another folder in a descriptor's place, changes nothing here.
//!
//! What it does not see: opens by handle, which go another way; files that the kernel opens for itself (a queue of messages, the
//! layers below an overlay).

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::{fexit, kprobe, kretprobe, map};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::file::{self, Open};
use crate::{offset, read};

/// What an open was asked, from its begin to its end.
#[derive(Clone, Copy)]
#[repr(C)]
struct Asked {
    directory: u64,
    name: u64,
    how: u64,
}

/// Thread → the open that it is in. It may forget: where a probe at the end was missed, the begin stays behind.
#[map]
static OPENING: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(4096, 0);

/// Pointers from here on are errors.
const HIGHEST_ERROR: u64 = 4095;
/// `io_uring` tries without waiting first, and then once more.
const AGAIN: i32 = -11;

/// The end of `do_filp_open`, since 5.10. See the module.
/// `do_filp_open` in <https://github.com/torvalds/linux/blob/v6.18/fs/namei.c>
#[fexit]
#[inline(always)]
fn fexit_open(context: FExitContext) -> u32 {
    const ANSWER: usize = 3;
    let asked = Asked { directory: context.arg(0), name: context.arg(1), how: context.arg(2) };
    opened(&asked, read::argument(&context, ANSWER));
    0
}

/// The begin of `do_filp_open`: what it was asked is gone from the registers when it ends.
#[kprobe]
fn kprobe_open(context: ProbeContext) -> u32 {
    if let (Some(directory), Some(name), Some(how)) = (context.arg(0), context.arg(1), context.arg(2)) {
        // A full table forgets its oldest by itself.
        let _kept = OPENING.insert(thread(), Asked { directory, name, how }, 0);
    }
    0
}

/// The end of `do_filp_open`. See the module. Misses: opens beyond what the kernel keeps return addresses for, when very many
/// threads wait in one at the same time.
#[kretprobe]
#[inline(always)]
fn kretprobe_open(context: RetProbeContext) -> u32 {
    // SAFETY: only this thread writes the entry, and it is here.
    let asked = OPENING.get_ptr(thread()).map(|asked| unsafe { *asked });
    if let Some(asked) = asked {
        let _forgotten = OPENING.remove(thread());
        opened(&asked, context.ret());
    }
    0
}

#[inline(always)]
fn thread() -> u64 {
    // SAFETY: takes nothing, gives a number.
    unsafe { bpf_get_current_pid_tgid() }
}

#[inline(always)]
fn opened(asked: &Asked, answer: u64) {
    let how = |result| Open {
        result,
        directory: asked.directory as i32,
        name: read::or_zero(asked.name, offset!(filename_name)),
        flags: read::or_zero(asked.how, offset!(open_flags_flags)),
        mode: u32::from(read::or_zero::<u16>(asked.how, offset!(open_flags_mode))),
    };
    if answer < HIGHEST_ERROR.wrapping_neg() {
        file::found(answer, || how(0));
        return;
    }
    let result = answer as i32;
    if result != AGAIN {
        file::gave_nothing(&how(result), |record, open| file::named_by_kernel(record, open.directory, open.name));
    }
}

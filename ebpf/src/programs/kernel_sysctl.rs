//! Settings below `/proc/sys`: the program hangs at the root of the cgroup tree, where the kernel asks whether a process may write
//! one, with the name and the value as the kernel has copied it. Never refuses anything.

use aya_ebpf::helpers::generated::{bpf_sysctl_get_name, bpf_sysctl_get_new_value};
use aya_ebpf::macros::cgroup_sysctl;
use aya_ebpf::programs::SysctlContext;
use ebpf_common::header::flag;
use ebpf_common::record::Sysctl;
use ebpf_common::record::kernel::MAX_VALUE;
use ebpf_common::{Class, Kind};

use super::guard;

const ALLOW: i32 = 1;
/// No setting's name is longer.
const MAX_SETTING: usize = 96;

/// `cgroup/sysctl`, since 5.2. Runs at each read and write of a setting; reads are not told.
/// `proc_sys_call_handler` in <https://github.com/torvalds/linux/blob/v6.18/fs/proc/proc_sysctl.c>
///
/// Does not see: whether the setting takes the value.
#[cgroup_sysctl]
fn sysctl(context: SysctlContext) -> i32 {
    // SAFETY: the context is valid for the run; the verifier allows reads of its fields.
    let (write, position) = unsafe { ((*context.sysctl).write, (*context.sysctl).file_pos) };
    if write != 0 {
        written(&context, position.into());
    }
    ALLOW
}

#[inline(always)]
fn written(context: &SysctlContext, position: u64) -> Option<()> {
    let mut record = guard::begin(Class::Kernel, size_of::<Sysctl>())?;
    let mut name = [0_u8; MAX_SETTING];
    // SAFETY: the context is the one that the program runs for, the room is as long as is said.
    let length = unsafe { bpf_sysctl_get_name(context.sysctl, name.as_mut_ptr().cast(), MAX_SETTING as u64, 0) };
    let name_length = text(&mut record, &name, length);
    let mut value = [0_u8; MAX_VALUE];
    // SAFETY: as above.
    let length = unsafe { bpf_sysctl_get_new_value(context.sysctl, value.as_mut_ptr().cast(), MAX_VALUE as u64) };
    let value_length = text(&mut record, &value, length);
    let body = Sysctl { position, texts: [name_length, value_length, 0, 0] };
    guard::end(record, Kind::Sysctl, flag::ATTEMPT, body);
    Some(())
}

/// Appends what a helper wrote; it answers with the length, or that it had to cut.
#[inline(always)]
fn text<const ROOM: usize>(record: &mut super::file::Record, from: &[u8; ROOM], answer: i64) -> u16 {
    const TOO_LONG: i64 = -7;
    if answer == TOO_LONG {
        record.mark(flag::SECOND_TRUNCATED);
    } else if answer < 0 {
        record.mark(flag::FIELD_MISSING);
        return 0;
    }
    let length = if answer < 0 { ROOM as u64 - 1 } else { answer as u64 };
    record.kernel_bytes(from.as_ptr() as u64, length, ROOM as u64)
}

//! Where this kernel keeps the fields that the programs read. Takes the kernel's own description of its types; gives every
//! offset, or the name of a field without which nothing works. Never guesses: a field that is not there is absent.

use std::fs;
use std::io;
use std::path::PathBuf;

use ebpf_common::offsets::{ABSENT, Field, Offsets};
use zerocopy::{FromBytes, IntoBytes};

use super::btf::{BtfError, Types};
use super::pages;

const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// Where overlayfs is a module, its structures are described here, once it is loaded.
const OVERLAY: &str = "/sys/kernel/btf/overlay";

/// Why the offsets are not known.
#[derive(Debug, thiserror::Error)]
pub enum OffsetError {
    /// The kernel does not describe its types.
    #[error("read the kernel's types from {path}")]
    Read {
        /// Where they should be.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The description cannot be understood.
    #[error("understand the kernel's types in {path}")]
    Types {
        /// Where they are.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: BtfError,
    },
    /// A field is missing.
    #[error("this kernel has no {structure}.{member}")]
    Field {
        /// The structure.
        structure: &'static str,
        /// The field.
        member: &'static str,
    },
}

/// What the programs must know about this kernel.
pub(super) struct Layout {
    pub(super) offsets: Offsets,
    /// `sched_process_exit` says itself whether the last thread ended.
    pub(super) exit_says_group_dead: bool,
    /// Programs may have the current task with its type.
    pub(super) typed_task: bool,
    /// Where a task's registers stand in its stack, for kernels that do not give them to programs; 0: this one does.
    pub(super) registers_in_stack: u32,
    /// How many arguments the tracepoint of a request to an `io_uring` has; 0: there is none.
    pub(super) uring_arguments: usize,
}

/// Bytes of a task's stack on x86-64 and on arm64, unless a page is larger: the registers of its system call stand at the very end.
/// `THREAD_SIZE` in <https://github.com/torvalds/linux/blob/v5.10/arch/arm64/include/asm/memory.h>
const STACK: u32 = 16 * 1024;

/// Looks everything up.
pub(super) fn layout() -> Result<Layout, OffsetError> {
    let kernel = types(KERNEL, None)?;
    let overlay = if fs::metadata(OVERLAY).is_ok() { Some(types(OVERLAY, Some(&kernel))?) } else { None };
    let mut values = Vec::with_capacity(Offsets::FIELDS.len());
    for field in Offsets::FIELDS {
        let found = find(&kernel, field).or_else(|| overlay.as_ref().and_then(|types| find(types, field)));
        match found {
            Some(value) => values.push(value),
            None if !field.required => values.push(ABSENT),
            None => return Err(OffsetError::Field { structure: field.structure, member: field.member }),
        }
    }
    let mut offsets = Offsets::read_from_bytes(values.as_bytes()).expect("one number for each field");
    overlay_without_types(&mut offsets, &kernel);
    // Its own context, the task, and since 6.16 the answer.
    let exit_says_group_dead = kernel.tracepoint_arguments("sched_process_exit") == Some(3);
    let registers_in_stack = match kernel.size_of("pt_regs") {
        Some(size) if !kernel.has_helper("BPF_FUNC_task_pt_regs") => STACK.max(pages::size()).saturating_sub(size),
        _ => 0,
    };
    let points = ["io_uring_submit_req", "io_uring_submit_sqe"];
    let uring_arguments = points.iter().find_map(|point| kernel.tracepoint_arguments(point)).unwrap_or(0);
    Ok(Layout {
        offsets,
        exit_says_group_dead,
        typed_task: kernel.has_helper("BPF_FUNC_get_current_task_btf"),
        registers_in_stack,
        uring_arguments,
    })
}

/// Before 5.11 a module's types are described nowhere. The upper file of an overlay's inode has stood right behind the inode that the
/// kernel knows, in every kernel that has an overlay filesystem.
/// `struct ovl_inode` in <https://github.com/torvalds/linux/blob/v5.10/fs/overlayfs/ovl_entry.h>
fn overlay_without_types(offsets: &mut Offsets, kernel: &Types<'_>) {
    if offsets.ovl_inode_vfs == ABSENT
        && offsets.ovl_inode_upper == ABSENT
        && let Some(size) = kernel.size_of("inode")
    {
        (offsets.ovl_inode_vfs, offsets.ovl_inode_upper) = (0, size);
    }
}

fn types<'a>(path: &str, base: Option<&'a Types<'a>>) -> Result<Types<'a>, OffsetError> {
    let bytes = fs::read(path).map_err(|cause| OffsetError::Read { path: path.into(), cause })?;
    Types::parse(bytes, base).map_err(|cause| OffsetError::Types { path: path.into(), cause })
}

fn find(types: &Types<'_>, field: &Field) -> Option<u32> {
    if field.member.is_empty() {
        return types.size_of(field.structure);
    }
    field.member.split('|').find_map(|member| types.offset_of(field.structure, member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_every_field() {
        if fs::metadata(KERNEL).is_err() {
            eprintln!("skipped: needs a kernel that describes its types");
            return;
        }
        let layout = layout().expect("the offsets of this kernel");
        assert_ne!(layout.offsets.task_tgid, ABSENT);
        assert_eq!(layout.offsets.task_pid + 4, layout.offsets.task_tgid);
    }
}

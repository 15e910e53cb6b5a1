//! Where this kernel keeps the fields that the programs read. Takes the kernel's own description of its types; gives every
//! offset, and for each program the field that it cannot do without and this kernel does not have. Never guesses: a field that is not
//! there is absent.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::EbpfError;
use ebpf_common::offsets::{ABSENT, Field, Offsets};
use zerocopy::{FromBytes, IntoBytes};

use super::btf::{BtfError, Types};
use super::{needs, pages, plain};
use crate::config::OWN_TYPES;

/// Where overlayfs is a module, its structures are described here, once it is loaded.
const OVERLAY: &str = "/sys/kernel/btf/overlay";

/// Why the offsets are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum OffsetError {
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
}

/// What the programs must know about this kernel.
pub(super) struct Layout {
    pub(super) offsets: Offsets,
    /// The numbers of the fields that some program needs and this kernel does not have.
    missing: Vec<usize>,
    /// `sched_process_exit` says itself whether the last thread ended.
    pub(super) exit_says_group_dead: bool,
    /// Programs may have the current task with its type.
    pub(super) typed_task: bool,
    /// The kernel's function that lets programs load from any address, by its number.
    pub(super) cast: Option<u32>,
    /// Where a task's registers stand in its stack, for kernels that do not give them to programs; 0: this one does.
    pub(super) registers_in_stack: u32,
    /// How many arguments the tracepoint of a request to an `io_uring` has; 0: there is none.
    pub(super) uring_arguments: usize,
}

/// Bytes of a task's stack on x86-64 and on arm64, unless a page is larger: the registers of its system call stand at the very end.
/// `THREAD_SIZE` in <https://github.com/torvalds/linux/blob/v5.10/arch/arm64/include/asm/memory.h>
const STACK: u32 = 16 * 1024;

impl Layout {
    /// Nothing is known: no program can be loaded with it.
    pub(super) const UNKNOWN: Self = Self {
        offsets: Offsets::ABSENT,
        missing: Vec::new(),
        exit_says_group_dead: false,
        typed_task: false,
        cast: None,
        registers_in_stack: 0,
        uring_arguments: 0,
    };
}

/// Looks everything up in the description of this kernel's types.
pub(super) fn layout(described: &Path) -> Result<Layout, OffsetError> {
    let kernel = types(described, None)?;
    let overlay = Path::new(OVERLAY);
    let overlay = if fs::metadata(overlay).is_ok() { Some(types(overlay, Some(&kernel))?) } else { None };
    let find = |field| find(&kernel, field).or_else(|| overlay.as_ref().and_then(|types| find(types, field)));
    let found: Vec<Option<u32>> = Offsets::FIELDS.iter().map(find).collect();
    let values: Vec<u32> = found.iter().map(|value| value.unwrap_or(ABSENT)).collect();
    let without = found.iter().zip(Offsets::FIELDS).enumerate();
    let missing = without.filter(|(_, (value, field))| field.required && value.is_none()).map(|(number, _)| number);
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
        missing: missing.collect(),
        exit_says_group_dead,
        // Its type is the kernel's own word, whatever a file says of it.
        typed_task: kernel.has_helper("BPF_FUNC_get_current_task_btf") && fs::metadata(OWN_TYPES).is_ok(),
        // The number of one kernel's function means another one's elsewhere.
        cast: if described == Path::new(OWN_TYPES) { plain::function(&kernel) } else { None },
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

impl Layout {
    /// Which programs of the object cannot work on this kernel, and what it lacks for them.
    pub(super) fn lacks(&self, object: &[u8]) -> Result<BTreeMap<String, String>, EbpfError> {
        if self.missing.is_empty() {
            return Ok(BTreeMap::new());
        }
        let lack = |(program, reads): (String, needs::Reads)| {
            let missing = self.missing.iter().filter(|number| reads.fields.contains(number));
            let names: Vec<String> = missing.filter_map(|number| Offsets::FIELDS.get(*number)).map(name).collect();
            (!names.is_empty()).then(|| (program, format!("this kernel has no {}", names.join(", "))))
        };
        Ok(needs::of(object)?.into_iter().filter_map(lack).collect())
    }
}

fn name(field: &Field) -> String {
    match field.member {
        "" => field.structure.to_owned(),
        member => format!("{}.{member}", field.structure),
    }
}

fn types<'a>(path: &Path, base: Option<&'a Types<'a>>) -> Result<Types<'a>, OffsetError> {
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
    fn types_that_are_described_elsewhere_are_as_good_and_none_are_a_reason() {
        let why = layout(Path::new("/nonexistent/types")).err().expect("there is no such file");
        assert_eq!(why.to_string(), "read the kernel's types from /nonexistent/types");
        let Ok(own) = layout(Path::new(OWN_TYPES)) else {
            return eprintln!("skipped: needs a kernel that describes its types");
        };
        let folder = tempfile::tempdir().expect("make a folder");
        let copy = folder.path().join("types");
        fs::copy(OWN_TYPES, &copy).expect("copy the kernel's types");
        let copied = layout(&copy).expect("the same types");
        assert_eq!((copied.offsets, copied.uring_arguments), (own.offsets, own.uring_arguments));
    }

    #[test]
    fn this_kernel_has_every_field() {
        if fs::metadata(OWN_TYPES).is_err() {
            eprintln!("skipped: needs a kernel that describes its types");
            return;
        }
        let layout = layout(Path::new(OWN_TYPES)).expect("the offsets of this kernel");
        assert_eq!(layout.missing, Vec::<usize>::new());
        assert_ne!(layout.offsets.task_tgid, ABSENT);
        assert_eq!(layout.offsets.task_pid + 4, layout.offsets.task_tgid);
    }
}

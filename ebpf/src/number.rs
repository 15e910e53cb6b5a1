//! Numbers that an interrupt may change at the same moment. Takes a map's slot; gives what stood there before. The one place
//! for it, because the compiler offers this target no atomic types, though its instructions are there.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

/// Adds in one instruction.
///
/// # Safety
///
/// `slot` is eight aligned bytes of a map's value.
#[inline(always)]
pub unsafe fn add(slot: *mut u64, by: u64) -> u64 {
    // SAFETY: as the caller promises. A weaker order would do, but for that the compiler emits an instruction that gives
    // nothing back.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(slot, by) }
}

/// Adds in one instruction, without looking at what stood there.
///
/// # Safety
///
/// `slot` is eight aligned bytes of a map's value.
#[inline(always)]
pub unsafe fn count(slot: *mut u64, by: u64) {
    // SAFETY: as the caller promises. The weakest order: the compiler then emits the instruction that gives nothing back, which
    // every kernel takes.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(slot, by) };
}

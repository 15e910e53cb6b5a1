//! Numbers that others on the same CPU may change at the same moment: an interrupt, or the task that comes in between. Takes a
//! map's slot. The one place for it, because the compiler offers this target no atomic types, and because the oldest kernels
//! know one such instruction only: it adds, and gives nothing back.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

/// Adds in one instruction.
///
/// # Safety
///
/// `slot` is eight aligned bytes of a map's value.
#[inline(always)]
pub unsafe fn count(slot: *mut u64, by: u64) {
    // SAFETY: as the caller promises. The weakest order: for a stronger one the compiler emits the instruction that gives back
    // what stood there, and a kernel before 5.12 refuses an object that holds it anywhere.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(slot, by) };
}

/// Takes what one program of this CPU may have at a time. Of two that meet, at most one gets it, and perhaps none; each has to
/// [`leave`] in any case.
///
/// # Safety
///
/// `users` is eight aligned bytes of this CPU's value of a map, and is changed by this function and `leave` only.
#[inline(always)]
pub unsafe fn enter(users: *mut u64) -> bool {
    // SAFETY: as the caller promises. Read after it was added to: whoever finds itself alone was the first, and all who come
    // while it is there find two.
    unsafe {
        count(users, 1);
        users.read_volatile() == 1
    }
}

/// Gives it back.
///
/// # Safety
///
/// As [`enter`], which was called once before.
#[inline(always)]
pub unsafe fn leave(users: *mut u64) {
    // SAFETY: as the caller promises.
    unsafe { count(users, u64::MAX) };
}

/// The numbers of one class on one CPU.
#[repr(C)]
pub struct Sequence {
    users: u64,
    last: u64,
}

/// The next number, from 1; 0 for whoever comes while another is at it, which is then one without a number, not one that is lost.
///
/// # Safety
///
/// `sequence` is this CPU's value of a map.
#[inline(always)]
pub unsafe fn next(sequence: *mut Sequence) -> u64 {
    let mut number = 0;
    // SAFETY: as the caller promises; `last` is touched by who has entered only.
    unsafe {
        if enter(&raw mut (*sequence).users) {
            number = (*sequence).last + 1;
            (&raw mut (*sequence).last).write_volatile(number);
        }
        leave(&raw mut (*sequence).users);
    }
    number
}

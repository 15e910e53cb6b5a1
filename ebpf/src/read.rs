//! The only reader of kernel and user memory. Takes addresses, which may be anything; gives values, or says that they could
//! not be read. An address that is wrong faults inside the helper and is an answer, not a crash.

use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext;
use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_probe_read_kernel_str,
    bpf_probe_read_user, bpf_probe_read_user_str, bpf_skb_load_bytes, bpf_skc_to_tcp_sock,
};
use ebpf_common::config::CAST;
use ebpf_common::offsets;

use crate::config;

/// The current task, or a structure that hangs on it, or one that a typed tracepoint gave. The verifier knows what it is (the task since
/// 5.11), so that its fields are read by plain loads, for which there is no call to make; a load that faults gives zero. A task
/// before that is read as any other memory.
#[derive(Clone, Copy)]
pub struct Known {
    address: *const u8,
    /// A constant to the verifier, which drops the other half of each read.
    is_typed: bool,
}

impl Known {
    /// The task that runs now.
    #[inline(always)]
    pub fn task() -> Self {
        let is_typed = config!(typed_task) == 1;
        // SAFETY: both take nothing; the task that runs is there for as long as the program runs.
        let task = unsafe { if is_typed { bpf_get_current_task_btf() as u64 } else { bpf_get_current_task() } };
        Self { address: task as *const u8, is_typed }
    }

    /// The socket that a typed tracepoint gave, with all that TCP keeps of it; nothing where it is no TCP socket.
    #[inline(always)]
    pub fn tcp(socket: *const c_void) -> Option<Self> {
        // SAFETY: the verifier lets nothing pass but a socket; the helper looks whether it is a TCP one.
        let whole = unsafe { bpf_skc_to_tcp_sock(socket.cast_mut()) };
        if whole.is_null() { None } else { Some(Self { address: whole.cast_const().cast(), is_typed: true }) }
    }

    /// What a field points to; nothing where it is null.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Option<Self> {
        let address = self.field::<*const u8>(offset);
        if address.is_null() { None } else { Some(Self { address, ..self }) }
    }

    /// Its address, to be read with the functions below.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.address as u64
    }

    /// A number of the structure.
    #[inline(always)]
    pub fn field<T: Copy>(self, offset: u32) -> T {
        // SAFETY: the verifier lets the load pass only where the structure has such a field there, and guards it against faults;
        // the copy goes to `value`, is as long, and fills it with zeros where it fails. All types read here are numbers and
        // pointers, where any bits are valid.
        unsafe {
            let from = self.address.add(offset as usize).cast::<T>();
            if self.is_typed {
                return from.read();
            }
            let mut value = MaybeUninit::<T>::zeroed();
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from.cast());
            value.assume_init()
        }
    }
}

/// Where to load from, if this kernel lets programs load from any address: it guards such a load against faults, which then gives
/// zero. A constant to the verifier, which drops the other half of each read. A call costs ten times a load.
/// `bpf_rdonly_cast` in <https://github.com/torvalds/linux/blob/v6.18/kernel/bpf/helpers.c>
#[inline(always)]
fn plain<T>(address: u64) -> Option<*const T> {
    if !is_plain() {
        return None;
    }
    // SAFETY: a helper's number in the place of its address, as all helpers are called; the loader puts a function of the kernel there that
    // takes any two numbers and gives the first.
    let cast: unsafe extern "C" fn(u64, u64) -> *const T = unsafe { core::mem::transmute(CAST as usize) };
    // SAFETY: as above. Zero stands for memory of no type.
    Some(unsafe { cast(address, 0) })
}

/// Whether a field costs no more by itself than with its neighbours.
#[inline(always)]
pub fn is_plain() -> bool {
    config!(plain_loads) == 1
}

/// Loads a value word by word: as a whole the compiler would have one that is longer than four copied by a call, byte by byte.
///
/// # Safety
///
/// `to` has room for a `T`; the kernel guards the loads from `from`.
#[inline(always)]
unsafe fn load<T>(to: *mut T, from: *const T) {
    // SAFETY: the words are those of the `T`, and no more aligned than it.
    unsafe {
        match align_of::<T>() {
            8 => words::<u64>(to.cast(), from.cast(), size_of::<T>() / 8),
            4 => words::<u32>(to.cast(), from.cast(), size_of::<T>() / 4),
            2 => words::<u16>(to.cast(), from.cast(), size_of::<T>() / 2),
            _ => words::<u8>(to.cast(), from.cast(), size_of::<T>()),
        }
    }
}

/// # Safety
///
/// As [`load`], for `count` words.
#[inline(always)]
unsafe fn words<W>(to: *mut W, from: *const W, count: usize) {
    for number in 0..count {
        // SAFETY: as the caller says. Volatile, so that the loop is not taken for a copy.
        unsafe { to.add(number).write(from.add(number).read_volatile()) };
    }
}

/// A value in kernel memory.
#[inline(always)]
pub fn kernel<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    if let Some(from) = plain::<T>(address) {
        // SAFETY: the place is `value`, which is then filled; all types read here are numbers or arrays of them, where any bits are valid.
        return Some(unsafe {
            load(value.as_mut_ptr(), from);
            value.assume_init()
        });
    }
    // SAFETY: the destination is `value`, as long as the size given; the helper checks the source itself.
    let failed =
        unsafe { bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _) };
    // SAFETY: the helper filled all of `value`; all types read here are numbers or arrays of them, where any bits are valid.
    if failed == 0 { Some(unsafe { value.assume_init() }) } else { None }
}

/// A field of a kernel structure; nothing where this kernel does not have the field.
#[inline(always)]
pub fn field<T: Copy>(structure: u64, offset: u32) -> Option<T> {
    if offset == offsets::ABSENT {
        return None;
    }
    kernel(structure + u64::from(offset))
}

/// A field of a kernel structure; zero where it cannot be read, and where this kernel does not have it. There is one way through this:
/// where many fields are read, each that may be missing would double what the verifier looks at behind them.
#[inline(always)]
pub fn or_zero<T: Copy>(structure: u64, offset: u32) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    if offset != offsets::ABSENT {
        into(value.as_mut_ptr(), structure, offset);
    }
    // SAFETY: all bytes are there: zeros, or what was read. All types read here are numbers, where any bits are valid.
    unsafe { value.assume_init() }
}

/// The same of a whole structure that stands at an address, which is long enough that it should not be zeroed twice: the helper does it
/// where it reads nothing.
#[inline(always)]
pub fn whole_or_zero<T: Copy>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    into(value.as_mut_ptr(), address, 0);
    // SAFETY: as in `or_zero`.
    unsafe { value.assume_init() }
}

/// A field that is a pointer; nothing where it is null.
#[inline(always)]
pub fn pointer(structure: u64, offset: u32) -> Option<u64> {
    field::<u64>(structure, offset).filter(|address| *address != 0)
}

/// Two fields that stand side by side in every kernel seen so far: then they are read at once.
#[inline(always)]
pub fn fields<A: Copy, B: Copy>(structure: u64, first: u32, second: u32) -> Option<(A, B)> {
    if !is_plain() && first != offsets::ABSENT && second == first + size_of::<A>() as u32 {
        let both = kernel::<Both<A, B>>(structure + u64::from(first))?;
        return Some((both.0, both.1));
    }
    Some((field(structure, first)?, field(structure, second)?))
}

/// The same; zero where they cannot be read, as [`or_zero`].
#[inline(always)]
pub fn fields_or_zero<A: Copy, B: Copy>(structure: u64, first: u32, second: u32) -> (A, B) {
    if !is_plain() && first != offsets::ABSENT && second == first + size_of::<A>() as u32 {
        let both = or_zero::<Both<A, B>>(structure, first);
        return (both.0, both.1);
    }
    (or_zero(structure, first), or_zero(structure, second))
}

/// Without a gap, as they are in the kernel; only ever copied out of.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Both<A, B>(A, B);

/// A field of a kernel structure to where it is wanted; zero there if it cannot be read.
#[inline(always)]
pub fn into<T: Copy>(to: *mut T, structure: u64, offset: u32) {
    let from = structure + u64::from(offset);
    if let Some(from) = plain::<T>(from) {
        // SAFETY: callers pass a place of their own for a `T`.
        unsafe { load(to, from) };
        return;
    }
    // SAFETY: callers pass a place of their own for a `T`; the helper checks the source itself, and fills with zeros.
    unsafe { bpf_probe_read_kernel(to.cast(), size_of::<T>() as u32, from as *const _) };
}

/// An argument of a typed hook, as a number: of a pointer with its type no part may be looked at, nor may it be reckoned with while
/// it may be null.
#[inline(always)]
pub fn argument(context: &impl EbpfContext, number: usize) -> u64 {
    or_zero(context.as_ptr() as u64, (number * size_of::<u64>()) as u32)
}

/// A value in the current process's memory.
#[inline(always)]
pub fn user<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the destination is `value`, as long as the size given; the helper checks the source itself.
    let failed = unsafe { bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _) };
    // SAFETY: the helper filled all of `value`; all types read here are numbers, where any bits are valid.
    if failed == 0 { Some(unsafe { value.assume_init() }) } else { None }
}

/// The same; zero where it cannot be read, as [`or_zero`].
#[inline(always)]
pub fn user_or_zero<T: Copy>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the destination is `value`, as long as the size given; the helper checks the source itself, and fills with zeros.
    unsafe { bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _) };
    // SAFETY: as in `or_zero`.
    unsafe { value.assume_init() }
}

/// Bytes of kernel memory to `to`, which must have room for the largest `length` that the verifier can think of.
#[inline(always)]
pub fn kernel_bytes(to: *mut u8, length: u64, from: u64) -> bool {
    // SAFETY: the verifier proves that `to` has room for `length`; the helper checks the source itself.
    unsafe { bpf_probe_read_kernel(to.cast(), length as u32, from as *const _) == 0 }
}

/// Bytes of the current process's memory to `to`, as [`kernel_bytes`].
#[inline(always)]
pub fn user_bytes(to: *mut u8, length: u64, from: u64) -> bool {
    // SAFETY: the verifier proves that `to` has room for `length`; the helper checks the source itself.
    unsafe { bpf_probe_read_user(to.cast(), length as u32, from as *const _) == 0 }
}

/// Bytes of a packet from `at` on to `to`, as [`kernel_bytes`]; `length` is not zero. A packet in pieces is read like a whole one.
#[inline(always)]
pub fn packet(to: *mut u8, length: u64, packet: *const c_void, at: u32) -> bool {
    // SAFETY: `packet` is the context of the program that runs; the verifier proves that `to` has room for `length`.
    unsafe { bpf_skb_load_bytes(packet, at, to.cast(), length as u32) == 0 }
}

/// A string of the current process's memory, at most `room` bytes with its zero byte. Gives how many came, that one included.
#[inline(always)]
pub fn user_string(to: *mut u8, room: u32, from: u64) -> Option<u64> {
    // SAFETY: the verifier proves that `to` has `room`; the helper checks the source itself.
    let length = unsafe { bpf_probe_read_user_str(to.cast(), room, from as *const _) };
    if length > 0 { Some(length as u64) } else { None }
}

/// A string of kernel memory, at most `room` bytes with its zero byte. Gives how many came, that one included.
#[inline(always)]
pub fn kernel_string(to: *mut u8, room: u32, from: u64) -> Option<u64> {
    // SAFETY: the verifier proves that `to` has `room`; the helper checks the source itself.
    let length = unsafe { bpf_probe_read_kernel_str(to.cast(), room, from as *const _) };
    if length > 0 { Some(length as u64) } else { None }
}

/// A short string of kernel memory into an array, zero bytes after it.
#[inline(always)]
pub fn kernel_name<const ROOM: usize>(from: u64) -> Option<[u8; ROOM]> {
    let mut name = [0; ROOM];
    kernel_string(name.as_mut_ptr(), ROOM as u32, from).map(|_| name)
}

/// A pointer that is computed here and not later: whatever is bounded after it then needs no room on the stack until it is used, where an old
/// verifier would forget its bound.
#[inline(always)]
#[expect(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written through it")]
pub fn settled(mut pointer: *mut u8) -> *mut u8 {
    // SAFETY: copies a register onto itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// `value` without the bits that are not in `mask`: a bound that is one instruction, with one way through it, where the caller knows
/// that there are no such bits. In between an instruction as in [`bound`].
#[inline(always)]
pub fn mask(mut value: u64, mask: u64) -> u64 {
    // SAFETY: copies a register onto itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(nomem, nostack, preserves_flags)) };
    value & mask
}

/// `value`, at most `limit`, compared in the very register that is then used. The compiler, which knows more than the verifier,
/// would drop the comparison or make it with a copy, and the verifier would refuse the access: the instruction in between
/// changes nothing, and the compiler knows nothing of what comes out of it.
#[inline(always)]
pub fn bound(mut value: u64, limit: u64) -> u64 {
    // SAFETY: copies a register onto itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(nomem, nostack, preserves_flags)) };
    if value > limit { limit } else { value }
}

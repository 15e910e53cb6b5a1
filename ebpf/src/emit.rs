//! The only way out: a record is paid for here, gets its number and goes into the ring of its class, or is counted in its cgroup's
//! books with the reason why it did not. Takes finished bodies; never drops one silently.

use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ringbuf_output, bpf_ringbuf_reserve, bpf_ringbuf_submit,
};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray, RingBuf};
use ebpf_common::account::Purse;
use ebpf_common::config;
use ebpf_common::header::{VERSION, flag};
use ebpf_common::loss::Outcome;
use ebpf_common::{Class, Header, Kind};

use crate::account::Books;
use crate::identity::Identity;
use crate::number::{self, Sequence};

// A page each: the agent gives the real sizes at load, multiples of the page size of the machine.
#[map]
static RING_PROCESS: RingBuf = RingBuf::with_byte_size(4096, 0);
/// Of both rare classes, so that neither waits behind what comes by the thousand.
#[map]
static RING_GUARD: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static RING_NETWORK: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static RING_FILE: RingBuf = RingBuf::with_byte_size(4096, 0);

/// By class.
#[map]
static SEQUENCES: PerCpuArray<Sequence> = PerCpuArray::with_max_entries(Class::COUNT as u32, 0);

/// When the agent was woken last, by class.
#[map]
static WOKEN: Array<u64> = Array::with_max_entries(Class::COUNT as u32, 0);

/// When the agent reads a record. To wake it costs the process that is watched more than all of the record does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// At once: something may have to be stopped before it does anything.
    Now,
    /// At once too, but for what comes within a millisecond of another wake: after each the agent looks once more that long later.
    Soon,
    /// When it looks by itself, which is a few milliseconds later.
    Later,
}

impl About {
    /// Its lengths are found when it is sent.
    pub const fn new(kind: Kind, flags: u32, wake: Wake) -> Self {
        Self { kind, flags, wake, purse: Purse::Usual, body: 0, length: 0 }
    }

    /// The same, paid from another purse where the usual one is empty.
    pub const fn paid_from(self, purse: Purse) -> Self {
        Self { purse, ..self }
    }
}

impl Wake {
    /// Soon, where the record is of a container.
    #[inline(always)]
    pub fn of_container(flags: u32) -> Self {
        if flags & flag::CONTAINER == 0 { Self::Later } else { Self::Soon }
    }

    /// As the ring has it, for a record of this moment. Forced, because the kernel's own choice wakes nobody for a record behind one that
    /// wakes nobody.
    #[inline(always)]
    pub fn word(self, class: Class, now: u64) -> u64 {
        if self == Self::Later {
            return BPF_RB_NO_WAKEUP;
        }
        let Some(woken) = WOKEN.get_ptr_mut(class as u32) else { return BPF_RB_FORCE_WAKEUP };
        // SAFETY: a map's value of eight aligned bytes, which every CPU reads and writes whole. Where two meet, both wake.
        unsafe {
            if self == Self::Soon && now.wrapping_sub(woken.read_volatile()) < config::SOON_NS {
                return BPF_RB_NO_WAKEUP;
            }
            woken.write_volatile(now);
        }
        BPF_RB_FORCE_WAKEUP
    }
}

const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 2;

/// What a header says beside what this module knows.
pub struct About {
    pub kind: Kind,
    pub flags: u32,
    pub wake: Wake,
    pub purse: Purse,
    /// Bytes of the body.
    pub body: u16,
    /// Bytes of the whole record.
    pub length: u32,
}

#[repr(C)]
struct Whole<T> {
    header: Header,
    body: T,
}

/// Counts something that a hook would tell, of the process that runs now, and why it does not.
#[inline(always)]
pub fn count(class: Class, outcome: Outcome) {
    count_for(Books::current(), class, outcome);
}

/// The same for the cgroup that the books are of.
#[inline(always)]
pub fn count_for(books: Books, class: Class, outcome: Outcome) {
    books.begin(class);
    books.end(class, outcome);
}

/// A record is lost before it could be built: it takes a number, so that the hole is seen, and is counted.
#[inline(always)]
pub fn lose(class: Class, outcome: Outcome) {
    next(class);
    count(class, outcome);
}

/// A record that was begun is lost.
#[inline(always)]
pub fn lose_begun(books: Books, class: Class, outcome: Outcome) {
    next(class);
    books.end(class, outcome);
}

/// Whether a record may be sent: it is begun, and paid for from here on.
#[inline(always)]
pub fn admits(books: Books, class: Class, purse: Purse, now: u64) -> bool {
    books.begin(class);
    let pays = books.pays(class, purse, ring(class), now);
    if !pays {
        books.end(class, Outcome::Throttled);
    }
    pays
}

/// A record without a tail.
#[inline(always)]
pub fn plain<T: Copy>(class: Class, about: About, identity: &Identity, body: T) {
    let about = About { body: size_of::<T>() as u16, length: size_of::<Whole<T>>() as u32, ..about };
    let books = Books::of(identity.cgroup_id);
    let now = now();
    if !admits(books, class, about.purse, now) {
        return;
    }
    // SAFETY: the map is a ring, the size is a constant.
    let slot = unsafe { bpf_ringbuf_reserve(ring(class).cast(), size_of::<Whole<T>>() as u64, 0) };
    if slot.is_null() {
        lose_begun(books, class, Outcome::RingFull);
        return;
    }
    let whole = slot.cast::<Whole<T>>();
    // SAFETY: the slot is not null, as large as a `Whole`, aligned to eight bytes, and nobody else's until it is submitted.
    // Both parts are written, and neither has padding, so that no byte of an older record goes out.
    unsafe {
        (&raw mut (*whole).header).write(header(class, &about, identity, now));
        (&raw mut (*whole).body).write(body);
        bpf_ringbuf_submit(slot, about.wake.word(class, now));
    }
    books.end(class, Outcome::Sent);
}

/// The moment on the clock of all records.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: takes nothing, gives a number.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// The header of a record of this moment. Takes its number: the record must then be sent.
#[inline(always)]
pub fn header(class: Class, about: &About, identity: &Identity, boot_ns: u64) -> Header {
    Header {
        length: about.length,
        kind: about.kind as u16,
        flags: about.flags,
        // SAFETY: takes nothing, gives a number.
        cpu: unsafe { bpf_get_smp_processor_id() } as u16,
        class: class as u8,
        version: VERSION,
        body: about.body,
        sequence: next(class),
        boot_ns,
        pid: identity.pid,
        tid: identity.tid,
        start_ns: identity.start_ns,
        parent_pid: identity.parent_pid,
        uid: identity.uid,
        parent_start_ns: identity.parent_start_ns,
        cgroup_id: identity.cgroup_id,
    }
}

/// Puts a finished record into its ring.
#[inline(always)]
pub fn send(books: Books, class: Class, wake: u64, record: *const u8, length: u64) {
    // SAFETY: the map is a ring; the verifier proves that `record` has `length` readable bytes.
    let failed = unsafe { bpf_ringbuf_output(ring(class).cast(), record.cast_mut().cast(), length, wake) };
    books.end(class, if failed == 0 { Outcome::Sent } else { Outcome::RingFull });
}

#[inline(always)]
fn ring(class: Class) -> *mut RingBuf {
    let ring = match class {
        Class::Process => &raw const RING_PROCESS,
        Class::Privilege | Class::Kernel => &raw const RING_GUARD,
        Class::Network => &raw const RING_NETWORK,
        Class::File => &raw const RING_FILE,
    };
    ring.cast_mut()
}

/// The next number of this CPU and class, from 1.
#[inline(always)]
fn next(class: Class) -> u64 {
    // SAFETY: the slot is this CPU's.
    SEQUENCES.get_ptr_mut(class as u32).map_or(0, |slot| unsafe { number::next(slot) })
}

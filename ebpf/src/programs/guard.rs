//! What the programs about privilege and the kernel have in common: all of them build in one room, their records wake the agent
//! where they are of a container, and what is done again and again is told once and then counted.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{LruHashMap, PerCpuArray};
use ebpf_common::header::flag;
use ebpf_common::loss::Outcome;
use ebpf_common::record::file::MAX_NAME;
use ebpf_common::{Class, Kind};

use super::enforce;
use super::file::{FileScratch, Record};
use crate::emit::{self, About, Wake};
use crate::identity::Identity;
use crate::scratch::Builder;

#[map]
static GUARD_SCRATCH: PerCpuArray<FileScratch> = PerCpuArray::with_max_entries(1, 0);

/// One thing that one process does again and again.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Again {
    /// When the process was forked.
    pub start_ns: u64,
    /// To what it is done.
    pub target: u64,
    /// The process.
    pub pid: u32,
    /// What is done.
    pub what: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Seen {
    last_ns: u64,
    repeats: u64,
}

/// What was told. It may forget: the thing is then told once more.
#[map]
static REPEATED: LruHashMap<Again, Seen> = LruHashMap::with_max_entries(4096, 0);

/// After this long without, the same is told again.
const WINDOW_NS: u64 = 10_000_000_000;

/// The room for a name.
pub const NAME: u32 = MAX_NAME as u32;

/// Takes the room for a record with a tail.
#[inline(always)]
pub fn begin(class: Class, body: usize) -> Option<Record> {
    Builder::begin(GUARD_SCRATCH.get_ptr_mut(0)?, class, body)
}

/// Appends a text of the process's memory; without one, nothing.
#[inline(always)]
pub fn text(record: &mut Record, from: u64) -> u16 {
    if from == 0 {
        return 0;
    }
    let Some((length, _)) = record.user_string(from, NAME) else {
        record.mark(flag::FIELD_MISSING);
        return 0;
    };
    record.mark(if u32::from(length) + 1 == NAME { flag::PATH_TRUNCATED } else { 0 });
    length
}

/// Sends a record with a tail. Its marks are those of the record and these.
#[inline(always)]
pub fn end<T: Copy>(record: Record, kind: Kind, flags: u32, body: T) {
    let Some(identity) = Identity::current() else {
        record.lose(Outcome::ReadFault);
        return;
    };
    let flags = flags | record.marks();
    record.send(about(kind, flags, &identity), &identity, body);
}

/// Sends a record without a tail.
#[inline(always)]
pub fn plain<T: Copy>(class: Class, kind: Kind, flags: u32, body: T) {
    let Some(identity) = Identity::current() else {
        emit::lose(class, Outcome::ReadFault);
        return;
    };
    emit::plain(class, about(kind, flags, &identity), &identity, body);
}

#[inline(always)]
fn about(kind: Kind, flags: u32, identity: &Identity) -> About {
    let flags = flags | enforce::container(identity.cgroup_id);
    About::new(kind, flags, Wake::of_container(flags))
}

/// What is to be done with a thing that is done again and again.
pub enum Repeat {
    /// Tell it; so many were only counted since it was told last.
    Tell(u32),
    /// It was counted.
    Counted,
}

/// Whether a thing is to be told, which it is when it is new or has not been done for a while.
#[inline(always)]
pub fn again(class: Class, key: Again) -> Repeat {
    // SAFETY: takes nothing, gives a number.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let Some(seen) = REPEATED.get_ptr_mut(key) else {
        // A full table forgets its oldest by itself.
        let _kept = REPEATED.insert(key, Seen { last_ns: now, repeats: 0 }, 0);
        return Repeat::Tell(0);
    };
    // SAFETY: the entry stays readable for the run, also when another CPU replaces it; the count may lose a race, and the
    // outcome that is counted for each may not.
    let seen = unsafe { &mut *seen };
    if now.saturating_sub(seen.last_ns) < WINDOW_NS {
        seen.repeats += 1;
        emit::count(class, Outcome::Aggregated);
        return Repeat::Counted;
    }
    seen.last_ns = now;
    let repeats = seen.repeats as u32;
    seen.repeats = 0;
    Repeat::Tell(repeats)
}

//! Room to build a long record in: per CPU, for one record at a time. Takes the bodies and the pieces of the tail in order;
//! gives the whole to `emit`. A program that interrupts another on the same CPU finds the room taken, and says so.

use aya_ebpf::cty::c_void;
use ebpf_common::account::Purse;
use ebpf_common::loss::Outcome;
use ebpf_common::{Class, Header};

use crate::account::Books;
use crate::emit::{self, About};
use crate::identity::Identity;
use crate::path::{self, Place};
use crate::{number, read};

/// A scratch map's value. `RECORD` holds the longest record of its users, and the longest piece once more, because the
/// verifier adds the bounds of position and length up; `WALK` is its room in `path`.
#[repr(C)]
pub struct Scratch<const RECORD: usize, const WALK: usize> {
    users: u64,
    /// Of the record so far. Here and not in a register, for the reason that `path` gives.
    length: u64,
    marks: u64,
    /// See [`Builder::forget`].
    forgotten: [u64; FORGOTTEN],
    record: [u8; RECORD],
}

/// Words of the longest value that is forgotten.
const FORGOTTEN: usize = 5;

/// A record that is being built. Must be ended with [`Builder::send`] or [`Builder::lose`].
pub struct Builder<const RECORD: usize, const WALK: usize> {
    scratch: *mut Scratch<RECORD, WALK>,
    class: Class,
    books: Books,
}

/// A path that was appended.
#[derive(Clone, Copy, Default)]
pub struct Appended {
    pub length: u16,
    pub components: u16,
    /// The front is missing.
    pub truncated: bool,
}

impl<const RECORD: usize, const WALK: usize> Builder<RECORD, WALK> {
    /// Takes the room for a record with a body of this length, of the process that runs now; nothing where its cgroup has sent all that
    /// it may, or the room is taken already, which is then counted.
    #[inline(always)]
    pub fn begin(scratch: *mut Scratch<RECORD, WALK>, class: Class, body: usize) -> Option<Self> {
        Self::begin_paid(scratch, class, body, Purse::Usual)
    }

    /// The same, paid from another purse where the usual one is empty.
    #[inline(always)]
    pub fn begin_paid(scratch: *mut Scratch<RECORD, WALK>, class: Class, body: usize, purse: Purse) -> Option<Self> {
        Self::begin_for(Books::current(), scratch, class, body, purse)
    }

    /// The same, of somebody else than the process that runs now.
    #[inline(always)]
    pub fn begin_for(
        books: Books,
        scratch: *mut Scratch<RECORD, WALK>,
        class: Class,
        body: usize,
        purse: Purse,
    ) -> Option<Self> {
        // Before anything is read for it: who floods pays for a look at the books, not for a record.
        if !emit::admits(books, class, purse, emit::now()) {
            return None;
        }
        // SAFETY: the field is inside this CPU's value of a map, eight bytes, aligned.
        if !unsafe { number::enter(&raw mut (*scratch).users) } {
            leave(scratch);
            emit::lose_begun(books, class, Outcome::ScratchBusy);
            return None;
        }
        let builder = Self { scratch, class, books };
        builder.grow_to((size_of::<Header>() + body) as u64);
        // SAFETY: the field is inside the map's value, and ours from here on.
        unsafe { (*scratch).marks = 0 };
        Some(builder)
    }

    #[inline(always)]
    fn length(&self) -> u64 {
        // SAFETY: the field is inside the map's value, and ours while we have the room. Volatile: from what was written before the compiler
        // would know more of it than the verifier, and bound it in a way that the verifier does not follow.
        unsafe { (&raw const (*self.scratch).length).read_volatile() }
    }

    #[inline(always)]
    fn grow_to(&self, length: u64) {
        // SAFETY: as in `length`.
        unsafe { (*self.scratch).length = length };
    }

    /// Appends the path of a file, at most `LIMIT` bytes.
    #[inline(always)]
    pub fn path<const LIMIT: u64>(&mut self, place: Place) -> Appended {
        let whole = path::run(WALK, place, LIMIT);
        let Some((text, length, components)) = path::text(WALK) else { return Appended::default() };
        // Each for itself: between the fields there may be bytes that nobody wrote, and old verifiers let nobody copy those.
        let length = self.kernel_bytes(text, length, LIMIT);
        let (length, components) = (self.forget(length), self.forget(components));
        Appended { length, components, truncated: self.forget(u32::from(!whole)) != 0 }
    }

    /// The same value, of which the verifier knows nothing any more: it came by one of several ways, and with what is known of it on
    /// each the rest of the program would be looked at as often.
    #[inline(always)]
    pub fn forget<T: Copy>(&self, value: T) -> T {
        const { assert!(size_of::<T>() <= size_of::<[u64; FORGOTTEN]>() && align_of::<T>() <= align_of::<u64>()) };
        // SAFETY: the field is inside the map's value, ours while we have the room, as long as the assertion says, and aligned.
        unsafe {
            let room = (&raw mut (*self.scratch).forgotten).cast::<T>();
            room.write_volatile(value);
            room.read_volatile()
        }
    }

    /// Where the next piece goes, and the end of the record so far: at most `RECORD - longest`.
    #[inline(always)]
    fn next(&self, longest: u64) -> *mut u8 {
        let at = read::bound(self.length(), RECORD as u64 - longest);
        // SAFETY: `at` is bounded by the line above, inside the record's room.
        unsafe { (&raw mut (*self.scratch).record).cast::<u8>().add(at as usize) }
    }

    /// Appends `length` bytes of kernel memory (this map's own room included), at most `longest`. Gives what was appended.
    #[inline(always)]
    pub fn kernel_bytes(&mut self, from: u64, length: u64, longest: u64) -> u16 {
        let to = read::settled(self.next(longest));
        let length = read::bound(length, longest);
        if !read::kernel_bytes(to, length, from) {
            return 0;
        }
        self.grow_to(self.length() + length);
        length as u16
    }

    /// Appends `length` bytes of the process's memory, at most `longest`. Gives what was appended.
    #[inline(always)]
    pub fn user_bytes(&mut self, from: u64, length: u64, longest: u64) -> Option<u16> {
        let to = read::settled(self.next(longest));
        let length = read::bound(length, longest);
        if !read::user_bytes(to, length, from) {
            return None;
        }
        self.grow_to(self.length() + length);
        Some(length as u16)
    }

    /// Appends `length` bytes of a packet from `at` on, at most `longest`. Gives what was appended.
    #[inline(always)]
    pub fn packet(&mut self, packet: *const c_void, at: u32, length: u64, longest: u64) -> u16 {
        // The helper takes no length of zero, and the verifier must see that it is none.
        let to = read::settled(self.next(longest));
        let length = read::bound(length.wrapping_sub(1), longest - 1) + 1;
        if !read::packet(to, length, packet, at) {
            return 0;
        }
        self.grow_to(self.length() + length);
        length as u16
    }

    /// Appends a string of the process's memory without its zero byte. Gives its length, and its first byte.
    #[inline(always)]
    pub fn user_string(&mut self, from: u64, room: u32) -> Option<(u16, u8)> {
        let to = self.next(u64::from(room));
        let length = read::user_string(to, room, from)? - 1;
        self.grow_to(self.length() + length);
        // SAFETY: `to` has `room` bytes, of which the helper wrote at least the zero byte.
        Some((length as u16, unsafe { *to }))
    }

    /// Appends a string of kernel memory, as [`Builder::user_string`].
    #[inline(always)]
    pub fn kernel_string(&mut self, from: u64, room: u32) -> Option<(u16, u8)> {
        let to = self.next(u64::from(room));
        let length = read::kernel_string(to, room, from)? - 1;
        self.grow_to(self.length() + length);
        // SAFETY: `to` has `room` bytes, of which the helper wrote at least the zero byte.
        Some((length as u16, unsafe { *to }))
    }

    /// Writes header and body before the tail, and sends all.
    #[inline(always)]
    pub fn send<T: Copy>(self, about: About, identity: &Identity, body: T) {
        // SAFETY: the place is a `T`'s, and ours while we have the room.
        unsafe { self.body::<T>().write(body) };
        self.send_filled::<T>(about, identity);
    }

    /// Where the body stands, to be filled there: a body of many fields that may be missing is, on the stack, another state
    /// for the verifier with each of them.
    #[inline(always)]
    pub fn body<T: Copy>(&self) -> *mut T {
        // SAFETY: `begin` was told the body's size, so it stands before the tail, inside the record's room; that is aligned to
        // eight bytes, and the header's size is a multiple of eight.
        unsafe { (&raw mut (*self.scratch).record).cast::<u8>().add(size_of::<Header>()).cast() }
    }

    /// Writes the header before a body that was filled in its place, and sends all.
    #[inline(always)]
    pub fn send_filled<T: Copy>(self, about: About, identity: &Identity) {
        let length = read::bound(self.length(), RECORD as u64);
        let about = About { length: length as u32, body: size_of::<T>() as u16, ..about };
        let now = emit::now();
        let header = emit::header(self.class, &about, identity, now);
        // SAFETY: the record's room is longer than a header, aligned to eight bytes, and ours.
        unsafe {
            let record = &raw mut (*self.scratch).record;
            record.cast::<Header>().write(header);
            let wake = about.wake.word(self.class, now);
            // Read and bound again behind that call: of what is kept on the stack meanwhile an old verifier forgets the bound.
            emit::send(self.books, self.class, wake, record.cast(), read::bound(self.length(), RECORD as u64));
        }
        self.release();
    }

    /// Sets marks of the record; [`Builder::marks`] gives all.
    #[inline(always)]
    pub fn mark(&mut self, flags: u32) {
        // SAFETY: the field is inside the map's value, and ours while we have the room.
        unsafe { (*self.scratch).marks |= u64::from(flags) };
    }

    /// The marks that were set.
    #[inline(always)]
    pub fn marks(&self) -> u32 {
        // SAFETY: as in `mark`.
        unsafe { (*self.scratch).marks as u32 }
    }

    /// Gives the room back without a record, which is counted as lost.
    #[inline(always)]
    pub fn lose(self, outcome: Outcome) {
        emit::lose_begun(self.books, self.class, outcome);
        self.release();
    }

    #[inline(always)]
    fn release(self) {
        leave(self.scratch);
    }
}

#[inline(always)]
fn leave<const RECORD: usize, const WALK: usize>(scratch: *mut Scratch<RECORD, WALK>) {
    // SAFETY: as in `begin`, which entered.
    unsafe { number::leave(&raw mut (*scratch).users) };
}

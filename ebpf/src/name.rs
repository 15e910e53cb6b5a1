//! One component of a path, from the kernel's tree of names: enough of it to know whether a table may have it, in one read. Takes a
//! `struct dentry`; gives what a table of components has for it.

use core::mem::{MaybeUninit, offset_of};

use aya_ebpf::maps::HashMap;
use ebpf_common::config::{COMPONENT, Component, MAX_SENSITIVE, Sieve};

use crate::{offset, read, settings};

/// A [`Component`] in words.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Key([u64; COMPONENT / 8]);

const _: () = assert!(size_of::<Key>() == size_of::<Component>());

/// Components, and a bit for each pattern that has them.
pub type Table = HashMap<Key, u64>;

/// An empty table.
pub const fn table() -> Table {
    Table::with_max_entries(MAX_SENSITIVE as u32, 0)
}

/// What is read of a `struct dentry`, as it stands there in every kernel seen so far.
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    parent: u64,
    hash: u32,
    length: u32,
    at: u64,
    inode: u64,
    /// The first eight bytes of the room for a short name.
    short: u64,
}

impl Entry {
    /// Whether this kernel has it so.
    #[inline(always)]
    fn stands() -> bool {
        let parent = offset!(dentry_parent);
        offset!(dentry_name_length) == parent + offset_of!(Self, length) as u32
            && offset!(dentry_name) == parent + offset_of!(Self, at) as u32
            && offset!(dentry_short_name) == parent + offset_of!(Self, short) as u32
    }
}

/// A component.
#[derive(Clone, Copy)]
pub struct Name {
    /// The `struct dentry` above.
    pub parent: u64,
    length: u32,
    at: u64,
    /// Its first eight bytes, and what stands behind it where it is shorter.
    begin: u64,
}

impl Name {
    /// Of no bytes where it cannot be read.
    #[inline(always)]
    pub fn of(dentry: u64) -> Self {
        let parent = offset!(dentry_parent);
        if read::is_plain() || !Entry::stands() {
            let (length, at) = read::fields_or_zero(dentry, offset!(dentry_name_length), offset!(dentry_name));
            return Self { parent: read::or_zero(dentry, parent), length, at, begin: read::or_zero(at, 0) };
        }
        let Entry { parent, length, at, short, .. } = read::whole_or_zero::<Entry>(dentry + u64::from(parent));
        let is_short = at == dentry + u64::from(offset!(dentry_short_name));
        Self { parent, length, at, begin: if is_short { short } else { read::or_zero(at, 0) } }
    }

    /// What a table has for the component; nearly always the sieve knows that it has nothing.
    #[inline(always)]
    pub fn find(self, table: &Table, sieve: *const Sieve) -> u64 {
        let (word, bit) = Sieve::of(self.length, self.begin);
        if settings::word(sieve, word) & bit == 0 {
            return 0;
        }
        if self.length as usize > COMPONENT {
            return 0;
        }
        // By whole words, and in one place: as a value it would be filled by a call, byte by byte, and copied.
        let mut key = MaybeUninit::<Key>::uninit();
        let words = key.as_mut_ptr().cast::<u64>();
        for word in 0..COMPONENT / 8 {
            // SAFETY: a word of the key. Volatile, so that the loop is not taken for such a call.
            unsafe { words.add(word).write_volatile(0) };
        }
        let length = read::bound(u64::from(self.length), COMPONENT as u64);
        if !read::kernel_bytes(words.cast(), length, self.at) {
            return 0;
        }
        // SAFETY: all words of the key are there.
        let key = unsafe { key.assume_init_ref() };
        // SAFETY: the value is a number that the agent writes whole; an old or a new one are both right.
        table.get_ptr(key).map_or(0, |bits| unsafe { *bits })
    }
}

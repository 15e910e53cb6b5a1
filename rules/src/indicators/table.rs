//! Where a value stands in a list, by its key. Takes keys with numbers; gives the number of a key. Eight bytes a place, half of which are
//! free: most keys that are not there are known as such by one look into memory.

use std::hash::{BuildHasher, Hash, RandomState};

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Part of the key's hash.
    mark: u32,
    /// The number, plus one; 0: free.
    number: u32,
}

/// Numbers by key. Whoever asks says whether a number has that key, so that no key is kept twice.
pub(super) struct Table {
    slots: Vec<Slot>,
    // Chosen by chance, so that nobody can write a file whose values all fall on one place.
    hasher: RandomState,
}

impl Table {
    /// Room for so many keys.
    pub(super) fn new(keys: usize) -> Self {
        let slots = vec![Slot::default(); (2 * keys).max(1).next_power_of_two()];
        Self { slots, hasher: RandomState::new() }
    }

    /// The number of a key: `is` says whether a number has that key.
    pub(super) fn find<K: Hash>(&self, key: &K, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (mut place, mark) = self.place(key);
        loop {
            let slot = self.slots.get(place)?;
            let number = slot.number.checked_sub(1)?;
            if slot.mark == mark && is(number) {
                return Some(number);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    /// Puts down the number of a key that is not there yet. Room was made for it.
    pub(super) fn put<K: Hash>(&mut self, key: &K, number: u32) {
        let (mut place, mark) = self.place(key);
        for _ in 0..self.slots.len() {
            match self.slots.get_mut(place) {
                Some(slot) if slot.number == 0 => {
                    *slot = Slot { mark, number: number.saturating_add(1) };
                    return;
                }
                _ => place = (place + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the place and the mark are parts of the hash")]
    fn place<K: Hash>(&self, key: &K) -> (usize, u32) {
        let hash = self.hasher.hash_one(key);
        (hash as usize & (self.slots.len() - 1), (hash >> 32) as u32)
    }
}

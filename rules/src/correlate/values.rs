//! The different values that one group has seen, each held once.
//!
//! Takes values as text; gives small numbers that stand for them, and takes those back when an event is forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Values by number.
#[derive(Debug, Default)]
pub(super) struct Values {
    numbers: BTreeMap<Arc<[u8]>, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    value: Arc<[u8]>,
    events: u32,
}

/// What one value costs beside its bytes, about: two references, a place in the map and one in the list.
const OVERHEAD: usize = 96;

impl Values {
    /// The number of a value, for one more event.
    pub(super) fn take(&mut self, value: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            if let Some(slot) = self.slots.get_mut(*number as usize) {
                slot.events += 1;
            }
            return *number;
        }
        let value: Arc<[u8]> = value.into();
        let slot = Slot { value: Arc::clone(&value), events: 1 };
        self.bytes += value.len() + OVERHEAD;
        let number = self.free.pop().unwrap_or_else(|| u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        match self.slots.get_mut(number as usize) {
            Some(old) => *old = slot,
            None => self.slots.push(slot),
        }
        self.numbers.insert(value, number);
        number
    }

    /// One event less has the value.
    pub(super) fn give_back(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        slot.events = slot.events.saturating_sub(1);
        if slot.events == 0 && self.numbers.remove(&slot.value).is_some() {
            self.bytes = self.bytes.saturating_sub(slot.value.len() + OVERHEAD);
            slot.value = Arc::default();
            self.free.push(number);
        }
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> &[u8] {
        self.slots.get(number as usize).map_or(&[], |slot| &slot.value)
    }

    /// About how many bytes all of them take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

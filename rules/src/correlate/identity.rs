//! Identities that come from others: a key that one event returns is, from then on, whoever asked for it.
//!
//! Takes pairs of identities with the moment and the event; gives the one that all others come from. Bounded in number and
//! in depth; a pair that would close a circle is not taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Derived, Loss};
use crate::limits;

/// All identities of one correlation that come from others.
#[derive(Debug)]
pub(super) struct Identities<I> {
    links: BTreeMap<Arc<[u8]>, Link<I>>,
    /// By when they came: who goes first.
    order: BTreeMap<u64, Arc<[u8]>>,
    bytes: usize,
}

/// Where an identity comes from.
#[derive(Debug)]
struct Link<I> {
    parent: Arc<[u8]>,
    sequence: u64,
    until: i64,
    event: Derived<I>,
}

impl<I> Default for Identities<I> {
    fn default() -> Self {
        Self { links: BTreeMap::new(), order: BTreeMap::new(), bytes: 0 }
    }
}

impl<I: Clone> Identities<I> {
    /// Remembers that an event gave `event.value` to `parent`.
    pub(super) fn add(&mut self, parent: &[u8], until: i64, sequence: u64, event: Derived<I>, loss: &mut Loss) {
        let child: Arc<[u8]> = event.value.as_slice().into();
        if self.comes_from(parent, &child) {
            return;
        }
        self.remove(&child);
        if self.links.len() >= limits::IDENTITIES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.remove(&oldest);
            loss.identities += 1;
        }
        // One event may give several.
        let mut place = sequence << 16;
        while self.order.contains_key(&place) {
            place += 1;
        }
        self.order.insert(place, Arc::clone(&child));
        let link = Link { parent: parent.into(), sequence: place, until, event };
        self.bytes += cost(&child, &link);
        self.links.insert(child, link);
    }

    fn remove(&mut self, child: &Arc<[u8]>) {
        if let Some(link) = self.links.remove(child) {
            self.bytes = self.bytes.saturating_sub(cost(child, &link));
            self.order.remove(&link.sequence);
        }
    }

    /// Whether an identity is another one, or comes from it at any moment.
    fn comes_from(&self, identity: &[u8], other: &[u8]) -> bool {
        let mut at = identity;
        for _ in 0..=limits::DERIVED {
            if at == other {
                return true;
            }
            match self.links.get(at) {
                Some(link) => at = &link.parent,
                None => return false,
            }
        }
        // So long a way is not followed to its end, so that it may not become longer either.
        true
    }

    /// Who an identity is at a moment, and the events by which it came from there.
    pub(super) fn root(&self, identity: &[u8], time: i64) -> (Arc<[u8]>, Vec<Derived<I>>) {
        let mut at: Arc<[u8]> = identity.into();
        let mut events = Vec::new();
        while let Some(link) = self.links.get(&at) {
            if time < link.event.time || time > link.until || events.len() >= limits::DERIVED {
                break;
            }
            events.push(link.event.clone());
            at = Arc::clone(&link.parent);
        }
        events.reverse();
        (at, events)
    }

    /// Forgets what lasts no longer.
    pub(super) fn expire(&mut self, clock: i64) {
        let over: Vec<_> =
            self.links.iter().filter(|(_, link)| link.until < clock).map(|(child, _)| Arc::clone(child)).collect();
        for child in over {
            self.remove(&child);
        }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn cost<I>(child: &[u8], link: &Link<I>) -> usize {
    // The child stands in both maps by reference, and in the event once more.
    2 * child.len() + link.parent.len() + size_of::<Link<I>>() + 96
}

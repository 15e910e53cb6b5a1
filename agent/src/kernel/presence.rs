//! What the kernel programs know of the agent, from this side: says every half second that somebody reads, and that nobody will soon.
//! Takes the map's one element; gives the spans in which nothing was recorded because nobody had read for too long.

use std::time::Duration;

use aya::maps::{Array, MapData, MapError};
use ebpf_common::agent::Agent;
use zerocopy::{FromBytes, IntoBytes};

use crate::clock::{Clock, nanoseconds};

type Bytes = [u8; size_of::<Agent>()];

/// Between two words of it.
const EVERY_NS: u64 = 500_000_000;

/// Nothing was recorded between two moments of the boot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// When nobody had read for too long.
    pub from_ns: u64,
    /// When somebody read again.
    pub to_ns: u64,
}

/// The agent, as the kernel programs know it.
pub(super) struct Presence {
    element: Array<MapData, Bytes>,
    clock: Clock,
    away_ns: u64,
    hangs_ns: u64,
    beaten_ns: u64,
    quiet: Vec<Quiet>,
}

impl Presence {
    /// Begins: from here on recording goes on. Nobody is stopped until the first [`Presence::beat`].
    pub(super) fn arrive(
        element: Array<MapData, Bytes>,
        away: Duration,
        hangs_after: Duration,
    ) -> Result<Self, MapError> {
        let [away_ns, hangs_ns] = [away, hangs_after].map(nanoseconds);
        let mut presence = Self { element, clock: Clock::system(), away_ns, hangs_ns, beaten_ns: 0, quiet: Vec::new() };
        presence.write(0)?;
        Ok(presence)
    }

    /// Somebody reads: to be said between any two looks into the rings, and done when it is time.
    pub(super) fn beat(&mut self) -> Result<(), MapError> {
        let now_ns = self.clock.now().boot_ns;
        if now_ns.saturating_sub(self.beaten_ns) < EVERY_NS {
            return Ok(());
        }
        self.beaten_ns = now_ns;
        self.write(self.hangs_ns)
    }

    /// The agent is about to end: whom the kernel would stop it lets be.
    pub(super) fn leave(&mut self) -> Result<(), MapError> {
        // The looks that are still to come change nothing of it.
        self.beaten_ns = u64::MAX;
        self.write(0)
    }

    /// Spans without records since the last question.
    pub(super) fn take_quiet(&mut self) -> Vec<Quiet> {
        std::mem::take(&mut self.quiet)
    }

    fn write(&mut self, lets_go_ns: u64) -> Result<(), MapError> {
        let before = Agent::read_from_bytes(&self.element.get(&0, 0)?).expect("an element is as large as its type");
        let beat_ns = self.clock.now().boot_ns;
        if before.quiet_ns != 0 {
            self.quiet.push(Quiet { from_ns: before.quiet_ns, to_ns: beat_ns });
        }
        let (away_ns, pid) = (self.away_ns, std::process::id());
        let agent = Agent { beat_ns, away_ns, lets_go_ns, pid, ..Agent::default() };
        let mut bytes = [0; size_of::<Agent>()];
        bytes.copy_from_slice(agent.as_bytes());
        self.element.set(0, bytes, 0)
    }
}

//! What became of each record that a hook began: counters per CPU, by class and outcome, that the agent reads.
//!
//! For each class `begun = sent + aggregated + excluded + the losses`, and `sent + the losses of numbered records` is the
//! next sequence number, summed over the CPUs.

use crate::header::Class;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// In the ring.
    Sent = 0,
    /// Counted into a record that was sent before (a datagram of a known flow).
    Aggregated = 1,
    /// Of the agent itself, where the configuration leaves those out.
    Excluded = 2,
    /// Lost: the ring was full. It has a sequence number, which is missing in what the agent reads.
    RingFull = 3,
    /// Lost: this CPU was already building a record of the class. Numbered.
    ScratchBusy = 4,
    /// Lost: longer than a record may be. Numbered.
    Oversize = 5,
    /// Lost: nothing of it could be read. Numbered.
    ReadFault = 6,
    /// Not a loss of a record: the table of socket owners was full, and a later record will not know its process.
    Unowned = 7,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Sent,
        Self::Aggregated,
        Self::Excluded,
        Self::RingFull,
        Self::ScratchBusy,
        Self::Oversize,
        Self::ReadFault,
        Self::Unowned,
    ];
    /// Those that are a loss of a record.
    pub const LOSSES: [Self; 4] = [Self::RingFull, Self::ScratchBusy, Self::Oversize, Self::ReadFault];

    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Aggregated => "aggregated",
            Self::Excluded => "excluded",
            Self::RingFull => "ring_full",
            Self::ScratchBusy => "scratch_busy",
            Self::Oversize => "oversize",
            Self::ReadFault => "read_fault",
            Self::Unowned => "unowned",
        }
    }
}

/// Length of the counters' array.
pub const COUNTERS: u32 = (Class::COUNT * Outcome::COUNT) as u32;

/// Where the counter stands in the array.
pub const fn counter(class: Class, outcome: Outcome) -> u32 {
    class as u32 * Outcome::COUNT as u32 + outcome as u32
}

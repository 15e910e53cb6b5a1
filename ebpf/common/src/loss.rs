//! What becomes of a record that a hook began. The counters are those of [`crate::account`].

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// In the ring.
    Sent = 0,
    /// Counted into a record that was sent before (a datagram of a known flow, one more open of a file).
    Aggregated = 1,
    /// Of the agent itself, where the configuration leaves those out, or of a device that swallows what is written.
    Excluded = 2,
    /// Not sent because the cgroup had sent all that it may. Not numbered: nobody waits for it.
    Throttled = 3,
    /// Lost: the ring was full. It has a sequence number, which is missing in what the agent reads.
    RingFull = 4,
    /// Lost: this CPU was already building a record of the class. Numbered.
    ScratchBusy = 5,
    /// Lost: longer than a record may be. Numbered.
    Oversize = 6,
    /// Lost: nothing of it could be read. Numbered.
    ReadFault = 7,
    /// Of no record: the table of socket owners was full, and a later record will not know its process.
    Unowned = 8,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = 9;
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Sent,
        Self::Aggregated,
        Self::Excluded,
        Self::Throttled,
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
            Self::Throttled => "throttled",
            Self::RingFull => "ring_full",
            Self::ScratchBusy => "scratch_busy",
            Self::Oversize => "oversize",
            Self::ReadFault => "read_fault",
            Self::Unowned => "unowned",
        }
    }
}

//! A moment and how well it is known. Takes nanoseconds since 1970, UTC; gives comparisons that may answer "cannot tell". Never asks
//! what time it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time, UTC, with the uncertainty of the clock that read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub ns: u64,
    /// The true time lies within plus or minus this many microseconds.
    pub uncertainty_us: u32,
}

/// The answer to "which came first".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Surely earlier.
    Before,
    /// Surely later.
    After,
    /// The uncertainties overlap.
    CannotTell,
}

impl Moment {
    /// A moment that is known as well as its unit.
    pub const fn exact(ns: u64) -> Self {
        Self { ns, uncertainty_us: 0 }
    }

    /// A moment of a log that counts whole seconds: half a second either way.
    pub const fn of_second(seconds: u64) -> Self {
        Self { ns: seconds * 1_000_000_000 + 500_000_000, uncertainty_us: 500_000 }
    }

    /// Which of two came first, if their uncertainties allow an answer.
    pub fn compare(self, other: Self) -> Order {
        let slack = (u64::from(self.uncertainty_us) + u64::from(other.uncertainty_us)) * 1_000;
        if self.ns.saturating_add(slack) < other.ns {
            Order::Before
        } else if other.ns.saturating_add(slack) < self.ns {
            Order::After
        } else {
            Order::CannotTell
        }
    }

    /// Signed distance `other - self` in nanoseconds.
    pub fn delta_ns(self, other: Self) -> i64 {
        i64::try_from(i128::from(other.ns) - i128::from(self.ns)).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC with milliseconds: `2026-11-21T18:10:23.123Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = i128::from(self.ns - self.ns % 1_000_000);
        match jiff::Timestamp::from_nanosecond(ns) {
            Ok(moment) => write!(formatter, "{moment:.3}"),
            Err(_) => write!(formatter, "{} ns since 1970", self.ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_clocks_cannot_tell() {
        let early = Moment { ns: 1_000_000, uncertainty_us: 1 };
        let late = Moment { ns: 1_001_500, uncertainty_us: 1 };
        assert_eq!(early.compare(late), Order::CannotTell);
        assert_eq!(early.compare(Moment::exact(1_002_000)), Order::Before);
    }

    #[test]
    fn a_moment_reads_as_utc() {
        assert_eq!(Moment::exact(1_795_284_623_123_456_789).to_string(), "2026-11-21T18:10:23.123Z");
    }
}

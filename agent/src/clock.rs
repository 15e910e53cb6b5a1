//! The only place that asks what time it is. Takes the kernel's two clocks, wall (UTC) and boot (monotonic, also over sleep);
//! gives pairs of both with an uncertainty, and the wall time of a boot time that the kernel stamped on a record.
//! Never sleeps, and never lets a wall clock that someone moves reorder what happened: between two re-bases the conversion
//! is one addition, so two boot times keep their order.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How far wall and boot may drift apart before the conversion follows. Less than that is clock discipline (NTP slews by at most
/// 500 ppm) and goes into the uncertainty; following it at once would let neighbouring events change places.
const FOLLOW_NS: u64 = 1_000_000;

/// From here on it is no drift: somebody or something set the clock, and that is reported.
const JUMP_NS: u64 = 500_000_000;

/// Attempts to read both clocks close together; the closest pair counts.
const READINGS: usize = 5;

/// A span as records and clocks reckon. One that is too long is the longest.
pub fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, UTC, nanoseconds since 1970.
    pub wall_ns: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub boot_ns: u64,
    /// How far the two may be from being the same instant, in microseconds.
    pub uncertainty_us: u32,
}

/// The wall clock moved against the boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// Boot time at which it was noticed; it happened between this and the check before.
    pub boot_ns: u64,
    /// Positive: the wall clock went forward.
    pub moved_ns: i64,
}

/// The node's clock, shared by all that stamp or convert time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    /// Wall minus boot, as the conversion uses it.
    offset_ns: AtomicI64,
    uncertainty_us: AtomicU32,
    jumps: AtomicU64,
    rebase: Mutex<()>,
}

#[derive(Debug)]
enum Source {
    Kernel,
    Moved { wall_ns: AtomicU64, boot_ns: AtomicU64 },
}

impl Clock {
    /// The kernel's clocks.
    pub fn system() -> Self {
        Self::new(Source::Kernel)
    }

    /// A clock that stands still until [`Clock::advance`] or [`Clock::set_wall`] moves it: for tests, and for a replay, whose
    /// events happened at the times of the recording.
    pub fn standing(wall_ns: u64, boot_ns: u64) -> Self {
        Self::new(Source::Moved { wall_ns: AtomicU64::new(wall_ns), boot_ns: AtomicU64::new(boot_ns) })
    }

    fn new(source: Source) -> Self {
        let first = source.read();
        let shared = Shared {
            source,
            offset_ns: AtomicI64::new(offset(first)),
            uncertainty_us: AtomicU32::new(first.uncertainty_us),
            jumps: AtomicU64::new(0),
            rebase: Mutex::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Both clocks, now.
    pub fn now(&self) -> Moment {
        self.shared.source.read()
    }

    /// Wall time in nanoseconds of a boot time, and its uncertainty in microseconds.
    pub fn wall_ns(&self, boot_ns: u64) -> (u64, u32) {
        let offset = self.shared.offset_ns.load(Ordering::Relaxed);
        (boot_ns.saturating_add_signed(offset), self.shared.uncertainty_us.load(Ordering::Relaxed))
    }

    /// Compares the clocks and follows the wall clock where it moved away. To be called every second or so; answers with the
    /// jump, if it was one.
    pub fn check(&self) -> Option<Jump> {
        let _one_at_a_time = self.shared.rebase.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = self.shared.source.read();
        let held = self.shared.offset_ns.load(Ordering::Relaxed);
        let moved_ns = offset(moment).saturating_sub(held);
        let distance = moved_ns.unsigned_abs();
        if distance <= FOLLOW_NS {
            let drift_us = u32::try_from(distance / 1_000).unwrap_or(u32::MAX);
            self.shared.uncertainty_us.store(moment.uncertainty_us.saturating_add(drift_us), Ordering::Relaxed);
            return None;
        }
        self.shared.offset_ns.store(offset(moment), Ordering::Relaxed);
        let unsure_us = if distance < JUMP_NS { FOLLOW_NS / 1_000 } else { 0 };
        let unsure_us = u32::try_from(unsure_us).unwrap_or(u32::MAX);
        self.shared.uncertainty_us.store(moment.uncertainty_us.saturating_add(unsure_us), Ordering::Relaxed);
        if distance < JUMP_NS {
            return None;
        }
        self.shared.jumps.fetch_add(1, Ordering::Relaxed);
        Some(Jump { boot_ns: moment.boot_ns, moved_ns })
    }

    /// Jumps since the start.
    pub fn jumps(&self) -> u64 {
        self.shared.jumps.load(Ordering::Relaxed)
    }

    /// Moves a standing clock forward, both hands. The kernel's clock is not ours to move: it is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Moved { wall_ns, boot_ns } = &self.shared.source {
            let by = nanoseconds(by);
            wall_ns.fetch_add(by, Ordering::Relaxed);
            boot_ns.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Sets the wall hand of a standing clock alone: what an administrator or an attacker does with `date -s`.
    pub fn set_wall(&self, to_ns: u64) {
        if let Source::Moved { wall_ns, .. } = &self.shared.source {
            wall_ns.store(to_ns, Ordering::Relaxed);
        }
    }
}

impl Source {
    fn read(&self) -> Moment {
        match self {
            Self::Moved { wall_ns, boot_ns } => Moment {
                wall_ns: wall_ns.load(Ordering::Relaxed),
                boot_ns: boot_ns.load(Ordering::Relaxed),
                uncertainty_us: 0,
            },
            Self::Kernel => (0..READINGS)
                .map(|_| read_kernel())
                .min_by_key(|moment| moment.uncertainty_us)
                .expect("at least one reading is taken"),
        }
    }
}

/// Reads boot, wall, boot: the wall time lies between two boot times, and their middle is wrong by at most half the distance.
fn read_kernel() -> Moment {
    let before = read_one(ClockId::CLOCK_BOOTTIME);
    let wall_ns = read_one(ClockId::CLOCK_REALTIME);
    let after = read_one(ClockId::CLOCK_BOOTTIME);
    let half = after.saturating_sub(before) / 2;
    Moment { wall_ns, boot_ns: before + half, uncertainty_us: u32::try_from(half / 1_000 + 1).unwrap_or(u32::MAX) }
}

fn read_one(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("both clocks exist on every kernel that can run the sensor");
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

fn offset(moment: Moment) -> i64 {
    let wall = i64::try_from(moment.wall_ns).unwrap_or(i64::MAX);
    wall.saturating_sub(i64::try_from(moment.boot_ns).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;
    const WALL: u64 = 1_790_000_000_000_000_000;

    #[test]
    fn a_boot_time_becomes_the_wall_time_of_the_same_instant() {
        let clock = Clock::standing(WALL, 1_000);
        assert_eq!(clock.wall_ns(1_500), (WALL + 500, 0));
    }

    #[test]
    fn a_clock_set_forward_is_followed_and_reported() {
        let clock = Clock::standing(WALL, 1_000);
        clock.set_wall(WALL + HOUR_NS);
        let jump = clock.check().expect("an hour is a jump");
        assert_eq!(jump.moved_ns, i64::try_from(HOUR_NS).expect("an hour fits"));
        assert_eq!(clock.wall_ns(1_000).0, WALL + HOUR_NS);
        assert_eq!((clock.check(), clock.jumps()), (None, 1));
    }

    #[test]
    fn a_clock_set_back_is_followed_and_reported() {
        let clock = Clock::standing(WALL, HOUR_NS * 2);
        clock.set_wall(WALL - HOUR_NS);
        assert!(clock.check().expect("an hour back is a jump").moved_ns < 0);
        assert_eq!(clock.wall_ns(HOUR_NS * 2).0, WALL - HOUR_NS);
    }

    #[test]
    fn a_slewed_clock_goes_into_the_uncertainty_and_keeps_the_order_of_events() {
        let clock = Clock::standing(WALL, 1_000_000);
        let before = clock.wall_ns(1_000_000);
        clock.set_wall(WALL - 400_000);
        assert_eq!(clock.check(), None);
        let after = clock.wall_ns(1_000_001);
        assert!(after.0 > before.0, "a later boot time is a later wall time");
        assert_eq!(after.1, 400);
    }

    #[test]
    fn the_kernels_clocks_agree_with_themselves() {
        let clock = Clock::system();
        let now = clock.now();
        let (wall, _) = clock.wall_ns(now.boot_ns);
        assert!(wall.abs_diff(now.wall_ns) < 1_000_000_000);
    }
}

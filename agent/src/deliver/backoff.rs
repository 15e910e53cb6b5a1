//! How long to wait before the next attempt. Takes nothing but its own count of failures; gives a wait that doubles up to a bound,
//! with jitter, so that a thousand nodes do not come back in the same second. Pure: no clock, no sleep.

use std::time::Duration;

/// Waits between attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    failures: u32,
    random: u64,
}

impl Backoff {
    /// Waits between `least` and `most`. `seed` differs between nodes.
    pub fn new(least: Duration, most: Duration, seed: u64) -> Self {
        Self { least, most, failures: 0, random: seed | 1 }
    }

    /// The next wait: at least half of what the doubling says, and never more than `most`.
    pub fn wait(&mut self) -> Duration {
        let doubled = self.least.saturating_mul(1 << self.failures.min(20)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        // xorshift: good enough to spread nodes, and it needs no entropy.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let thousandths = u32::try_from(self.random % 500).expect("below 500") + 500;
        doubled * thousandths / 1000
    }

    /// Something worked: the next failure waits for the least time again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 42);
        for failure in 0..40 {
            let full = Duration::from_millis(100 << failure.min(10)).min(Duration::from_secs(5));
            let wait = backoff.wait();
            assert!(wait >= full / 2 && wait <= full, "after {failure} failures: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(100));
    }

    #[test]
    fn two_nodes_do_not_wait_alike() {
        let mut one = Backoff::new(Duration::from_secs(1), Duration::from_mins(1), 1);
        let mut other = Backoff::new(Duration::from_secs(1), Duration::from_mins(1), 99);
        let differ = (0..10).filter(|_| one.wait() != other.wait()).count();
        assert!(differ >= 8);
    }
}

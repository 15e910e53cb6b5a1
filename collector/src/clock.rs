//! What time it is: the only place that asks. Gives nanoseconds since 1970, UTC. A test hands out a clock that it moves itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use collector_core::model::Moment;

/// A clock: the machine's, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    moved: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that shows what `hand` holds, nanoseconds since 1970.
    pub fn moved_by(hand: Arc<AtomicU64>) -> Self {
        Self { moved: Some(hand) }
    }

    /// Nanoseconds since 1970, UTC. A machine set before 1970 reads as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub fn now_ns(&self) -> u64 {
        match &self.moved {
            Some(hand) => hand.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    /// The same as a moment. Our own clock is taken as exact: how far it is from a node's is the node's uncertainty.
    pub fn now(&self) -> Moment {
        Moment::exact(self.now_ns())
    }
}

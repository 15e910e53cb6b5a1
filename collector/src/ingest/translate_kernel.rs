//! Changes to the kernel itself: wire to model.

use collector_core::model::Change;
use proto::v1::event::Body as Wire;

pub(super) fn kernel(wire: &Wire) -> Option<Change> {
    Some(match wire {
        Wire::UringMade(made) => Change::UringMade { entries: made.entries, flags: made.flags, result: made.result },
        _ => return None,
    })
}

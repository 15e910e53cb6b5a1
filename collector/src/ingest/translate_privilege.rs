//! Powers taken, and used on other processes: wire to model.

use collector_core::model::Privilege;
use proto::v1::event::Body as Wire;

pub(super) fn privilege(wire: &Wire) -> Option<Privilege> {
    Some(match wire {
        Wire::UserfaultMade(made) => Privilege::UserfaultMade { flags: made.flags, result: made.result },
        _ => return None,
    })
}

//! Changes to the kernel itself: record → event body.

use proto::v1::UringMade;
use proto::v1::event::Body;

use crate::decode::Change;

pub(crate) fn body(change: &Change) -> Body {
    match change {
        Change::UringSetup(made) => {
            Body::UringMade(UringMade { entries: made.entries, flags: made.flags, result: made.result })
        }
    }
}

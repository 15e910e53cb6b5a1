//! Powers taken, and used on other processes: record → event body.

use proto::v1::UserfaultMade;
use proto::v1::event::Body;

use crate::decode::Privilege;

pub(crate) fn body(privilege: Privilege) -> Body {
    match privilege {
        Privilege::Userfault(made) => Body::UserfaultMade(UserfaultMade { flags: made.flags, result: made.result }),
    }
}

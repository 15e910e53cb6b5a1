//! What time it is, for the logs that the stage writes of this very moment.

use jiff::Timestamp;

/// The moment of now.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

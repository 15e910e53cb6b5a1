//! How we know that nothing was changed. Takes records, manifests and bytes; gives the journal's chain and the answer to "is this still
//! what was sealed". Never stores and never signs.

pub mod chain;
pub mod record;

pub use chain::{Broken, Chain};
pub use record::{Draft, Kind, Record, Recorded};

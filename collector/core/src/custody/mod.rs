//! How we know that nothing was changed. Takes records, manifests and bytes; gives the journal's chain and the answer to "is this still
//! what was sealed". Never stores and never signs.

pub mod bundle;
pub mod chain;
pub mod manifest;
pub mod node_log;
pub mod record;
pub mod slice;

pub use bundle::{Files, Index, Problem, Verification, verify_bundle};
pub use chain::{Broken, Chain};
pub use manifest::{ManifestError, Statement, verify_manifest};
pub use record::{Draft, Kind, Record, Recorded};

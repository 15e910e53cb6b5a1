//! Changes to the kernel itself, and ways into it beside system calls. Takes what `collector::ingest` made from the wire; never holds a wire
//! type.

use serde::{Deserialize, Serialize};

use super::fact::{Fact, Named};

/// What was done to the kernel, or asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
#[expect(missing_docs, reason = "the fields are those of `proto/sensor/v1/kernel.proto`, where each is described")]
pub enum Change {
    UringMade { entries: u32, flags: u32, result: i32 },
}

impl Change {
    /// In one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UringMade { .. } => "uring_made",
        }
    }

    /// What the kernel answered.
    pub fn result(&self) -> i32 {
        match self {
            Self::UringMade { result, .. } => *result,
        }
    }

    /// All else, by name.
    pub fn facts(&self) -> Vec<Named<'_>> {
        match self {
            Self::UringMade { entries, flags, .. } => {
                vec![("entries", Fact::Number((*entries).into())), ("flags", Fact::Number((*flags).into()))]
            }
        }
    }
}

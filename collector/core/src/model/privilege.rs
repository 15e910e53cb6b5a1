//! Powers taken, and used on other processes. Takes what `collector::ingest` made from the wire; never holds a wire type.

use serde::{Deserialize, Serialize};

use super::fact::{Fact, Named};

/// What a process did with power, or to get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
#[expect(missing_docs, reason = "the fields are those of `proto/sensor/v1/privilege.proto`, where each is described")]
pub enum Privilege {
    UserfaultMade { flags: u32, result: i32 },
}

impl Privilege {
    /// In one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UserfaultMade { .. } => "userfault_made",
        }
    }

    /// What the kernel answered.
    pub fn result(&self) -> i32 {
        match self {
            Self::UserfaultMade { result, .. } => *result,
        }
    }

    /// All else, by name.
    pub fn facts(&self) -> Vec<Named<'_>> {
        match self {
            Self::UserfaultMade { flags, .. } => vec![("flags", Fact::Number((*flags).into()))],
        }
    }
}

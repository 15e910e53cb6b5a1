//! Which files are watched, and how often the same is told.

use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// Which files are watched beyond writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Paths whose mere opening is told. Default: credentials, tokens, keys and password files of common software. A list here takes
    /// the place of that one; an empty list watches none. At most 64.
    pub sensitive: Option<Vec<SensitivePath>>,
    /// Opens of the same file in the same way by the same process within so long are told once, and then counted. Default 10 s;
    /// 0 s … 10 m. 0 s: each is told. More: what was counted is told later.
    #[serde(deserialize_with = "quantity::duration")]
    pub repeats: Duration,
}

/// One sensitive path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitivePath {
    /// What it is: `shadow`, `ssh_key`, … Rules know it by this name.
    pub class: String,
    /// Absolute; `*` is any part of one component, `**` any number of components.
    pub path: String,
}

impl Default for Files {
    fn default() -> Self {
        Self { sensitive: None, repeats: Duration::from_secs(10) }
    }
}

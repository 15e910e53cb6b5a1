//! Processes: what they run. Takes what `collector::ingest` made from the wire; never holds a wire type.

use serde::{Deserialize, Serialize};

use super::event::Raw;

/// A new program image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Exec` in `proto/sensor/v1/process.proto`")]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact of the kernel's")]
pub struct Exec {
    pub path: Raw,
    /// One element an argument.
    pub arguments: Vec<Raw>,
    pub arguments_truncated: bool,
    #[serde(default)]
    pub argument_bytes: u32,
    #[serde(default)]
    pub arguments_end: Raw,
    /// In hex; empty where it is not known.
    #[serde(default)]
    pub arguments_sha256: String,
    pub directory: Raw,
    pub device: u32,
    pub inode: u64,
    pub links: u32,
    pub memfd: bool,
    pub upper_layer: bool,
    pub uid: u32,
    pub effective_uid: u32,
    pub capabilities: u64,
    pub stopped_in_kernel: bool,
    #[serde(default)]
    pub from_proc: bool,
    #[serde(default)]
    pub script: Raw,
}

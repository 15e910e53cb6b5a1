//! `[kernel]`: what the agent must be told of the kernel that it cannot find by itself.

use std::path::PathBuf;

use serde::Deserialize;

/// Where a kernel describes its types, if it was built to (`CONFIG_DEBUG_INFO_BTF`).
pub const OWN_TYPES: &str = "/sys/kernel/btf/vmlinux";

/// The kernel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kernel {
    /// Where the types of this kernel are described (BTF). Default `/sys/kernel/btf/vmlinux`. For a kernel that was built without them: a
    /// file made for exactly this build, as `BTFHub` has them; what needs the kernel's own (typed tracepoints, and with them processes) is
    /// refused there even so, hook by hook. A file of another build: hooks read from wrong places. No file: the agent runs, sees nothing,
    /// and says so.
    pub btf: PathBuf,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { btf: PathBuf::from(OWN_TYPES) }
    }
}

//! Programs to their hooks, as far as this kernel can be known. Takes the loaded object and where its types are described; gives each hook as
//! it stands, or refused with the one reason that holds for all. Works in a thread that ends then.

use std::path::Path;
use std::thread;

use aya::{Btf, Ebpf, Endianness};
use ebpf_common::hook::Tier;

use super::KernelConfig;
use super::gate::Gates;
use super::hooks::{self, Ground, HookState};
use super::load::{LoadError, OBJECT};
use super::mounts;
use super::offsets::{self, Layout};
use super::tiers::Tiers;

/// What came of attaching.
pub(super) struct Attached {
    pub(super) hooks: Vec<HookState>,
    pub(super) gates: Option<Gates>,
    pub(super) not_kept: Vec<String>,
}

/// What the kernel's types say, and the types; or why they are not known. Then no program can be loaded, and the agent is what it is
/// without any: it delivers, obeys, and says that it sees nothing.
pub(super) fn known(described: &Path) -> Result<(Layout, Btf), String> {
    let layout = offsets::layout(described).map_err(|error| crate::deliver::chain(&error))?;
    let types = Btf::parse_file(described, Endianness::default());
    Ok((layout, types.map_err(|error| crate::deliver::chain(&error))?))
}

/// Hangs every program that this kernel lets in; none where its types are not known.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    config: &KernelConfig,
    known: &Result<(Layout, Btf), String>,
    root: &Path,
    gates: Option<Gates>,
) -> Result<Attached, LoadError> {
    match known {
        Ok((layout, types)) => {
            let lacks = layout.lacks(OBJECT).map_err(LoadError::Object)?;
            let (tiers, not_kept) = (Tiers::default(), Vec::new());
            hang(ebpf, config.highest_tier, Ground { types, cgroups: root, lacks: &lacks, tiers, gates, not_kept })
        }
        Err(why) => {
            tracing::error!(why, "no kernel program can be loaded: this node is not watched");
            Ok(Attached { hooks: hooks::refused(why), gates: None, not_kept: Vec::new() })
        }
    }
}

/// Attaches in a thread that ends then, because filesystems may have to be mounted for it alone.
fn hang(ebpf: &mut Ebpf, highest: Tier, mut ground: Ground<'_>) -> Result<Attached, LoadError> {
    let work = || {
        if let Err(cause) = mounts::show_tracing() {
            tracing::warn!(%cause, "tracefs cannot be shown: hooks on system calls will be refused");
        }
        ground.tiers = Tiers::look(highest);
        let hooks = hooks::attach(ebpf, &mut ground);
        Attached { hooks, gates: ground.gates, not_kept: ground.not_kept }
    };
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().name("attach".to_owned()).spawn_scoped(scope, work).map_err(LoadError::Thread)?;
        Ok(thread.join().expect("attaching does not panic: every refusal is a value"))
    })
}

//! Which ways into the kernel are worth a try here. Takes the running kernel's word, and the first refusal that holds for a whole
//! tier; gives the reason why a tier is not tried. Never silent about one: what is skipped is refused, in words.

use std::fs;
use std::path::Path;

use ebpf_common::hook::Tier;

use super::mounts::{self, MODULES};

const PROBES: [&str; 2] = ["/sys/bus/event_source/devices/kprobe", "/sys/kernel/tracing/kprobe_events"];

/// For each tier why it is not tried.
#[derive(Default)]
pub(super) struct Tiers {
    refused: [Option<String>; Tier::COUNT],
}

impl Tiers {
    /// Asks the kernel, which costs nothing, before programs are tried. Called in a thread of its own, see `mounts`.
    pub(super) fn look(highest: Tier) -> Self {
        let mut tiers = Self::default();
        for tier in Tier::ALL.into_iter().filter(|tier| *tier > highest) {
            tiers.refuse(tier, format!("not asked for: {} is the highest tier allowed", highest.name()));
        }
        if highest >= Tier::Lsm
            && let Err(why) = security_modules()
        {
            tiers.refuse(Tier::Lsm, why);
        }
        if highest >= Tier::Kprobe && !PROBES.iter().any(|place| Path::new(place).exists()) {
            tiers.refuse(Tier::Kprobe, "this kernel has no kprobes".to_owned());
        }
        tiers
    }

    /// Why a tier is not tried; nothing where it is.
    pub(super) fn refusal(&self, tier: Tier) -> Option<&str> {
        self.refused[tier as usize].as_deref()
    }

    /// The kernel refused a program of this tier for what it is: it will refuse all of them.
    pub(super) fn refuse(&mut self, tier: Tier, why: String) {
        self.refused[tier as usize].get_or_insert(why);
    }
}

/// Programs of a module that is not among the active ones are let in, and never run.
fn security_modules() -> Result<(), String> {
    mounts::show_security().map_err(|cause| format!("the list of security modules cannot be shown: {cause}"))?;
    let modules = fs::read_to_string(MODULES).map_err(|cause| format!("read {MODULES}: {cause}"))?;
    let modules = modules.trim();
    if modules.split(',').any(|module| module == "bpf") {
        return Ok(());
    }
    Err(format!("bpf is not among the active security modules ({modules})"))
}

//! The cases of `tests/evasion.toml` that one machine's kernel decides: each is tried, and what the table says of it is held. A file
//! for each group; a case that a container or the whole agent decides is a story.

mod arguments;
mod clones;
mod degraded;
mod disguise;
mod flood;
mod interpreted;
mod memory;
mod names;
mod narrow;
mod pages;
mod powers;
mod races;
mod uring;
mod wire;

use tests::evasion::{self, Case};

use crate::watch::{Watch, watch};

/// The watch and the case; nothing where this machine allows no programs, or the table says that this tier does not cover it.
pub(crate) fn begin(number: u8) -> Option<(&'static Watch, &'static Case)> {
    let watch = watch()?;
    let hooks = watch.kernel.hooks();
    let tier =
        |name: &str| hooks.iter().find(|hook| hook.name == name && hook.attached).map(|hook| hook.tier.to_owned());
    evasion::begin(number, tier).map(|case| (watch, case))
}

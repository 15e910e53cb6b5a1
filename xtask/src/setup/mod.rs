//! `cargo xtask setup`: brings what the build, the tests and the demo need and a fresh machine lacks. Takes a scope; gives
//! what is still missing, each with the way to get it. Looks at the thing itself each time: a remembered success proves nothing.

pub(crate) mod apt;
pub(crate) mod debian;
mod linker;
mod source;
mod stand_in;
mod target;

use anyhow::{Result, bail};

use crate::place::Place;
use crate::step::Step;

/// What setup is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The kernel programs' build alone.
    Build,
    /// What the stories, the demo and the benchmarks start.
    Start,
    /// What starts other kernels than this machine's.
    Kernels,
    /// What builds for arm64, and starts its kernels.
    Aarch64,
}

/// Something that is not there, and how a person gets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Missing {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// How a part came to be there.
pub(crate) enum Found {
    AlreadyThere,
    Installed,
    Missing(Missing),
}

type Part = fn(&Place, &Step) -> Result<Found>;

const BUILD: &[(&str, Part)] = &[("setup: rust-src", source::bring), ("setup: bpf-linker", linker::bring)];
const START: &[(&str, Part)] = &[("setup: Debian packages", debian::bring), ("setup: moto", stand_in::bring)];
const KERNELS: &[(&str, Part)] = &[("setup: qemu", debian::bring_emulator)];
const AARCH64: &[(&str, Part)] =
    &[("setup: Rust for arm64", target::bring), ("setup: Debian packages for arm64", debian::bring_aarch64)];

/// Brings every part of the scope; a part that cannot be had does not stop the others.
pub(crate) fn bring(place: &Place, scope: Scope) -> Result<Vec<Missing>> {
    let parts = match scope {
        Scope::Build => BUILD,
        Scope::Start => START,
        Scope::Kernels => KERNELS,
        Scope::Aarch64 => AARCH64,
    };
    let mut missing = Vec::new();
    for (title, part) in parts {
        let step = Step::begin(&place.logs(), title)?;
        match part(place, &step)? {
            Found::AlreadyThere => step.end("already there"),
            Found::Installed => step.end("installed"),
            Found::Missing(one) => {
                let took = step.end(&format!("missing: {}; {}", one.what, one.remedy));
                missing.push(one);
                took
            }
        };
    }
    Ok(missing)
}

/// Turns what is missing into an error, for commands that cannot go on without it.
pub(crate) fn require(missing: &[Missing]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing.iter().map(|one| format!("  {}: {}", one.what, one.remedy)).collect();
    bail!("something is missing:\n{}", lines.join("\n"))
}

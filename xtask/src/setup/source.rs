//! The sources of `core`, which the kernel programs' target has to be built from. From rustup, else from Debian's package
//! of the very same version, fetched with an apt configuration of its own and unpacked, so that the host's is not touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::{self, Suite};
use super::{Found, Missing};
use crate::place::{self, Place};
use crate::rustc::Rustc;
use crate::step::Step;

/// Looked at to know that the sources are there and whole enough for cargo.
const WITNESSES: &[&str] = &["library/Cargo.lock", "library/core/src/lib.rs", "library/compiler-builtins/Cargo.toml"];

const DEBIAN_SUITES: &[&str] = &["trixie-backports", "trixie", "sid"];

/// Brings the sources into the compiler's own folder, where cargo looks for them.
pub(super) fn bring(place: &Place, step: &Step) -> Result<Found> {
    let rustc = Rustc::find()?;
    if whole(&rustc.sources()) {
        return Ok(Found::AlreadyThere);
    }
    step.note("rustup component add rust-src");
    if place::program("rustup").is_some() {
        step.try_run(Command::new("rustup").args(["component", "add", "rust-src"]))?;
        if whole(&rustc.sources()) {
            return Ok(Found::Installed);
        }
    }
    step.note(&format!("rustup has no rust-src; fetching Debian's package of {}", rustc.release));
    let scratch = place.own().join("rust-src");
    if let Err(error) = from_debian(step, &rustc, &scratch) {
        step.note(&format!("{error:#}"));
    }
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
    }
    if whole(&rustc.sources()) {
        return Ok(Found::Installed);
    }
    let remedy = format!(
        "run `rustup component add rust-src` with network access, or put the `library` folder of the Rust {} sources under {}",
        rustc.release,
        rustc.sources().display()
    );
    Ok(Found::Missing(Missing::new("rust-src", remedy)))
}

fn whole(sources: &Path) -> bool {
    WITNESSES.iter().all(|file| sources.join(file).is_file())
}

/// Asks one suite after the other: most machines need the small lists of the first only, and one that is not well stands in no way.
fn from_debian(step: &Step, rustc: &Rustc, scratch: &Path) -> Result<()> {
    for name in DEBIAN_SUITES {
        let suite = Suite::open(step, scratch, name)?;
        if let Some(archive) = suite.download(step, &[format!("rust-src={}*", rustc.release)])?.first() {
            return unpack(step, rustc, archive);
        }
    }
    bail!("no Debian suite has rust-src {} ({})", rustc.release, DEBIAN_SUITES.join(", "))
}

fn unpack(step: &Step, rustc: &Rustc, archive: &Path) -> Result<()> {
    let unpacked = archive.with_extension("unpacked");
    apt::unpack(step, archive, &unpacked)?;
    let library = unpacked.join(format!("usr/src/rustc-{}/library", rustc.release));
    fs::create_dir_all(rustc.sources()).with_context(|| format!("create {}", rustc.sources().display()))?;
    step.run(Command::new("cp").args(["-a", "--"]).arg(&library).arg(rustc.sources()))?;
    Ok(())
}

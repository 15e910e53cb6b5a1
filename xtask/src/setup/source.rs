//! The sources of `core`, which the kernel programs' target has to be built from. From rustup, else from Debian's package
//! of the very same version, fetched with an apt configuration of its own and unpacked, so that the host's is not touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Found, Missing};
use crate::place::{self, Place};
use crate::rustc::Rustc;
use crate::step::Step;

/// Looked at to know that the sources are there and whole enough for cargo.
const WITNESSES: &[&str] = &["library/Cargo.lock", "library/core/src/lib.rs", "library/compiler-builtins/Cargo.toml"];

const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
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
    for suite in DEBIAN_SUITES {
        let folder = scratch.join(suite);
        let apt = private_apt(&folder, suite)?;
        step.note(&format!("looking in {suite}"));
        step.try_run(apt_get(&apt).arg("update"))?;
        let package = format!("rust-src={}*", rustc.release);
        step.try_run(apt_get(&apt).args(["download", &package]).current_dir(&folder))?;
        if let Some(archive) = package_in(&folder)? {
            return unpack(step, rustc, &archive);
        }
    }
    bail!("no Debian suite has rust-src {} ({})", rustc.release, DEBIAN_SUITES.join(", "))
}

fn package_in(folder: &Path) -> Result<Option<PathBuf>> {
    let mut files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(files.find(|path| path.extension().is_some_and(|extension| extension == "deb")))
}

fn unpack(step: &Step, rustc: &Rustc, archive: &Path) -> Result<()> {
    let unpacked = archive.with_extension("unpacked");
    step.run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&unpacked))?;
    let library = unpacked.join(format!("usr/src/rustc-{}/library", rustc.release));
    fs::create_dir_all(rustc.sources()).with_context(|| format!("create {}", rustc.sources().display()))?;
    step.run(Command::new("cp").args(["-a", "--"]).arg(&library).arg(rustc.sources()))?;
    Ok(())
}

/// An apt configuration that shares nothing with the host's but the keyring. Gives the options that select it.
fn private_apt(scratch: &Path, suite: &str) -> Result<Vec<String>> {
    for folder in ["parts", "lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(scratch.join(folder))
            .with_context(|| format!("create {folder} in {}", scratch.display()))?;
    }
    let source = format!("deb [signed-by={DEBIAN_KEYRING}] http://deb.debian.org/debian {suite} main\n");
    fs::write(scratch.join("sources.list"), source).context("write the private sources.list")?;
    fs::write(scratch.join("status"), "").context("write an empty package state")?;
    let set = |key: &str, value: PathBuf| format!("-o{key}={}", value.display());
    Ok(vec![
        set("Dir::Etc::sourcelist", scratch.join("sources.list")),
        set("Dir::Etc::sourceparts", scratch.join("parts")),
        set("Dir::Etc::preferencesparts", scratch.join("parts")),
        set("Dir::State::lists", scratch.join("lists")),
        set("Dir::State::status", scratch.join("status")),
        set("Dir::Cache", scratch.join("cache")),
        "-oAPT::Sandbox::User=root".to_owned(),
        "-oAcquire::Languages=none".to_owned(),
        // A mirror may lag behind. The version is asked for by name and signed, so an old list cannot bring another one.
        "-oAcquire::Check-Valid-Until=false".to_owned(),
    ])
}

fn apt_get(options: &[String]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(options);
    command
}

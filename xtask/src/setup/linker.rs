//! `bpf-linker`, which turns the kernel programs' bitcode into an object with BTF. Built from crates.io against the LLVM
//! that `rustc` itself brings: no other LLVM reads its bitcode for certain. Never touches what cargo has installed elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Found, Missing};
use crate::place::{self, Place};
use crate::rustc::Rustc;
use crate::step::Step;

const VERSION: &str = "0.13.0";

/// The LLVM versions that this bpf-linker can be built against.
const LLVM: std::ops::RangeInclusive<u32> = 21..=23;

/// Builds the linker unless one that starts and says this version is there.
pub(super) fn bring(place: &Place, step: &Step) -> Result<Found> {
    if starts(&place.linker()) {
        return Ok(Found::AlreadyThere);
    }
    let rustc = Rustc::find()?;
    if !LLVM.contains(&rustc.llvm) {
        let remedy = format!(
            "rustc {} brings LLVM {}, bpf-linker {VERSION} knows {} to {}: use a Rust whose LLVM is among them",
            rustc.release,
            rustc.llvm,
            LLVM.start(),
            LLVM.end()
        );
        return Ok(Found::Missing(Missing::new("bpf-linker", remedy)));
    }
    let libraries = rustc.sysroot.join("lib");
    let prefix = link_llvm(place, &libraries, rustc.llvm)?;
    step.note(&format!("building bpf-linker {VERSION} against rustc's LLVM {} (about a minute)", rustc.llvm));
    let printed = step.try_run(&mut install(place, &prefix, &libraries, rustc.llvm))?;
    if starts(&place.linker()) {
        return Ok(Found::Installed);
    }
    let why = printed.text.lines().rfind(|line| line.starts_with("error")).unwrap_or("it was built but does not start");
    let remedy = format!(
        "building it failed ({why}); it needs network access to crates.io, gcc and g++; see {}",
        place.logs().display()
    );
    Ok(Found::Missing(Missing::new("bpf-linker", remedy)))
}

fn starts(linker: &Path) -> bool {
    let output = Command::new(linker).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
}

fn install(place: &Place, prefix: &Path, libraries: &Path, llvm: u32) -> Command {
    let mut command = Command::new(place::cargo());
    command
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force", "--no-default-features"])
        .args(["--features", &format!("llvm-{llvm}"), "--root"])
        .arg(place.tools())
        .arg("--target-dir")
        .arg(place.own().join("build"))
        .env("LLVM_PREFIX", prefix)
        // The linker loads rustc's own LLVM when it runs, also after its folder has been copied elsewhere.
        .env("RUSTFLAGS", format!("-C link-arg=-Wl,-rpath,{}", libraries.display()))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // LLVM does the work; its caller need not be fast, and is there sooner.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .current_dir(place.own());
    command
}

/// A folder laid out as an LLVM installation, with links to the one library.
fn link_llvm(place: &Place, libraries: &Path, llvm: u32) -> Result<PathBuf> {
    let library = find_llvm(libraries, llvm)?;
    let prefix = place.own().join("llvm");
    let folder = prefix.join("lib");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for name in ["libLLVM.so".to_owned(), format!("libLLVM-{llvm}.so")] {
        let link = folder.join(name);
        if link.is_symlink() {
            fs::remove_file(&link).with_context(|| format!("replace {}", link.display()))?;
        }
        std::os::unix::fs::symlink(&library, &link).with_context(|| format!("create {}", link.display()))?;
    }
    Ok(prefix)
}

/// `rustc` calls it `libLLVM.so.22.1-rust-1.95.0-stable`; the file beside it, `libLLVM-22-rust-….so`, is a linker script.
fn find_llvm(libraries: &Path, llvm: u32) -> Result<PathBuf> {
    let start = format!("libLLVM.so.{llvm}.");
    fs::read_dir(libraries)
        .with_context(|| format!("list {}", libraries.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)))
        .with_context(|| format!("no {start}* in {}: this Rust was not installed by rustup", libraries.display()))
}

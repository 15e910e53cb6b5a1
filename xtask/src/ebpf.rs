//! `cargo xtask ebpf`: builds the kernel programs into one object a machine and the gates before them into another, where the agent's build
//! script finds them. Takes the `ebpf` workspace; gives `<target>/mayfly/bpf/<machine>/mayfly.o`, and `gate.o` beside it. Leaves an object
//! that did not change untouched, so that nothing is rebuilt.
//!
//! A probe by breakpoint finds a function's arguments in other registers on each machine; all else is the same code.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::place::{self, Place};
use crate::setup::{self, Scope};
use crate::step::Step;
use crate::strip::strip;

const TARGET: &str = "bpfel-unknown-none";

/// Brings what the build needs, then builds for this machine.
pub(crate) fn build(place: &Place) -> Result<()> {
    build_for(place, Machine::HERE)
}

/// The same, for kernels of some machine.
pub(crate) fn build_for(place: &Place, machine: Machine) -> Result<()> {
    setup::require(&setup::bring(place, Scope::Build)?)?;
    let step = Step::begin(&place.logs(), &format!("kernel programs: build for {}", machine.name()))?;
    step.run(&mut cargo(place, machine, "build"))?;
    let built = place.own().join("ebpf").join(TARGET).join("release");
    let fresh =
        replace(&built.join("mayfly"), &place.object(machine))? | replace(&built.join("gate"), &place.gates(machine))?;
    step.end(if fresh { "built" } else { "unchanged" });
    Ok(())
}

/// A cargo command over the `ebpf` workspace, for its own target and with its own linker.
pub(crate) fn cargo(place: &Place, machine: Machine, verb: &str) -> Command {
    let flags = "-C target-cpu=v3 -C debuginfo=2 -C link-arg=--btf";
    let flags = format!("{flags} --cfg bpf_target_arch=\"{}\"", machine.name());
    let mut command = Command::new(place::cargo());
    command
        .args([verb, "--release", "-Zbuild-std=core", "--target", TARGET, "--target-dir"])
        .arg(place.own().join("ebpf"))
        .current_dir(place.root.join("ebpf"))
        // The flags that name a target and build `core` are nightly's; the bootstrap variable opens them on stable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", place.linker())
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS", flags)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR");
    command
}

/// Copies what is loaded of an object when it differs, and says whether it did.
fn replace(from: &Path, to: &Path) -> Result<bool> {
    let built = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    let new = strip(&built).with_context(|| format!("strip {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(false);
    }
    let folder = to.parent().context("the object's folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    fs::write(to, new).with_context(|| format!("write {}", to.display()))?;
    Ok(true)
}

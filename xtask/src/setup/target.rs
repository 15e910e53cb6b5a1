//! Rust's own library for arm64, which programs for it are linked with. From rustup, which also knows where it belongs.

use std::process::Command;

use anyhow::Result;

use super::{Found, Missing};
use crate::machine::Machine;
use crate::place::{self, Place};
use crate::rustc::Rustc;
use crate::step::Step;

/// Brings the library for the compiler in use.
pub(super) fn bring(_place: &Place, step: &Step) -> Result<Found> {
    let target = Machine::Aarch64.target();
    let library = Rustc::find()?.sysroot.join("lib/rustlib").join(target).join("lib");
    if library.is_dir() {
        return Ok(Found::AlreadyThere);
    }
    step.note(&format!("rustup target add {target}"));
    if place::program("rustup").is_some() {
        step.try_run(Command::new("rustup").args(["target", "add", target]))?;
        if library.is_dir() {
            return Ok(Found::Installed);
        }
    }
    let remedy =
        format!("run `rustup target add {target}` with network access, or put the library in {}", library.display());
    Ok(Found::Missing(Missing::new(format!("Rust for {target}"), remedy)))
}

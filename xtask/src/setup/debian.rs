//! Debian packages that the stories and the demo start: the container runtime, the container's contents, network tools, Python.
//! Looks at the programs, however they were installed; installs with apt what is not there. Updates apt's lists only when they do not know a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Found, Missing};
use crate::place::{self, Place};
use crate::step::Step;

/// A package, and how to see that what it brings is there.
struct Package {
    name: &'static str,
    present: fn() -> bool,
}

const PACKAGES: &[Package] = &[
    // The fuzzer's engine is C++.
    Package { name: "g++", present: || answers("c++", &["--version"]) },
    Package { name: "runc", present: || answers("runc", &["--version"]) },
    Package { name: "containerd", present: || answers("containerd", &["--version"]) && answers("ctr", &["--version"]) },
    Package { name: "busybox-static", present: || busybox().is_some() },
    // A filesystem on which files can share their blocks.
    Package { name: "btrfs-progs", present: || answers("mkfs.btrfs", &["--version"]) },
    Package { name: "iproute2", present: || answers("ip", &["-Version"]) },
    Package { name: "ca-certificates", present: || Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() },
    Package { name: "python3", present: || answers("python3", &["--version"]) },
    Package { name: "python3-venv", present: || answers("python3", &["-c", "import ensurepip, venv"]) },
];

/// What starts other kernels than this machine's.
const EMULATOR: &[Package] = &[
    Package { name: "qemu-system-x86", present: || answers("qemu-system-x86_64", &["--version"]) },
    Package { name: "busybox-static", present: || busybox().is_some() },
    Package { name: "binutils", present: || answers("strip", &["--version"]) },
];

/// What builds for arm64 and starts its kernels. The library is a package of its own, which the compiler needs to link anything.
const AARCH64: &[Package] = &[
    Package { name: "gcc-aarch64-linux-gnu", present: || answers("aarch64-linux-gnu-gcc", &["--version"]) },
    Package { name: "libc6-dev-arm64-cross", present: || Path::new("/usr/aarch64-linux-gnu/lib/libc.a").is_file() },
    Package { name: "qemu-system-arm", present: || answers("qemu-system-aarch64", &["--version"]) },
];

/// Installs the packages whose contents are not there.
pub(super) fn bring(_place: &Place, step: &Step) -> Result<Found> {
    bring_all(step, PACKAGES)
}

/// Installs what starts other kernels.
pub(super) fn bring_emulator(_place: &Place, step: &Step) -> Result<Found> {
    bring_all(step, EMULATOR)
}

/// Installs what builds for arm64 and starts its kernels.
pub(super) fn bring_aarch64(_place: &Place, step: &Step) -> Result<Found> {
    bring_all(step, AARCH64)
}

fn bring_all(step: &Step, packages: &[Package]) -> Result<Found> {
    let wanted = absent(packages);
    if wanted.is_empty() {
        return Ok(Found::AlreadyThere);
    }
    let Some(reason) = cannot_install() else {
        install(step, &wanted)?;
        let left = absent(packages);
        if left.is_empty() {
            return Ok(Found::Installed);
        }
        let remedy =
            format!("apt-get could not install them; try `apt-get update && apt-get install {}`", left.join(" "));
        return Ok(Found::Missing(Missing::new(left.join(", "), remedy)));
    };
    let remedy = format!("{reason}; run as root: apt-get install {}", wanted.join(" "));
    Ok(Found::Missing(Missing::new(wanted.join(", "), remedy)))
}

fn absent(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().filter(|package| !(package.present)()).map(|package| package.name).collect()
}

fn cannot_install() -> Option<&'static str> {
    if place::program("apt-get").is_none() {
        return Some("this is no Debian");
    }
    let user = Command::new("id").arg("-u").output().map(|output| output.stdout).unwrap_or_default();
    (user.trim_ascii() != b"0").then_some("only root installs packages")
}

fn install(step: &Step, packages: &[&str]) -> Result<()> {
    if !packages.iter().all(|package| known(package)) {
        step.note("apt-get update");
        step.try_run(apt_get().arg("update"))?;
    }
    step.note(&format!("apt-get install {}", packages.join(" ")));
    let first = step.try_run(install_command().args(packages))?;
    if !first.success {
        // Lists that are older than the mirror name packages that are gone from it.
        step.note("apt-get update, and once more");
        step.try_run(apt_get().arg("update"))?;
        step.try_run(install_command().args(packages))?;
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn install_command() -> Command {
    let mut command = apt_get();
    command.args(["install", "--yes", "--no-install-recommends"]);
    command
}

fn known(package: &str) -> bool {
    let output = Command::new("apt-cache").args(["show", "--no-all-versions", package]).output();
    output.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    place::program(program)
        .is_some_and(|path| Command::new(path).args(arguments).output().is_ok_and(|output| output.status.success()))
}

/// A busybox that needs no library: the container's root file system holds nothing else.
pub(crate) fn busybox() -> Option<PathBuf> {
    let path = place::program("busybox")?;
    let bytes = std::fs::read(&path).ok()?;
    is_static(&bytes).then_some(path)
}

/// Whether a 64-bit little-endian ELF program asks for no loader (it has no `PT_INTERP`).
fn is_static(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    };
    let types = || -> Option<Vec<u32>> {
        let start = usize::try_from(number(32, 8)?).ok()?;
        let size = usize::try_from(number(54, 2)?).ok()?;
        let count = usize::try_from(number(56, 2)?).ok()?;
        let one = |index: usize| u32::try_from(number(start.checked_add(index * size)?, 4)?).ok();
        (0..count).map(one).collect()
    };
    elf.starts_with(b"\x7fELF\x02\x01") && types().is_some_and(|types| !types.contains(&PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::is_static;

    fn elf(types: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(types.len()).expect("a handful of headers");
        for kind in types {
            let start = bytes.len();
            bytes.resize(start + 56, 0);
            bytes[start] = *kind;
        }
        bytes
    }

    #[test]
    fn a_program_with_an_interpreter_is_not_static() {
        assert!(is_static(&elf(&[1, 1, 6])));
        assert!(!is_static(&elf(&[6, 3, 1])));
    }

    #[test]
    fn a_cut_or_foreign_file_is_not_static() {
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(&elf(&[1, 1])[..70]));
    }
}

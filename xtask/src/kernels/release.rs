//! The kernels that the tests are run on: Debian's for cloud machines, fetched as plain packages and unpacked once. Takes a
//! [`Release`]; gives a [`Kernel`], or why it cannot be had. Never installs one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::machine::Machine;
use crate::place::Place;
use crate::setup::apt::{self, Suite};
use crate::step::Step;

/// A line of kernels, and where Debian keeps the newest of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// How people call it; also its folder.
    pub(crate) name: &'static str,
    /// Which machine it is for.
    pub(crate) machine: Machine,
    /// Needs the newest of its suite, whatever its version.
    package: &'static str,
    /// Asked one after the other.
    suites: &'static [&'static str],
}

const fn amd64(name: &'static str, suites: &'static [&'static str]) -> Release {
    Release { name, machine: Machine::X86_64, package: "linux-image-cloud-amd64", suites }
}

const fn arm64(name: &'static str, package: &'static str, suites: &'static [&'static str]) -> Release {
    Release { name, machine: Machine::Aarch64, package, suites }
}

/// The oldest of each machine first.
pub(crate) const RELEASES: &[Release] = &[
    amd64("5.10", &["bullseye"]),
    amd64("6.1", &["bookworm"]),
    amd64("6.12", &["trixie"]),
    amd64("newest", &["trixie-backports", "sid"]),
    arm64("arm64-6.1", "linux-image-cloud-arm64", &["bookworm"]),
    arm64("arm64-6.12", "linux-image-cloud-arm64", &["trixie"]),
    // With pages of 16 KiB. Debian has none such for clouds.
    arm64("arm64-16k", "linux-image-arm64-16k", &["trixie"]),
];

/// Packages that hold a kernel or its modules. The image stands in `linux-binary` where `linux-image` is only a name for it.
const PARTS: &[&str] = &["linux-image-", "linux-binary-", "linux-modules-"];

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// [`Release::name`].
    pub(crate) name: &'static str,
    pub(crate) machine: Machine,
    pub(crate) image: PathBuf,
    /// The folder of its modules, if there is one.
    pub(crate) modules: PathBuf,
}

/// Finds the kernel where it was unpacked before, else fetches it.
pub(crate) fn bring(place: &Place, step: &Step, release: &Release) -> Result<Kernel> {
    let folder = place.kernels().join(release.name);
    if let Some(kernel) = find(release, &folder) {
        return Ok(kernel);
    }
    let scratch = place.kernels().join("packages");
    for suite in release.suites {
        let suite = Suite::open_for(step, &scratch.join(release.name), suite, release.machine)?;
        for archive in suite.download(step, &packages(step, &suite, release.package)?)? {
            apt::unpack(step, &archive, &folder)?;
        }
        if let Some(kernel) = find(release, &folder) {
            fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
            return Ok(kernel);
        }
    }
    bail!("kernel {} cannot be had from Debian ({})", release.name, release.suites.join(", "))
}

/// What the kernel that a package needs consists of.
fn packages(step: &Step, suite: &Suite, package: &str) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let mut open = vec![package.to_owned()];
    while let Some(package) = open.pop() {
        for needed in suite.needs(step, &package)? {
            let is_part = PARTS.iter().any(|part| {
                let rest = needed.strip_prefix(part);
                rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
            });
            if is_part && !found.contains(&needed) {
                open.push(needed.clone());
                found.push(needed);
            }
        }
    }
    Ok(found)
}

fn find(release: &Release, folder: &Path) -> Option<Kernel> {
    let versions = ["usr/lib/modules", "lib/modules"].map(|modules| folder.join(modules));
    let modules = versions.iter().find_map(|modules| only(modules, ""))?;
    let image = only(&folder.join("boot"), "vmlinuz-").or_else(|| only(&modules, "vmlinuz"))?;
    Some(Kernel { name: release.name, machine: release.machine, image, modules })
}

/// The first entry of a folder whose name begins so.
fn only(folder: &Path, beginning: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries.find(|entry| entry.file_name().to_string_lossy().starts_with(beginning)).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_once_and_says_whose_it_is_unless_it_is_for_x86() {
        for (number, release) in RELEASES.iter().enumerate() {
            let debian = Machine::Aarch64.debian();
            assert_eq!(release.name.starts_with(debian), release.machine == Machine::Aarch64, "{}", release.name);
            assert!(release.package.contains(release.machine.debian()), "{}", release.package);
            assert!(RELEASES[..number].iter().all(|before| before.name != release.name), "{}", release.name);
        }
    }
}

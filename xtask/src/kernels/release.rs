//! The kernels that the tests are run on: Debian's for cloud machines, fetched as plain packages and unpacked once. Takes a
//! [`Release`]; gives a [`Kernel`], or why it cannot be had. Never installs one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::place::Place;
use crate::setup::apt::{self, Suite};
use crate::step::Step;

/// A line of kernels, and where Debian keeps the newest of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// How people call it; also its folder.
    pub(crate) name: &'static str,
    /// Asked one after the other.
    suites: &'static [&'static str],
}

/// The oldest first.
pub(crate) const RELEASES: &[Release] = &[
    Release { name: "5.10", suites: &["bullseye"] },
    Release { name: "6.1", suites: &["bookworm"] },
    Release { name: "6.12", suites: &["trixie"] },
    Release { name: "newest", suites: &["trixie-backports", "sid"] },
];

/// Needs the newest of its suite, whatever its version.
const META_PACKAGE: &str = "linux-image-cloud-amd64";
/// Packages that hold a kernel or its modules. The image stands in `linux-binary` where `linux-image` is only a name for it.
const PARTS: &[&str] = &["linux-image-", "linux-binary-", "linux-modules-"];

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// [`Release::name`].
    pub(crate) name: &'static str,
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
        let suite = Suite::open(step, &scratch.join(release.name), suite)?;
        for archive in suite.download(step, &packages(step, &suite)?)? {
            apt::unpack(step, &archive, &folder)?;
        }
        if let Some(kernel) = find(release, &folder) {
            fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
            return Ok(kernel);
        }
    }
    bail!("kernel {} cannot be had from Debian ({})", release.name, release.suites.join(", "))
}

/// What the suite's newest kernel consists of.
fn packages(step: &Step, suite: &Suite) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let mut open = vec![META_PACKAGE.to_owned()];
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
    Some(Kernel { name: release.name, image, modules })
}

/// The first entry of a folder whose name begins so.
fn only(folder: &Path, beginning: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries.find(|entry| entry.file_name().to_string_lossy().starts_with(beginning)).map(|entry| entry.path())
}

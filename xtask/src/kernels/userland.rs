//! The programs and libraries that a tested kernel's tests start: those of this machine, or Debian's for another, fetched as plain
//! packages and unpacked once. Takes names; gives files, and where the guest has them. Never installs a package.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::place::{self, Place};
use crate::setup::apt::{self, Suite};
use crate::setup::debian;
use crate::step::Step;

/// As new as what is built here may ask of its libraries.
const SUITE: &str = "trixie";

/// What the guest's programs are in, and the libraries of those and of ours.
const PACKAGES: &[&str] = &[
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "e2fsprogs",
    "libacl1",
    "libattr1",
    "libblkid1",
    "libc6",
    "libcap-ng0",
    "libcap2",
    "libcom-err2",
    "libext2fs2t64",
    "libgcc-s1",
    "libmount1",
    "libpcre2-8-0",
    "libselinux1",
    "libsmartcols1",
    "libtinfo6",
    "libudev1",
    "util-linux",
];

/// Where programs and libraries are found.
pub(super) enum Userland {
    /// Wherever this machine has them.
    Here,
    /// Below the folder that Debian's packages were unpacked in.
    Unpacked {
        /// That folder.
        folder: PathBuf,
        /// Whose they are.
        machine: Machine,
    },
}

impl Userland {
    /// Finds that of another machine where it was unpacked before, else fetches it.
    pub(super) fn bring(place: &Place, step: &Step, machine: Machine) -> Result<Self> {
        if machine == Machine::HERE {
            return Ok(Self::Here);
        }
        let userland = Self::Unpacked { folder: place.own().join("userland").join(machine.name()), machine };
        if let Self::Unpacked { folder, .. } = &userland
            && userland.program("busybox").is_err()
        {
            let scratch = place.own().join("userland-packages");
            let suite = Suite::open_for(step, &scratch, SUITE, machine)?;
            let packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
            for archive in suite.download(step, &packages)? {
                apt::unpack(step, &archive, folder)?;
            }
            fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
            userland.program("busybox").with_context(|| format!("Debian's {SUITE} for {}", machine.debian()))?;
        }
        Ok(userland)
    }

    /// The file of a program.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        let found = match self {
            Self::Here if name == "busybox" => debian::busybox(),
            Self::Here => place::program(name),
            Self::Unpacked { folder, .. } => {
                let path = folder.join("usr/bin").join(name);
                path.is_file().then_some(path)
            }
        };
        found.with_context(|| format!("{name}, which kernel tests start"))
    }

    /// Libraries for these programs, the loader among them, by where the guest has them.
    pub(super) fn libraries(&self, programs: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>> {
        match self {
            Self::Here => {
                let mut found = BTreeMap::new();
                for program in programs {
                    found.extend(loaded(program)?.into_iter().map(|library| (below_usr(&library), library)));
                }
                Ok(found)
            }
            Self::Unpacked { folder, machine } => all(folder, *machine),
        }
    }
}

/// What the loader would load for a program of this machine; nothing for a static one.
fn loaded(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("start ldd")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

/// All that were unpacked: this machine has no loader that could say which of them are needed.
fn all(folder: &Path, machine: Machine) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for inner in ["usr/lib".to_owned(), format!("usr/lib/{}", machine.gnu())] {
        let entries = fs::read_dir(folder.join(&inner)).with_context(|| format!("list {inner} of the userland"))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.contains(".so") && path.is_file() {
                found.insert(format!("{inner}/{name}"), path);
            }
        }
    }
    Ok(found)
}

/// Folders at the root are links into `usr` in the guest.
fn below_usr(library: &Path) -> String {
    let to = library.strip_prefix("/").unwrap_or(library).display().to_string();
    if to.starts_with("usr/") { to } else { format!("usr/{to}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unpacked_userland_gives_its_programs_and_every_library_of_its_machine() {
        let folder = tempfile::tempdir().expect("a folder");
        let machine = Machine::Aarch64;
        let libraries = folder.path().join("usr/lib").join(machine.gnu());
        fs::create_dir_all(libraries.join("gconv.so")).expect("a folder of libraries");
        fs::create_dir_all(folder.path().join("usr/bin")).expect("a folder of programs");
        for file in ["usr/bin/cat", "usr/lib/ld.so.1", "usr/lib/aarch64-linux-gnu/libc.so.6", "usr/lib/notes"] {
            fs::write(folder.path().join(file), b"").expect("a file");
        }
        let userland = Userland::Unpacked { folder: folder.path().to_owned(), machine };
        assert_eq!(userland.program("cat").expect("it is there"), folder.path().join("usr/bin/cat"));
        assert!(userland.program("dog").expect_err("it is not").to_string().contains("dog"));
        let found = userland.libraries(&[]).expect("both folders are there");
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["usr/lib/aarch64-linux-gnu/libc.so.6", "usr/lib/ld.so.1"]);
    }

    #[test]
    fn a_library_of_this_machine_goes_below_usr() {
        assert_eq!(below_usr(Path::new("/lib64/ld.so")), "usr/lib64/ld.so");
        assert_eq!(below_usr(Path::new("/usr/lib/libc.so")), "usr/lib/libc.so");
    }
}

//! Debian packages as plain files: an apt configuration of its own for one suite, which shares nothing with the host's but the
//! keyring. Takes names of packages; gives `.deb` files and what is in them. Installs nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::step::Step;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One suite, as apt sees it from a folder of ours.
pub(crate) struct Suite {
    folder: PathBuf,
    options: Vec<String>,
}

impl Suite {
    /// Makes the configuration and fetches the suite's lists; apt says itself what it could not have.
    pub(crate) fn open(step: &Step, scratch: &Path, suite: &str) -> Result<Self> {
        Self::open_for(step, scratch, suite, Machine::HERE)
    }

    /// The same, for packages of some machine.
    pub(crate) fn open_for(step: &Step, scratch: &Path, suite: &str, machine: Machine) -> Result<Self> {
        let folder = scratch.join(suite);
        for inner in ["parts", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(inner))
                .with_context(|| format!("create {inner} in {}", folder.display()))?;
        }
        let source = format!("deb [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n");
        fs::write(folder.join("sources.list"), source).context("write the private sources.list")?;
        fs::write(folder.join("status"), "").context("write an empty package state")?;
        let set = |key: &str, name: &str| format!("-o{key}={}", folder.join(name).display());
        let options = vec![
            set("Dir::Etc::sourcelist", "sources.list"),
            set("Dir::Etc::sourceparts", "parts"),
            set("Dir::Etc::preferencesparts", "parts"),
            set("Dir::State::lists", "lists"),
            set("Dir::State::status", "status"),
            set("Dir::Cache", "cache"),
            format!("-oAPT::Architecture={}", machine.debian()),
            format!("-oAPT::Architectures={}", machine.debian()),
            "-oAPT::Sandbox::User=root".to_owned(),
            "-oAcquire::Languages=none".to_owned(),
            // A mirror may lag behind. What is asked for is signed, so an old list cannot bring another one.
            "-oAcquire::Check-Valid-Until=false".to_owned(),
        ];
        let opened = Self { folder, options };
        step.note(&format!("looking in {suite}"));
        step.try_run(opened.command("apt-get").arg("update"))?;
        Ok(opened)
    }

    /// Fetches packages, each by its name or `name=version`. Gives those that are there, in no order.
    pub(crate) fn download(&self, step: &Step, packages: &[String]) -> Result<Vec<PathBuf>> {
        step.try_run(self.command("apt-get").arg("download").args(packages).current_dir(&self.folder))?;
        let files = fs::read_dir(&self.folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
    }

    /// Names of the packages that one needs, alternatives included.
    pub(crate) fn needs(&self, step: &Step, package: &str) -> Result<Vec<String>> {
        let printed = step.try_run(self.command("apt-cache").args(["depends", package]))?;
        let needed =
            printed.text.lines().filter_map(|line| line.trim_start_matches([' ', '|']).strip_prefix("Depends: "));
        Ok(needed.map(str::to_owned).collect())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options);
        command
    }
}

/// Unpacks a package into a folder, without any of its scripts.
pub(crate) fn unpack(step: &Step, archive: &Path, into: &Path) -> Result<()> {
    step.run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(into)).map(drop)
}

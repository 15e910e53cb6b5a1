//! Where things stand on disk. Takes what cargo says about the workspace; gives absolute paths. Never makes or changes a file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::machine::Machine;

/// The checkout and the folder that its build output goes to.
pub(crate) struct Place {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the environment or a configuration file puts it.
    pub(crate) target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

impl Place {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and every configuration file count as they do for cargo itself.
    pub(crate) fn find() -> Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(manifest_folder())
            .output()
            .context("start `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let found: Metadata = serde_json::from_slice(&output.stdout).context("read what `cargo metadata` printed")?;
        Ok(Self { root: found.workspace_root, target: found.target_directory })
    }

    /// Everything that xtask makes beside cargo's own output.
    pub(crate) fn own(&self) -> PathBuf {
        self.target.join("mayfly")
    }

    /// Install root of the build's own tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.own().join("tools")
    }

    /// The linker for kernel programs.
    pub(crate) fn linker(&self) -> PathBuf {
        self.tools().join("bin/bpf-linker")
    }

    /// The object with all kernel programs for one machine, embedded into its agent.
    pub(crate) fn object(&self, machine: Machine) -> PathBuf {
        self.own().join("bpf").join(machine.name()).join("mayfly.o")
    }

    /// The object with the gates, beside it.
    pub(crate) fn gates(&self, machine: Machine) -> PathBuf {
        self.object(machine).with_file_name("gate.o")
    }

    /// The Python environment that holds the stand-in for AWS.
    pub(crate) fn venv(&self) -> PathBuf {
        self.own().join("venv")
    }

    /// The stand-in for AWS.
    pub(crate) fn moto(&self) -> PathBuf {
        self.venv().join("bin/moto_server")
    }

    /// Other kernels, one folder each, as their packages have them.
    pub(crate) fn kernels(&self) -> PathBuf {
        self.own().join("kernels")
    }

    /// Where the output of each step is kept, one file a step.
    pub(crate) fn logs(&self) -> PathBuf {
        self.own().join("logs")
    }
}

/// The cargo that started us, so that a `+toolchain` holds for everything below.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The first program of this name in `PATH` or in the folders that only root has there.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Cargo sets the variable at run time too; the compiled-in value serves a binary that was started by hand.
fn manifest_folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(), PathBuf::from)
}

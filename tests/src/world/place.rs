//! Where a world lives, and what the machine allows. Takes the environment; gives a folder that is removed at the end and the paths of
//! the programs. Says what is missing instead of failing in the middle.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// One world's folder, its name, and the programs under test.
pub struct Place {
    folder: TempDir,
    /// Short and unique on this machine: part of the names of namespaces and cgroups.
    pub name: String,
    /// Folder of `mayfly-agent`, `mayfly` and `stage`.
    pub programs: PathBuf,
}

impl Place {
    /// Makes the folder. Programs are beside the running test (`target/debug`), or in `MAYFLY_BIN_DIR`.
    pub fn new(purpose: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mayfly-").tempdir().context("make a folder for the world")?;
        let name = format!("mf{}{}", purpose.chars().take(4).collect::<String>(), std::process::id() % 100_000);
        Ok(Self { folder, name, programs: programs()? })
    }

    /// A path in the world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps the folder after the end; gives its path.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// One of the programs under test.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// A path as a string of TOML.
pub fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn programs() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("MAYFLY_BIN_DIR") {
        return Ok(folder.into());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program is in a folder")?;
    Ok(if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// Why a story with containers cannot run here; `None` where it can.
pub fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("root".to_owned());
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("a kernel with BTF".to_owned());
    }
    let absent = ["runc", "busybox", "ip"].into_iter().find(|program| find(program).is_none());
    absent.map(|program| format!("the program {program}")).or_else(|| bpf().cloned())
}

/// Why the kernel grants the agent no programs, by the agent's own word, which is asked for once; `None` where it does.
fn bpf() -> Option<&'static String> {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let refusal = REFUSAL.get_or_init(|| {
        let check = || -> Result<bool> {
            let config = tempfile::NamedTempFile::new()?;
            let mut command = Command::new(programs()?.join("mayfly-agent"));
            command.arg("check").arg("--config").arg(config.path());
            Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
        };
        match check() {
            Ok(true) => None,
            Ok(false) => Some("BPF (`mayfly-agent check` says what is refused)".to_owned()),
            Err(error) => Some(format!("the agent ({error:#})")),
        }
    });
    refusal.as_ref()
}

/// The first program of this name in the usual folders.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

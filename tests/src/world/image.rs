//! Container images without a registry: busybox and the names of its tools, as the archive that `docker save` writes. Takes a place, a name
//! and a command; gives the archive.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::place::{Place, find};
use super::program::run;

/// Tools of busybox that stories run.
const TOOLS: [&str; 8] = ["sh", "sleep", "true", "id", "cat", "echo", "ls", "touch"];

/// An archive with one image.
pub struct Image {
    /// As a runtime is asked for it.
    pub name: String,
    /// Digest of its configuration, which runtimes call its id: `sha256:…`.
    pub id: String,
    /// The archive.
    pub archive: PathBuf,
}

impl Image {
    /// Makes one that runs `command`.
    pub fn build(place: &Place, name: &str, command: &[&str]) -> Result<Self> {
        let folder = place.path(&format!("image-{}", name.replace(['/', ':'], "-")));
        let root = folder.join("root");
        for inside in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
            fs::create_dir_all(root.join(inside))?;
        }
        fs::copy(find("busybox").context("busybox")?, root.join("bin/busybox"))?;
        for tool in TOOLS {
            symlink("busybox", root.join("bin").join(tool))?;
        }
        let archive = folder.join("archive");
        fs::create_dir(&archive)?;
        tar(&root, &archive.join("layer.tar"))?;
        let layer = format!("sha256:{}", hex::encode(Sha256::digest(fs::read(archive.join("layer.tar"))?)));
        let configuration = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {"Cmd": command, "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        })
        .to_string();
        let digest = hex::encode(Sha256::digest(&configuration));
        fs::write(archive.join(format!("{digest}.json")), configuration)?;
        let manifest = json!([{"Config": format!("{digest}.json"), "RepoTags": [name], "Layers": ["layer.tar"]}]);
        fs::write(archive.join("manifest.json"), manifest.to_string())?;
        let whole = folder.join("image.tar");
        tar(&archive, &whole)?;
        Ok(Self { name: name.to_owned(), id: format!("sha256:{digest}"), archive: whole })
    }
}

fn tar(folder: &Path, archive: &Path) -> Result<()> {
    let mut command = Command::new("tar");
    run(command.arg("-C").arg(folder).args(["--owner=0", "--group=0", "-cf"]).arg(archive).arg(".")).map(drop)
}

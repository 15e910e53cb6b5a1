//! A real container: runc, its own namespaces and cgroup, an overlay of a small image, and the annotations that a Kubernetes runtime
//! writes. Takes what is to run in it; gives a handle that removes every mount, cgroup and folder it made.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::place::{Place, find};
use super::program::{Program, run};

/// The image that every container is said to be of.
pub const IMAGE: &str = "registry.example/store/shop:2.4.1";

/// What is to be started.
pub struct Wanted<'a> {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its pod.
    pub pod: Pod,
    /// The first process and its arguments.
    pub arguments: Vec<String>,
    /// Environment beside the path, `NAME=value`.
    pub environment: Vec<String>,
    /// Path of a network namespace; a new, empty one where `None`.
    pub network: Option<String>,
    /// Content of the service account's token.
    pub token: &'a str,
}

/// The pod that the annotations name.
#[derive(Clone)]
pub struct Pod {
    /// Unique id.
    pub uid: String,
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Service account.
    pub service_account: String,
}

impl Pod {
    /// Its cgroup, as the kubelet makes it with the cgroupfs driver.
    pub fn cgroup(&self) -> String {
        format!("/kubepods/burstable/pod{}", self.uid)
    }

    /// The shop's pod.
    pub fn shop() -> Self {
        Self {
            uid: "6b1f0c1e-7a55-4f0e-9d0c-3a5f1d2b7c88".to_owned(),
            name: "shop-7d9c5b6f4-x2x7q".to_owned(),
            namespace: "store".to_owned(),
            service_account: "shop".to_owned(),
        }
    }
}

/// A running container.
pub struct Container {
    /// Full id.
    pub id: String,
    /// Its cgroup, from the root of the cgroup2 mount.
    pub cgroup: String,
    bundle: PathBuf,
    program: Program,
}

impl Container {
    /// Builds the image, mounts it, starts the first process.
    pub fn start(place: &Place, wanted: &Wanted<'_>) -> Result<Self> {
        let bundle = place.path(&format!("bundle-{}", short(&wanted.id)));
        let image = place.path("image");
        if !image.exists() {
            build_image(place, &image)?;
        }
        for folder in ["upper", "work", "rootfs"] {
            fs::create_dir_all(bundle.join(folder))?;
        }
        mount_overlay(&image, &bundle)?;
        let secrets = bundle.join("rootfs/var/run/secrets/kubernetes.io/serviceaccount");
        fs::create_dir_all(&secrets)?;
        fs::write(secrets.join("token"), wanted.token)?;
        let cgroup = format!("{}/{}", wanted.pod.cgroup(), wanted.id);
        fs::write(bundle.join("config.json"), specification(wanted, &cgroup)?.to_string())?;
        let mut command = runc();
        command.args(["run", "--bundle"]).arg(&bundle).arg(&wanted.id);
        let program = Program::start(command, &place.path(&format!("container-{}.log", short(&wanted.id))))?;
        Ok(Self { id: wanted.id.clone(), cgroup, bundle, program })
    }

    /// Starts another process in it, as `kubectl exec` does.
    pub fn exec(&self, arguments: &[&str]) -> Result<String> {
        run(runc().args(["exec", &self.id]).args(arguments))
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<()> {
        self.program.wait()?;
        Ok(())
    }

    /// Whether its first process still runs.
    pub fn runs(&mut self) -> bool {
        self.program.runs()
    }

    /// What it printed.
    pub fn printed(&self) -> String {
        self.program.printed()
    }

    /// The folder of its bundle.
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// The container's writable layer.
    pub fn upper(&self) -> PathBuf {
        self.bundle.join("upper")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Gone already is what is wanted; the rest is said.
        run(runc().args(["delete", "--force", &self.id])).ok();
        self.program.wait().ok();
        if let Err(problem) = nix::mount::umount(&self.bundle.join("rootfs")) {
            eprintln!("container: unmount {}: {problem}", self.bundle.display());
        }
        remove_cgroups(&self.cgroup);
    }
}

/// Runtimes remove the container's own cgroup and leave its parents.
pub(super) fn remove_cgroups(cgroup: &str) {
    let Ok(hierarchies) = fs::read_dir("/sys/fs/cgroup") else { return };
    let mounts: Vec<PathBuf> =
        hierarchies.flatten().map(|entry| entry.path()).chain([PathBuf::from("/sys/fs/cgroup")]).collect();
    for mount in mounts {
        let mut folder = PathBuf::from(cgroup.trim_start_matches('/'));
        while folder.pop() && folder.components().next().is_some() {
            // Others may live beside us: only an empty one can be removed.
            if fs::remove_dir(mount.join(&folder)).is_err() {
                break;
            }
        }
    }
}

/// What tells an id from those of the same world: the ends, since some count upwards.
fn short(id: &str) -> String {
    [id.get(..8), id.get(id.len().saturating_sub(8)..)].into_iter().flatten().collect()
}

fn runc() -> Command {
    Command::new(find("runc").unwrap_or_else(|| "runc".into()))
}

/// Busybox, the stage program and the libraries it is linked with.
fn build_image(place: &Place, image: &Path) -> Result<()> {
    for folder in ["bin", "usr/local/bin", "proc", "sys", "dev", "tmp", "etc", "root", "var/log", "var/run"] {
        fs::create_dir_all(image.join(folder))?;
    }
    fs::set_permissions(image.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::copy(find("busybox").context("busybox")?, image.join("bin/busybox"))?;
    for name in ["sh", "wget", "cat", "ls", "id", "chmod", "rm", "sleep", "true", "echo", "nc", "cp"] {
        symlink("busybox", image.join("bin").join(name))?;
    }
    let stage = place.program("stage");
    fs::copy(&stage, image.join("usr/local/bin/shop")).with_context(|| format!("copy {}", stage.display()))?;
    for library in libraries(&stage)? {
        let target = image.join(library.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap_or(image))?;
        fs::copy(&library, target)?;
    }
    fs::write(image.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(image.join("etc/shadow"), "root:*:20000:0:99999:7:::\n")?;
    fs::write(image.join("var/log/shop.log"), "shop started\n")?;
    Ok(())
}

fn libraries(program: &Path) -> Result<Vec<String>> {
    let listed = run(Command::new("ldd").arg(program))?;
    Ok(listed.split_ascii_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect())
}

fn mount_overlay(image: &Path, bundle: &Path) -> Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        image.display(),
        bundle.join("upper").display(),
        bundle.join("work").display()
    );
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("overlay"), &bundle.join("rootfs"), Some("overlay"), flags, Some(options.as_str()))
        .with_context(|| format!("mount an overlay on {}", bundle.display()))
}

/// An OCI runtime specification, 1.0.2, with the annotations that containerd's CRI plugin writes.
fn specification(wanted: &Wanted<'_>, cgroup: &str) -> Result<Value> {
    let capabilities = json!(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_NET_BIND_SERVICE", "CAP_KILL"]);
    let mut network = json!({"type": "network"});
    if let Some(path) = &wanted.network {
        network["path"] = json!(path);
    }
    let pod = &wanted.pod;
    anyhow::ensure!(wanted.id.len() == 64, "a container's id has 64 digits");
    let mut environment = ["PATH=/usr/local/bin:/bin", "KUBERNETES_SERVICE_HOST=10.96.0.1"].map(str::to_owned).to_vec();
    environment.extend(wanted.environment.iter().cloned());
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": wanted.arguments,
            "env": environment,
            "cwd": "/",
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": pod.name,
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]}
        ],
        "annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "shop",
            "io.kubernetes.cri.image-name": IMAGE,
            "io.kubernetes.cri.sandbox-name": pod.name,
            "io.kubernetes.cri.sandbox-namespace": pod.namespace,
            "io.kubernetes.cri.sandbox-uid": pod.uid,
            "io.kubernetes.pod.service-account": pod.service_account
        },
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, network]
        }
    }))
}

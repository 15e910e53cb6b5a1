//! A real containerd with its CRI plugin, of its own: state, images and socket in the world's folder. Takes a place; gives pods, and removes
//! every process, mount and cgroup that came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::container::{Pod, remove_cgroups};
use super::cri::Cri;
use super::image::Image;
use super::place::{Place, find, quoted};
use super::program::{Program, eventually, run};

/// What holds a pod's namespaces.
const PAUSE: &str = "mayfly.test/pause:1";

/// A running containerd.
pub struct Containerd {
    /// Its socket.
    pub socket: PathBuf,
    folder: PathBuf,
    pods: Vec<(String, Pod)>,
    process: Program,
}

/// Why none can run here; `None` where it can.
pub fn missing() -> Option<String> {
    let absent = ["containerd", "ctr", "tar"].into_iter().find(|program| find(program).is_none());
    absent.map(|program| format!("the program {program}"))
}

impl Containerd {
    /// Starts it.
    pub fn start(place: &Place) -> Result<Self> {
        let folder = place.path("containerd");
        fs::create_dir_all(&folder)?;
        let (configuration, socket) = (folder.join("config.toml"), folder.join("c.sock"));
        fs::write(&configuration, self::configuration(&folder, &socket))?;
        let mut command = Command::new(find("containerd").context("containerd")?);
        command.arg("--config").arg(&configuration);
        let process = Program::start(command, &folder.join("log"))?;
        let mut containerd = Self { socket, folder, pods: Vec::new(), process };
        eventually("containerd to answer", Duration::from_secs(30), || {
            anyhow::ensure!(containerd.process.runs(), "containerd ended: {}", containerd.process.printed());
            let answers = containerd.ctr("k8s.io").args(["images", "ls", "-q"]).output()?.status.success();
            Ok((answers && Cri::connect(&containerd.socket).is_ok()).then_some(()))
        })?;
        containerd.load(&Image::build(place, PAUSE, &["/bin/sleep", "1000000"])?)?;
        Ok(containerd)
    }

    /// Its client's command, in one of its namespaces.
    pub fn ctr(&self, namespace: &str) -> Command {
        let mut command = Command::new(find("ctr").unwrap_or_else(|| "ctr".into()));
        command.arg("--address").arg(&self.socket).args(["--namespace", namespace]);
        command
    }

    /// Takes an image in for pods.
    pub fn load(&self, image: &Image) -> Result<()> {
        run(self.ctr("k8s.io").args(["images", "import"]).arg(&image.archive)).map(drop)
    }

    /// A client for the calling thread.
    pub fn cri(&self) -> Result<Cri> {
        Cri::connect(&self.socket)
    }

    /// Makes a pod; gives its sandbox.
    pub fn pod(&mut self, pod: &Pod) -> Result<String> {
        let sandbox = self.cri()?.run_pod(pod).with_context(|| tail(&self.process.printed()))?;
        self.pods.push((sandbox.clone(), pod.clone()));
        Ok(sandbox)
    }

    /// Processes that belong to it: containerd and its shims name its socket.
    fn processes(&self) -> Vec<Pid> {
        let socket = self.socket.display().to_string().into_bytes();
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = |pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == socket))
        };
        pids.filter(ours).map(Pid::from_raw).collect()
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if let Ok(cri) = self.cri() {
            for (sandbox, _) in &self.pods {
                if let Err(problem) = cri.remove_pod(sandbox) {
                    eprintln!("containerd: {problem:#}");
                }
            }
        }
        self.process.stop(Duration::from_secs(10)).ok();
        for pid in self.processes() {
            // A shim whose container could not be removed; it may end by itself meanwhile.
            kill(pid, Signal::SIGKILL).ok();
        }
        for mount in mounts_below(&self.folder) {
            umount2(&mount, MntFlags::MNT_DETACH).ok();
        }
        for (_, pod) in &self.pods {
            remove_cgroups(&format!("{}/any", pod.cgroup()));
        }
    }
}

/// The innermost first.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = places.filter(|place| place.starts_with(folder)).collect();
    below.reverse();
    below
}

fn tail(text: &str) -> String {
    text.lines().rev().take(10).collect::<Vec<_>>().join("\n")
}

/// Without what needs more of a machine than a story may ask: no network plugins, no profiles, a snapshotter that copies.
fn configuration(folder: &Path, socket: &Path) -> String {
    let at = |name: &str| quoted(&folder.join(name));
    format!(
        r#"version = 2
root = {root}
state = {state}
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.devmapper"]

[grpc]
address = {socket}

[ttrpc]
address = {ttrpc}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
stream_server_address = "127.0.0.1"
stream_server_port = "0"
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {network}
conf_dir = {network}
"#,
        root = at("root"),
        state = at("state"),
        socket = quoted(socket),
        ttrpc = at("c.ttrpc"),
        network = at("cni"),
    )
}

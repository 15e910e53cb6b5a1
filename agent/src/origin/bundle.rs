//! What a runtime left on disk about a container: its bundle, its names, its image, its service account.
//!
//! Takes a container's id and the root of the host's file system; gives [`Names`], each empty where nothing was said.
//! Reads few, bounded, regular files. Of a service account's token it keeps the names in its claims, never the token.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

use super::cgroup_path::Runtime;
use super::runtime::facts::digest;
use super::token;

/// Mounts of cgroup hierarchies, below `/sys/fs/cgroup`, that runc's state may write a path through.
const HIERARCHIES: [&str; 13] = [
    "unified",
    "systemd",
    "cpu,cpuacct",
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "perf_event",
];
/// One file of a runtime. A bundle's `config.json` is some tens of kilobytes.
const FILE_BYTES: u64 = 1 << 20;
/// The store's list of all containers: half a kilobyte each.
const STORE_BYTES: u64 = 4 << 20;
/// States of plain runc that are looked through for a cgroup path.
const STATES: usize = 256;
/// Namespaces of containerd that are looked through for an id.
const NAMESPACES: usize = 16;

pub(super) const CONTAINERD_TASKS: &str = "run/containerd/io.containerd.runtime.v2.task";
/// Where CRI-O and Podman keep what runs, and what stays.
pub(super) const STORES: [&str; 2] = ["run/containers/storage", "var/lib/containers/storage"];
/// Forms of the store that are in use.
const STORE_DRIVERS: [&str; 2] = ["overlay", "vfs"];

/// What people call a container. A field is empty where the runtime said nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Uid of the pod.
    pub pod_uid: String,
    /// Name of the pod.
    pub pod_name: String,
    /// Namespace of the pod.
    pub pod_namespace: String,
    /// Image as it was asked for.
    pub image: String,
    /// Its digest or id: `sha256:…`.
    pub image_digest: String,
    /// Name of the container.
    pub name: String,
    /// Service account, from the claims of the token that is mounted.
    pub service_account: String,
}

/// What the disk said of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The runtime whose folder it was.
    pub runtime: Runtime,
    /// The names in it.
    pub names: Names,
}

/// Looks for a container below `host`, the root of the host's file system. `None`: no runtime has written of it (yet).
pub fn look(host: &Path, id: &str) -> Option<Told> {
    if !is_name(id) {
        return None;
    }
    containerd(host, id)
        .or_else(|| containers_storage(host, id))
        .or_else(|| docker(host, id))
        .or_else(|| runc(host, id))
}

/// The plain-runc container that owns `cgroup_path`, by the name of its folder or by the path in its state.
pub fn plain_runc(host: &Path, cgroup_path: &str) -> Option<String> {
    let root = host.join("run/runc");
    let mut components = cgroup_path.split('/').rev().filter(|component| is_name(component));
    if let Some(id) = components.find(|component| root.join(component).is_dir()) {
        return Some(id.to_owned());
    }
    let states = std::fs::read_dir(&root).ok()?;
    for entry in states.flatten().take(STATES) {
        let Some(state) = json::<State>(&entry.path().join("state.json")) else { continue };
        let owns = |path: &String| {
            let below = below_mount(path);
            !below.is_empty() && (cgroup_path == below || cgroup_path.starts_with(&format!("{below}/")))
        };
        if state.cgroup_paths.values().any(owns) && is_name(&state.id) {
            return Some(state.id);
        }
    }
    None
}

/// The container of a client of containerd (`ctr`), whose cgroup is `/<namespace>/<id>` with an id of any form.
pub fn containerd_client(host: &Path, cgroup_path: &str) -> Option<String> {
    let components: Vec<&str> = cgroup_path.split('/').filter(|component| !component.is_empty()).collect();
    let tasks = host.join(CONTAINERD_TASKS);
    components.windows(2).rev().find_map(|pair| match pair {
        [namespace, id] if is_name(namespace) && is_name(id) && tasks.join(namespace).join(id).is_dir() => {
            Some((*id).to_owned())
        }
        _ => None,
    })
}

/// A path of runc's state below the cgroup mount, whichever hierarchy and controller it is of.
fn below_mount(path: &str) -> &str {
    let Some(below) = path.strip_prefix("/sys/fs/cgroup") else { return path };
    HIERARCHIES
        .into_iter()
        .find_map(|name| below.strip_prefix('/')?.strip_prefix(name).filter(|rest| rest.starts_with('/')))
        .unwrap_or(below)
}

/// A name that is one component of a path and nothing else.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.');
    !text.is_empty() && text.len() <= proto::limits::NAME_BYTES && !text.starts_with('.') && text.bytes().all(plain)
}

fn containerd(host: &Path, id: &str) -> Option<Told> {
    let namespaces = std::fs::read_dir(host.join(CONTAINERD_TASKS)).ok()?;
    let bundle =
        namespaces.flatten().take(NAMESPACES).map(|entry| entry.path().join(id)).find(|bundle| bundle.is_dir())?;
    let names = config(host, &bundle).unwrap_or_default();
    if !bundle.parent().is_some_and(|parent| parent.ends_with("moby")) {
        return Some(Told { runtime: Runtime::Containerd, names });
    }
    let names = match docker(host, id) {
        Some(Told { names: known, .. }) => {
            Names { image: known.image, image_digest: known.image_digest, name: known.name, ..names }
        }
        None => names,
    };
    Some(Told { runtime: Runtime::Docker, names })
}

/// Docker's own state, also where its containerd keeps bundles elsewhere.
fn docker(host: &Path, id: &str) -> Option<Told> {
    let told: Docker = json(&host.join("var/lib/docker/containers").join(id).join("config.v2.json"))?;
    let names = Names {
        image: bounded(&told.config.image),
        image_digest: digest(&told.image),
        name: bounded(told.name.trim_start_matches('/')),
        ..Names::default()
    };
    Some(Told { runtime: Runtime::Docker, names })
}

/// CRI-O and Podman share a store; CRI-O says so in its annotations.
fn containers_storage(host: &Path, id: &str) -> Option<Told> {
    let folder = |root: &str, driver: &str| host.join(root).join(format!("{driver}-containers"));
    let folders: Vec<PathBuf> =
        STORES.iter().flat_map(|root| STORE_DRIVERS.iter().map(move |driver| folder(root, driver))).collect();
    let bundle = folders
        .iter()
        .map(|folder| folder.join(id).join("userdata"))
        .find(|bundle| bundle.join("config.json").is_file())?;
    let mut names = config(host, &bundle)?;
    let runtime = if names.pod_name.is_empty() { Runtime::Podman } else { Runtime::CriO };
    if let Some(stored) = folders.iter().find_map(|folder| stored(folder, id)) {
        let about: About = serde_json::from_str(&stored.metadata).unwrap_or_default();
        names.image = bounded(&about.image_name);
        names.image_digest = digest(&stored.image);
        if names.name.is_empty() {
            names.name = stored.names.first().map(|name| bounded(name)).unwrap_or_default();
        }
    }
    Some(Told { runtime, names })
}

/// What the store's list says of a container; of one that is removed at its end, another list.
fn stored(folder: &Path, id: &str) -> Option<Stored> {
    ["containers.json", "volatile-containers.json"].into_iter().find_map(|list| {
        let stored: Vec<Stored> = bounded_json(&folder.join(list), STORE_BYTES)?;
        stored.into_iter().find(|stored| stored.id == id)
    })
}

fn runc(host: &Path, id: &str) -> Option<Told> {
    let folder = host.join("run/runc").join(id);
    if !folder.is_dir() {
        return None;
    }
    // The folder is there before the state is: the names come later then.
    let state = json::<State>(&folder.join("state.json"));
    let bundle = state
        .and_then(|state| state.config.labels.iter().find_map(|label| Some(label.strip_prefix("bundle=")?.into())));
    let names = bundle.and_then(|bundle: PathBuf| config(host, &below(host, &bundle))).unwrap_or_default();
    Some(Told { runtime: Runtime::Runc, names })
}

fn below(host: &Path, path: &Path) -> PathBuf {
    host.join(path.strip_prefix("/").unwrap_or(path))
}

/// The names in a bundle's `config.json`.
fn config(host: &Path, bundle: &Path) -> Option<Names> {
    let config = json::<Config>(&bundle.join("config.json"))?;
    let first = |keys: &[&str]| {
        keys.iter().find_map(|key| config.annotations.get(*key)).map(|value| bounded(value)).unwrap_or_default()
    };
    let mut names = Names {
        pod_uid: first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]),
        pod_name: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name", "io.kubernetes.cri-o.KubeName"]),
        pod_namespace: first(&[
            "io.kubernetes.cri.sandbox-namespace",
            "io.kubernetes.pod.namespace",
            "io.kubernetes.cri-o.Namespace",
        ]),
        image: first(&[
            "io.kubernetes.cri.image-name",
            "io.kubernetes.cri-o.ImageName",
            "io.kubernetes.cri-o.Image",
            "org.opencontainers.image.ref.name",
        ]),
        name: first(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"]),
        // Written by `remember`, where a recording is replayed; else from a runtime's answer, and from the token below.
        image_digest: digest(&first(&["mayfly.image-digest"])),
        service_account: first(&["mayfly.service-account"]),
    };
    let token = config
        .mounts
        .iter()
        .find(|mount| mount.destination.trim_end_matches('/').ends_with("/run/secrets/kubernetes.io/serviceaccount"));
    if let Some(told) = token.and_then(|mount| token::names(&below(host, Path::new(&mount.source)))) {
        names.service_account.clone_from(&told.service_account);
        if names.pod_name.is_empty() {
            names = Names { image: names.image, image_digest: names.image_digest, name: names.name, ..told };
        }
    }
    Some(names)
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    bounded_json(path, FILE_BYTES)
}

fn bounded_json<T: for<'de> Deserialize<'de>>(path: &Path, limit: u64) -> Option<T> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    serde_json::from_slice(&regular(std::fs::File::from(file), limit)?).ok()
}

/// All bytes of a regular file of at most `limit`; a pipe or a device in its place is nobody's file.
pub(super) fn regular(file: std::fs::File, limit: u64) -> Option<Vec<u8>> {
    let told = file.metadata().ok()?;
    if !told.is_file() || told.len() > limit {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Cut to what a name may be on the wire, at a character's border.
pub(crate) fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(proto::limits::NAME_BYTES)].to_owned()
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    id: String,
    #[serde(default)]
    cgroup_paths: HashMap<String, String>,
    #[serde(default)]
    config: StateConfig,
}

#[derive(Deserialize, Default)]
struct StateConfig {
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    annotations: HashMap<String, String>,
    #[serde(default)]
    mounts: Vec<Mount>,
}

#[derive(Deserialize)]
struct Mount {
    destination: String,
    #[serde(default)]
    source: String,
}

/// A container in the store of CRI-O and Podman; the metadata are JSON in a string.
#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    metadata: String,
}

#[derive(Deserialize, Default)]
struct About {
    #[serde(rename = "image-name", default)]
    image_name: String,
}

#[derive(Deserialize)]
struct Docker {
    #[serde(rename = "Name", default)]
    name: String,
    /// The image's id.
    #[serde(rename = "Image", default)]
    image: String,
    #[serde(rename = "Config")]
    config: DockerConfig,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Image", default)]
    image: String,
}

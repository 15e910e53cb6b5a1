//! What a cgroup path says: which container, of which runtime, in which pod.
//!
//! Takes the path below the cgroup mount as the kernel gives it; gives what its words mean to the runtimes that we know.
//! Never looks at the disk: a path without such words may still be plain runc's, which only its state directory tells.

/// What made a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// Docker, also through cri-dockerd and ECS.
    Docker,
    /// containerd, by its CRI plugin or by a client.
    Containerd,
    /// CRI-O.
    CriO,
    /// Podman.
    Podman,
    /// runc without anything above it.
    Runc,
}

impl Runtime {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Runtime::Docker => "docker",
            Runtime::Containerd => "containerd",
            Runtime::CriO => "cri-o",
            Runtime::Podman => "podman",
            Runtime::Runc => "runc",
        }
    }
}

/// The meaning of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Inside a container.
    Container {
        /// Its id, as the runtime knows it.
        id: String,
        /// `None` where the path has an id under Kubernetes and no runtime's word.
        runtime: Option<Runtime>,
        /// The pod, with dashes; for a static pod the hash that the kubelet uses instead.
        pod_uid: Option<String>,
    },
    /// The host's own: the root, a service, a login session.
    Host,
    /// None of a runtime that the path alone would tell.
    Unrecognised,
}

/// Runtimes put their word before the id: `docker-<id>.scope`.
const PREFIXES: [(&str, Runtime); 7] = [
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Containerd),
    ("crio-", Runtime::CriO),
    ("libpod-", Runtime::Podman),
    ("cri-dockerd-", Runtime::Docker),
    ("runc-", Runtime::Runc),
];

/// systemd's slices; then runtimes' and the kubelet's own, while no container is in them.
const HOST_FOLDERS: [&str; 11] = [
    "init.scope",
    "system.slice",
    "user.slice",
    "machine.slice",
    "docker",
    "kubepods",
    "kubepods.slice",
    "libpod_parent",
    "kubelet",
    "kubelet.slice",
    "ecs",
];

/// What `path` says. The innermost container wins: a node that is itself a container (kind) holds pods.
pub fn read(path: &[u8]) -> Meaning {
    let Ok(path) = std::str::from_utf8(path) else { return Meaning::Unrecognised };
    let mut pod_uid = None;
    let mut found = None;
    let mut parent = "";
    for component in path.split('/').filter(|component| !component.is_empty()) {
        // systemd's form `slice:word:id` stands in one component when a runtime with the other driver was handed it.
        let mut colons = component.rsplitn(3, ':');
        let (last, middle, first) = (colons.next(), colons.next(), colons.next());
        if let (Some(id), Some(word), Some(slice)) = (last, middle, first) {
            pod_uid = pod(slice).or(pod_uid);
            if let Some(runtime) = word_before_colon(word) {
                found = Some((id.to_owned(), Some(runtime), pod_uid.clone()));
            }
        } else {
            pod_uid = pod(component).or(pod_uid);
            if let Some((id, runtime)) = container(component, parent, pod_uid.is_some()) {
                found = Some((id.to_owned(), runtime, pod_uid.clone()));
            }
        }
        parent = component;
    }
    match found {
        Some((id, runtime, pod_uid)) => Meaning::Container { id, runtime, pod_uid },
        None if is_host(path) => Meaning::Host,
        None => Meaning::Unrecognised,
    }
}

fn word_before_colon(word: &str) -> Option<Runtime> {
    match word {
        "cri-containerd" | "containerd" | "nerdctl" => Some(Runtime::Containerd),
        "docker" => Some(Runtime::Docker),
        "crio" => Some(Runtime::CriO),
        "libpod" => Some(Runtime::Podman),
        "runc" => Some(Runtime::Runc),
        _ => None,
    }
}

fn container<'a>(component: &'a str, parent: &str, in_pod: bool) -> Option<(&'a str, Option<Runtime>)> {
    let scope = component.strip_suffix(".scope");
    let bare = scope.unwrap_or(component);
    for (prefix, runtime) in PREFIXES {
        let Some(id) = bare.strip_prefix(prefix) else { continue };
        // `crio-conmon-…` and `libpod-conmon-…` hold the monitor, which is the host's.
        if is_hex_id(id) || (runtime == Runtime::Runc && scope.is_some() && !id.is_empty()) {
            return Some((id, Some(runtime)));
        }
    }
    if !is_hex_id(bare) {
        return None;
    }
    match parent {
        "docker" => Some((bare, Some(Runtime::Docker))),
        "libpod_parent" => Some((bare, Some(Runtime::Podman))),
        _ if in_pod => Some((bare, None)),
        // ECS (`/ecs/<task>/<id>`) and a `--cgroup-parent` of one's own.
        _ => Some((bare, Some(Runtime::Docker))),
    }
}

/// 64 hexadecimal digits: the id of every runtime but plain runc and `ctr`, which take any name.
pub(crate) fn is_hex_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `pod<uid>`, or `kubepods-burstable-pod<uid_with_underscores>.slice`, also with a node's prefix before it.
fn pod(component: &str) -> Option<String> {
    let uid = match component.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod").filter(|(before, _)| before.contains("kubepods"))?.1,
        None => component.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|&byte| byte == b'-').count();
    (digits == 32 && digits + dashes == uid.len() && matches!(dashes, 0 | 4)).then_some(uid)
}

/// systemd's tree, and the root for hosts without it.
fn is_host(path: &str) -> bool {
    let mut components = path.split('/').filter(|component| !component.is_empty());
    let Some(top) = components.next() else { return true };
    let has = |ending: &str| top.strip_suffix(ending).is_some_and(|name| !name.is_empty());
    HOST_FOLDERS.contains(&top) || has(".service") || has(".mount") || has(".socket")
}

#[cfg(test)]
#[path = "cgroup_path_tests.rs"]
mod tests;

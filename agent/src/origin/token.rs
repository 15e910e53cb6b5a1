//! What a service account's token says of the pod that it was made for.
//!
//! Takes the folder into which the kubelet writes one; gives the names in its claims. Keeps nothing of the token itself, follows no link
//! out of the folder, and checks no signature: the kubelet wrote it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde::Deserialize;

use super::bundle::{Names, bounded, is_name, regular};

/// A token is about one kilobyte.
const TOKEN_BYTES: u64 = 16 << 10;
/// Where the kubelet keeps what it mounts into pods, below the host's root.
const PODS: &str = "var/lib/kubelet/pods";
/// Projected volumes of one pod that are looked into.
const VOLUMES: usize = 16;

/// The names in the claims of the token in `folder`.
pub(super) fn names(folder: &Path) -> Option<Names> {
    let claims = claims(folder)?;
    Some(Names {
        pod_uid: bounded(&claims.pod.uid),
        pod_name: bounded(&claims.pod.name),
        pod_namespace: bounded(&claims.namespace),
        service_account: bounded(&claims.service_account.name),
        ..Names::default()
    })
}

/// The names of a pod from what the kubelet mounts into it, whatever runtime runs it and whether or not that answers. A token that was
/// made for another pod is none of its.
pub(super) fn of_pod(host: &Path, uid: &str) -> Option<Names> {
    if !is_name(uid) {
        return None;
    }
    let volumes = host.join(PODS).join(uid).join("volumes/kubernetes.io~projected");
    let volumes = std::fs::read_dir(volumes).ok()?;
    volumes.flatten().take(VOLUMES).filter_map(|volume| names(&volume.path())).find(|names| names.pod_uid == uid)
}

/// The Kubernetes part of the claims of the token in `folder`. The kubelet writes it behind links inside the folder; a
/// link that leads out of it is somebody else's.
fn claims(folder: &Path) -> Option<Kubernetes> {
    let directory = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let token = rustix::fs::openat2(&directory, "token", flags, Mode::empty(), inside).ok()?;
    let bytes = regular(std::fs::File::from(token), TOKEN_BYTES)?;
    let payload = bytes.split(|&byte| byte == b'.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    Some(serde_json::from_slice::<Claims>(&payload).ok()?.kubernetes)
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Deserialize)]
struct Kubernetes {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod: Bound,
    #[serde(rename = "serviceaccount", default)]
    service_account: Bound,
}

#[derive(Deserialize, Default)]
struct Bound {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
}

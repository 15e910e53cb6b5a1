//! What a runtime's answer says of a container. Takes messages of the Container Runtime Interface; gives names, each bounded.
//!
//! The words are those of whoever made the pod and its image. An answer about another container than the one that was asked for is none.

use proto::cri;

use crate::origin::bundle::{Names, bounded};
use crate::origin::cgroup_path::Runtime;

/// What one runtime said of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The container.
    pub id: String,
    /// Which of the configured runtimes said it.
    pub from: usize,
    /// What the runtime calls itself, where we know the name.
    pub runtime: Option<Runtime>,
    /// The names.
    pub names: Names,
}

/// The runtime that calls itself `name`.
pub fn runtime(name: &str) -> Option<Runtime> {
    match name {
        "containerd" => Some(Runtime::Containerd),
        "cri-o" => Some(Runtime::CriO),
        "docker" => Some(Runtime::Docker),
        _ => None,
    }
}

/// The names in a container's status and its pod's metadata; the former is absent for a pod's sandbox.
pub fn names(container: Option<&cri::ContainerStatus>, pod: Option<&cri::PodSandboxMetadata>) -> Names {
    let mut names = Names::default();
    if let Some(pod) = pod {
        names.pod_uid = bounded(&pod.uid);
        names.pod_name = bounded(&pod.name);
        names.pod_namespace = bounded(&pod.namespace);
    }
    let Some(container) = container else { return names };
    names.name = container.metadata.as_ref().map(|told| bounded(&told.name)).unwrap_or_default();
    names.image = container.image.as_ref().map(|told| bounded(&told.image)).unwrap_or_default();
    names.image_digest = digest(&container.image_ref);
    names
}

/// `name@sha256:…`, `sha256:…`, or the bare digits that CRI-O writes; empty where it is none of them.
pub fn digest(reference: &str) -> String {
    let last = reference.rsplit('@').next().unwrap_or(reference);
    let digits = last.strip_prefix("sha256:").unwrap_or(last);
    let is_digest = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { format!("sha256:{digits}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_taken_from_each_form_that_runtimes_write() {
        let digits = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
        for reference in [format!("registry/shop@sha256:{digits}"), format!("sha256:{digits}"), digits.to_owned()] {
            assert_eq!(digest(&reference), format!("sha256:{digits}"));
        }
        for other in ["", "registry/shop:2.4.1", "sha256:zz", "sha256:1234"] {
            assert_eq!(digest(other), "");
        }
    }

    #[test]
    fn a_name_is_cut_to_what_the_wire_takes() {
        let pod = cri::PodSandboxMetadata { name: "p".repeat(10_000), ..cri::PodSandboxMetadata::default() };
        assert_eq!(names(None, Some(&pod)).pod_name.len(), proto::limits::NAME_BYTES);
    }
}

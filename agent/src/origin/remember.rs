//! What is known of containers, written down beside a recording: a replay on another machine then knows them as well.
//!
//! Takes a container and a folder; leaves there what its runtime would have left on a host, in the same places and forms, so
//! that the folder can stand in for the host's root ([`Settings::host`](super::Settings)). Never copies a secret: of a token it
//! writes nothing.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use super::bundle::{CONTAINERD_TASKS, STORES};
use super::cgroup_path::Runtime;
use super::container::Container;

/// Writes a container down below `folder`.
pub fn remember(folder: &Path, container: &Container) -> io::Result<()> {
    let id = &container.id;
    let bundle = match container.runtime {
        Runtime::Docker => format!("{CONTAINERD_TASKS}/moby/{id}"),
        Runtime::Containerd => format!("{CONTAINERD_TASKS}/k8s.io/{id}"),
        Runtime::CriO | Runtime::Podman => format!("{}/overlay-containers/{id}/userdata", STORES[0]),
        Runtime::Runc => {
            let path = format!("/sys/fs/cgroup{}", String::from_utf8_lossy(&container.cgroup_path));
            let labels = [format!("bundle=/bundles/{id}")];
            let state = json!({ "id": id, "cgroup_paths": { "": path }, "config": { "labels": labels } });
            write(&folder.join("run/runc").join(id), "state.json", &state)?;
            format!("bundles/{id}")
        }
    };
    let names = &container.names;
    let told = [
        ("io.kubernetes.cri.sandbox-uid", &names.pod_uid),
        ("io.kubernetes.cri.sandbox-name", &names.pod_name),
        ("io.kubernetes.cri.sandbox-namespace", &names.pod_namespace),
        ("io.kubernetes.cri.image-name", &names.image),
        ("mayfly.image-digest", &names.image_digest),
        ("io.kubernetes.cri.container-name", &names.name),
        ("mayfly.service-account", &names.service_account),
    ];
    let told = told.into_iter().filter(|(_, name)| !name.is_empty());
    let annotations: serde_json::Map<_, _> = told.map(|(key, name)| (key.to_owned(), json!(name))).collect();
    write(&folder.join(bundle), "config.json", &json!({ "annotations": annotations }))
}

fn write(folder: &Path, name: &str, value: &serde_json::Value) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), serde_json::to_vec_pretty(value).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::super::cgroup_tree::CgroupTree;
    use super::super::container::{ContainerTable, describe};
    use super::*;
    use crate::origin::bundle::Names;

    #[test]
    fn a_remembered_container_is_known_on_another_machine() {
        let long = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
        let cases = [
            (Runtime::Runc, "web-1", "/shop/front".to_owned()),
            (Runtime::Containerd, long, format!("/kubepods/pod1b4e28ba-2fa1-11d2-883f-0016d3cca427/{long}")),
            (Runtime::Docker, long, format!("/docker/{long}")),
            (Runtime::CriO, long, format!("/system.slice/crio-{long}.scope")),
        ];
        for (runtime, id, path) in cases {
            let names = Names {
                pod_uid: "1b4e28ba-2fa1-11d2-883f-0016d3cca427".to_owned(),
                pod_name: "shop-1".to_owned(),
                pod_namespace: "store".to_owned(),
                image: "shop:1".to_owned(),
                image_digest: format!("sha256:{long}"),
                name: "shop".to_owned(),
                service_account: "shop-sa".to_owned(),
            };
            let cgroup_path = path.as_bytes().to_vec();
            let container = Container { id: id.to_owned(), runtime, cgroup_id: 7, cgroup_path, names, gone: false };
            let folder = tempfile::tempdir().expect("a temporary folder");
            remember(folder.path(), &container).expect("it can be written");
            let nowhere = folder.path().join("nowhere");
            let tree = CgroupTree::new(nowhere.clone(), nowhere);
            let mut table = ContainerTable::new(folder.path().to_path_buf(), tree, 8, u64::MAX);
            let seen = table.made(7, path.as_bytes(), 1).expect("it is a container");
            assert_eq!(describe(&seen), describe(&container.seen()), "{runtime:?}");
        }
    }
}

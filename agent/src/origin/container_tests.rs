//! Tests of the container table and of what runtimes leave on disk: files of a runtime in, a line about a container out.

use std::fs;
use std::path::Path;

use base64::Engine;

use super::*;
use crate::origin::bundle;

const ID: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
const POD: &str = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";

fn write(host: &Path, file: &str, text: &str) {
    let path = host.join(file);
    fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a temporary folder can be written");
    fs::write(path, text).expect("a temporary folder can be written");
}

fn table(host: &Path) -> ContainerTable {
    let tree = CgroupTree::new(host.join("cgroup"), host.join("proc"));
    ContainerTable::new(host.to_path_buf(), tree, 64, 3600 * SECOND)
}

fn line(seen: Option<&ContainerSeen>) -> String {
    seen.map_or("nothing".to_owned(), |seen| describe(seen).replace(ID, "ID").replace(POD, "POD"))
}

fn annotations() -> String {
    format!(
        r#"{{"ociVersion": "1.1.0", "annotations": {{
            "io.kubernetes.cri.container-name": "shop", "io.kubernetes.cri.image-name": "registry/shop:1.4",
            "io.kubernetes.cri.sandbox-name": "shop-7d9", "io.kubernetes.cri.sandbox-namespace": "store",
            "io.kubernetes.cri.sandbox-uid": "{POD}"}}, "mounts": []}}"#
    )
}

#[test]
fn a_container_is_known_before_its_first_exec_with_the_names_of_its_bundle() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    write(
        host.path(),
        &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
        &annotations(),
    );
    let seen = table.made(42, format!("/kubepods/burstable/pod{POD}/{ID}").as_bytes(), 1);
    assert_eq!(
        line(seen.as_ref()),
        "containerd ID pod=shop-7d9 namespace=store uid=POD image=registry/shop:1.4 name=shop"
    );
    assert!(matches!(table.origin(42, 1, 2), (Origin::Container(_), None)));
}

#[test]
fn names_that_come_later_are_said_again_once() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    let path = format!("/kubepods.slice/kubepods-pod{}.slice/cri-containerd-{ID}.scope", POD.replace('-', "_"));
    assert_eq!(line(table.made(42, path.as_bytes(), 1).as_ref()), "containerd ID uid=POD");
    assert_eq!(line(table.join_late(42, SECOND).as_ref()), "nothing");
    write(
        host.path(),
        &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
        &annotations(),
    );
    assert!(line(table.join_late(42, 3 * SECOND).as_ref()).contains("pod=shop-7d9"));
    assert_eq!(line(table.join_late(42, 4 * SECOND).as_ref()), "nothing");
}

#[test]
fn a_quiet_container_gets_its_names_too() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    let path = format!("/kubepods.slice/kubepods-pod{}.slice/cri-containerd-{ID}.scope", POD.replace('-', "_"));
    assert_eq!(line(table.made(42, path.as_bytes(), 1).as_ref()), "containerd ID uid=POD");
    assert_eq!(line(table.join_all_late(SECOND).first()), "nothing");
    write(
        host.path(),
        &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
        &annotations(),
    );
    assert!(line(table.join_all_late(3 * SECOND).first()).contains("pod=shop-7d9"));
    assert_eq!(line(table.join_all_late(4 * SECOND).first()), "nothing");
}

#[test]
fn plain_runc_is_known_by_its_folder_and_by_the_path_in_its_state() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    fs::create_dir_all(host.path().join("run/runc/web-1")).expect("a temporary folder can be written");
    assert_eq!(line(table.made(1, b"/web-1", 1).as_ref()), "runc web-1");
    let state = r#"{"id": "web-2", "cgroup_paths": {"": "/sys/fs/cgroup/unified/shop/front", "pids": "/sys/fs/cgroup/pids/shop/front"},
        "config": {"labels": ["bundle=/bundles/web-2"]}}"#;
    write(host.path(), "run/runc/web-2/state.json", state);
    write(host.path(), "bundles/web-2/config.json", &annotations());
    assert!(line(table.made(2, b"/shop/front", 1).as_ref()).starts_with("runc web-2 pod=shop-7d9"));
    assert_eq!(line(table.made(3, b"/shop/back", 1).as_ref()), "nothing");
}

#[test]
fn a_cgroup_that_runc_names_later_becomes_its_container() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    let folder = host.path().join("cgroup/shop");
    fs::create_dir_all(&folder).expect("a temporary folder can be written");
    let id = table.tree.id_of(b"/shop").expect("the folder was made");
    assert_eq!(line(table.made(id, b"/shop", 1).as_ref()), "nothing");
    assert!(matches!(table.origin(id, 1, 1).0, Origin::Unknown(UnknownOrigin::CgroupUnrecognised)));
    write(host.path(), "run/runc/late/state.json", r#"{"id": "late", "cgroup_paths": {"": "/sys/fs/cgroup/shop"}}"#);
    assert_eq!(line(table.join_late(id, SECOND).as_ref()), "runc late");
    assert!(matches!(table.origin(id, 1, 1).0, Origin::Container(_)));
}

#[test]
fn a_client_of_containerd_names_containers_as_it_likes() {
    let host = tempfile::tempdir().expect("a temporary folder");
    write(host.path(), "run/containerd/io.containerd.runtime.v2.task/default/web/config.json", "{}");
    assert_eq!(line(table(host.path()).made(1, b"/default/web", 1).as_ref()), "containerd web");
}

#[test]
fn docker_and_cri_o_and_podman_are_told_apart_by_what_they_left() {
    let host = tempfile::tempdir().expect("a temporary folder");
    write(host.path(), &format!("run/containerd/io.containerd.runtime.v2.task/moby/{ID}/config.json"), "{}");
    write(
        host.path(),
        &format!("var/lib/docker/containers/{ID}/config.v2.json"),
        r#"{"Name": "/web", "Config": {"Image": "shop:2"}, "State": {}}"#,
    );
    assert_eq!(
        line(table(host.path()).made(1, format!("/docker/{ID}").as_bytes(), 1).as_ref()),
        "docker ID image=shop:2 name=web"
    );

    let host = tempfile::tempdir().expect("a temporary folder");
    let userdata = format!("run/containers/storage/overlay-containers/{ID}/userdata/config.json");
    write(
        host.path(),
        &userdata,
        r#"{"annotations": {"io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n"}}"#,
    );
    assert_eq!(
        line(table(host.path()).made(1, format!("/kubepods/pod{POD}/{ID}").as_bytes(), 1).as_ref()),
        "cri-o ID pod=p namespace=n uid=POD"
    );
}

#[test]
fn the_service_account_is_in_the_claims_of_the_mounted_token() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let config =
        r#"{"mounts": [{"destination": "/var/run/secrets/kubernetes.io/serviceaccount", "source": "/volume"}]}"#;
    write(host.path(), &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"), config);
    // {"kubernetes.io":{"namespace":"store","pod":{"name":"shop-7d9","uid":"u"},"serviceaccount":{"name":"shop-sa"}}}
    let token = "e30.eyJrdWJlcm5ldGVzLmlvIjp7Im5hbWVzcGFjZSI6InN0b3JlIiwicG9kIjp7Im5hbWUiOiJzaG9wLTdkOSIsInVpZCI6InUifSwic2VydmljZWFjY291bnQiOnsibmFtZSI6InNob3Atc2EifX19.c2ln";
    write(host.path(), "volume/..2026/token", token);
    std::os::unix::fs::symlink("..2026/token", host.path().join("volume/token")).expect("a link can be made");
    let told = bundle::look(host.path(), ID).expect("the bundle is there");
    assert_eq!(told.names.service_account, "shop-sa");
    assert_eq!(told.names.pod_namespace, "store");

    fs::remove_file(host.path().join("volume/token")).expect("the link is there");
    write(host.path(), "elsewhere", token);
    std::os::unix::fs::symlink("../elsewhere", host.path().join("volume/token")).expect("a link can be made");
    let told = bundle::look(host.path(), ID).expect("the bundle is there");
    assert_eq!(told.names.service_account, "", "a link out of the volume is not followed");
}

#[test]
fn a_removed_container_is_remembered_and_a_new_cgroup_of_it_counts_from_the_beginning() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    let path = format!("/docker/{ID}");
    table.made(1, path.as_bytes(), 1);
    table.set_init(1, ProcessKey { pid: 5, start_ns: 5 });
    assert_eq!(table.removed(1, 10).map(|gone| gone.cgroup_id), Some(1));
    assert!(table.by_id(ID).is_some_and(|container| container.gone));
    assert!(table.made(2, path.as_bytes(), 20).is_some());
    assert_eq!(table.init(2), None);
    assert!(table.by_id(ID).is_some_and(|container| !container.gone));
    table.forget_gone(3600 * SECOND + 11);
    assert!(matches!(table.origin(1, 0, 30).0, Origin::Unknown(UnknownOrigin::CgroupGone)));
}

#[test]
fn a_cgroup_inside_a_container_is_that_container() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = table(host.path());
    table.made(1, format!("/machine.slice/libpod-{ID}.scope").as_bytes(), 1);
    assert!(table.made(2, format!("/machine.slice/libpod-{ID}.scope/container").as_bytes(), 1).is_none());
    table.set_init(2, ProcessKey { pid: 5, start_ns: 5 });
    assert_eq!(table.init(1), Some(ProcessKey { pid: 5, start_ns: 5 }));
    assert!(table.removed(2, 5).is_none(), "only the container's own cgroup ends it");
}

#[test]
fn a_full_table_forgets_the_gone_before_their_time() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let mut table = ContainerTable::new(
        host.path().to_path_buf(),
        CgroupTree::new(host.path().join("c"), host.path().join("p")),
        2,
        3600 * SECOND,
    );
    table.made(1, b"/system.slice/a.service", 1);
    table.made(2, b"/system.slice/b.service", 1);
    table.removed(1, 2);
    assert!(table.made(3, format!("/docker/{ID}").as_bytes(), 3).is_some());
}

#[test]
fn podman_s_store_tells_image_and_name() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let store = "run/containers/storage/vfs-containers";
    write(host.path(), &format!("{store}/{ID}/userdata/config.json"), r#"{"annotations": {}}"#);
    // As Podman 4.3 writes it.
    let list = r#"[{"id":"ID","names":["shopper"],"image":"eb70ae64986594f64c73f2dc8df9a0722fecc005e494ca665690b09910a6f1a3",
        "layer":"0515ff2da07f7c7a0f675ec2cee07e66b8f0ffb58f1cb431de7f066b8b282fb4","metadata":"{\"image-name\":\"shop:2.4.1\",
        \"image-id\":\"eb70ae64986594f64c73f2dc8df9a0722fecc005e494ca665690b09910a6f1a3\",\"name\":\"shopper\",
        \"created-at\":1795308816}","created":"2026-11-22T00:53:36.988777756Z","flags":{"MountLabel":"","ProcessLabel":""}}]"#;
    let list = list.replace("ID", ID).replace(",\n        \\", ",\\");
    write(host.path(), "var/lib/containers/storage/vfs-containers/containers.json", &list);
    assert_eq!(
        line(table(host.path()).made(1, format!("/libpod_parent/libpod-{ID}").as_bytes(), 1).as_ref()),
        "podman ID image=shop:2.4.1 digest=sha256:eb70ae64986594f64c73f2dc8df9a0722fecc005e494ca665690b09910a6f1a3 name=shopper"
    );
}

#[test]
fn docker_s_state_is_enough_without_a_bundle() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let state = format!(r#"{{"Name": "/web", "Image": "sha256:{ID}", "Config": {{"Image": "shop:2"}}}}"#);
    write(host.path(), &format!("var/lib/docker/containers/{ID}/config.v2.json"), &state);
    assert_eq!(
        line(table(host.path()).made(1, format!("/docker/{ID}").as_bytes(), 1).as_ref()),
        "docker ID image=shop:2 digest=sha256:ID name=web"
    );
}

#[test]
fn a_pod_is_named_by_what_the_kubelet_mounts_into_it_and_by_no_other_pods_token() {
    let host = tempfile::tempdir().expect("a temporary folder");
    let path = format!("/kubepods/burstable/pod{POD}/{ID}");
    let token = |uid: &str| {
        let claims = format!(
            r#"{{"kubernetes.io":{{"namespace":"store","pod":{{"name":"shop-7d9","uid":"{uid}"}},"serviceaccount":{{"name":"shop-sa"}}}}}}"#
        );
        format!("e30.{}.c2ln", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
    };
    let file = format!("var/lib/kubelet/pods/{POD}/volumes/kubernetes.io~projected/kube-api-access-x/token");
    write(host.path(), &file, &token("another"));
    assert_eq!(line(table(host.path()).made(1, path.as_bytes(), 1).as_ref()), "containerd ID uid=POD");
    write(host.path(), &file, &token(POD));
    assert_eq!(
        line(table(host.path()).made(1, path.as_bytes(), 1).as_ref()),
        "containerd ID pod=shop-7d9 namespace=store uid=POD account=shop-sa"
    );
}

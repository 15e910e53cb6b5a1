//! Real path shapes, one a line: what runtimes, drivers and versions make of a container's cgroup.

use super::*;

const ID: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
const OUTER: &str = "aaaa0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
const POD: &str = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
const POD_: &str = "1b4e28ba_2fa1_11d2_883f_0016d3cca427";
const STATIC: &str = "7ad8c9e1b2f34a5566778899aabbccdd";

/// `ID`, `POD` and so on in the text stand for the constants; gives `runtime id pod`, or the other meaning.
fn check(text: &str) -> String {
    let path = text
        .replace("OUTER", OUTER)
        .replace("POD_", POD_)
        .replace("POD", POD)
        .replace("STATIC", STATIC)
        .replace("ID", ID);
    let shorten =
        |text: &str| text.replace(ID, "ID").replace(OUTER, "OUTER").replace(POD, "POD").replace(STATIC, "STATIC");
    match read(path.as_bytes()) {
        Meaning::Container { id, runtime, pod_uid } => format!(
            "{} {} {}",
            runtime.map_or("?", Runtime::name),
            shorten(&id),
            pod_uid.map_or("-".to_owned(), |uid| shorten(&uid)),
        ),
        Meaning::Host => "host".to_owned(),
        Meaning::Unrecognised => "unrecognised".to_owned(),
    }
}

#[test]
fn each_runtime_and_driver_is_read() {
    let table = [
        // Docker: cgroupfs, systemd, in its own init's child, rootless.
        ("/docker/ID", "docker ID -"),
        ("/system.slice/docker-ID.scope", "docker ID -"),
        ("/system.slice/docker-ID.scope/init.scope", "docker ID -"),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", "docker ID -"),
        ("/ecs/0123456789abcdef0123456789abcdef/ID", "docker ID -"),
        // containerd: CRI with both drivers, nerdctl, and the form that a mixed-up driver makes.
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
            "containerd ID POD",
        ),
        ("/kubepods.slice/kubepods-podPOD_.slice/cri-containerd-ID.scope", "containerd ID POD"),
        ("/kubepods.slice/kubepods-podSTATIC.slice/cri-containerd-ID.scope", "containerd ID STATIC"),
        ("/kubepods/besteffort/podPOD/ID", "? ID POD"),
        ("/kubepods/podPOD/ID", "? ID POD"),
        ("/system.slice/nerdctl-ID.scope", "containerd ID -"),
        ("/system.slice/containerd.service/kubepods-burstable-podPOD_.slice:cri-containerd:ID", "containerd ID POD"),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
            "containerd ID POD",
        ),
        // CRI-O: both drivers; its monitor is the host's.
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/crio-ID.scope", "cri-o ID POD"),
        ("/kubepods/burstable/podPOD/crio-ID", "cri-o ID POD"),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/crio-ID.scope/container",
            "cri-o ID POD",
        ),
        ("/system.slice/crio-conmon-ID.scope", "host"),
        // Podman: both drivers, with its own init's child; its monitor is the host's.
        ("/machine.slice/libpod-ID.scope", "podman ID -"),
        ("/machine.slice/libpod-ID.scope/container", "podman ID -"),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", "podman ID -"),
        ("/libpod_parent/libpod-ID", "podman ID -"),
        ("/machine.slice/libpod-conmon-ID.scope", "host"),
        // dockershim and cri-dockerd.
        ("/kubepods.slice/kubepods-podPOD_.slice/docker-ID.scope", "docker ID POD"),
        // runc with systemd, where the name is whatever the caller said.
        ("/system.slice/runc-web-1.scope", "runc web-1 -"),
        // A pod in a node that is a container.
        ("/docker/OUTER/kubelet/kubepods/burstable/podPOD/ID", "? ID POD"),
        (
            "/system.slice/docker-OUTER.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPOD_.slice/cri-containerd-ID.scope",
            "containerd ID POD",
        ),
    ];
    for (path, expected) in table {
        assert_eq!(check(path), expected, "{path}");
    }
}

#[test]
fn the_hosts_own_paths_are_the_hosts() {
    let paths = [
        "/",
        "",
        "/init.scope",
        "/system.slice/sshd.service",
        "/system.slice/containerd.service",
        "/user.slice/user-0.slice/session-3.scope",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice",
        "/kubepods/burstable/podPOD",
        "/docker",
    ];
    for path in paths {
        assert_eq!(check(path), "host", "{path}");
    }
}

#[test]
fn other_paths_are_not_guessed() {
    for path in ["/web-1", "/default/web", "/job/7", "/podnotauid/x", "/libpod-web.scope"] {
        assert_eq!(check(path), "unrecognised", "{path}");
    }
    assert_eq!(read(b"/\xff\xfe/x"), Meaning::Unrecognised);
}

#[test]
fn an_id_is_64_lower_case_hexadecimal_digits_and_nothing_else() {
    assert_eq!(check(&format!("/docker/{}", &ID[1..])), "host");
    assert_eq!(check(&format!("/docker/{}", ID.to_uppercase())), "host");
    assert_eq!(check(&format!("/system.slice/docker-{ID}0.scope")), "host");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(path in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
        read(&path);
    }
}

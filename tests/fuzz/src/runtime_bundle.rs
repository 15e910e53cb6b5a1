//! Any bytes as what a container runtime wrote of a container: labels and annotations are its users' words.
//! Takes random bytes; the reader gives bounded names or none, and never panics.
#![no_main]

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let host = tempfile::tempdir().expect("a temporary folder can be made");
    let bundle = host.path().join("run/containerd/io.containerd.runtime.v2.task/k8s.io").join(ID);
    std::fs::create_dir_all(&bundle).expect("a folder of our own can be made");
    std::fs::write(bundle.join("config.json"), bytes).expect("a file of our own can be written");
    for state in ["var/lib/docker/containers", "run/containers/storage/overlay-containers"] {
        let folder = host.path().join(state).join(OTHER);
        std::fs::create_dir_all(folder.join("userdata")).expect("a folder of our own can be made");
        std::fs::write(folder.join("config.v2.json"), bytes).expect("a file of our own can be written");
    }
    let stored = host.path().join("run/containers/storage/overlay-containers");
    std::fs::write(stored.join(OTHER).join("userdata/config.json"), "{}").expect("a file of our own can be written");
    std::fs::write(stored.join("containers.json"), bytes).expect("a file of our own can be written");
    let other = agent::origin::bundle::look(host.path(), OTHER).map(|told| told.names).unwrap_or_default();
    assert!(other.image.len() <= proto::limits::NAME_BYTES && other.name.len() <= proto::limits::NAME_BYTES);
    let names = agent::origin::bundle::look(host.path(), ID).expect("its folder is there").names;
    for name in [names.pod_uid, names.pod_name, names.pod_namespace, names.image, names.name, names.service_account] {
        assert!(name.len() <= proto::limits::NAME_BYTES, "a name of {} bytes", name.len());
    }
});

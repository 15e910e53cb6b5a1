//! Any bytes as what a container runtime answers over its interface: names in it are its users' words, and the runtime may lie.
//! Takes random bytes as a container's and a pod's status; the reader gives bounded names, and never panics.
#![no_main]

use agent::origin::runtime::facts::names;
use prost::Message;
use proto::cri::{ContainerStatusResponse, PodSandboxStatusResponse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (one, other) = bytes.split_at(bytes.len() / 2);
    let container = ContainerStatusResponse::decode(one).ok().and_then(|answer| answer.status);
    let pod = PodSandboxStatusResponse::decode(other).ok().and_then(|answer| answer.status?.metadata);
    let names = names(container.as_ref(), pod.as_ref());
    let all = [names.pod_uid, names.pod_name, names.pod_namespace, names.image, names.image_digest, names.name];
    for name in all {
        assert!(name.len() <= proto::limits::NAME_BYTES, "a name of {} bytes", name.len());
    }
});

//! Containers: what is known of one. Takes what `collector::ingest` made from the wire; never holds a wire type.

use serde::{Deserialize, Serialize};

/// A container and what is known about it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `ContainerSeen` in `proto/sensor/v1/event.proto`")]
pub struct ContainerSeen {
    pub container_id: String,
    pub runtime: String,
    pub cgroup_id: u64,
    pub pod_uid: String,
    pub pod_name: String,
    pub pod_namespace: String,
    pub image: String,
    #[serde(default)]
    pub image_digest: String,
    pub name: String,
    pub service_account: String,
}

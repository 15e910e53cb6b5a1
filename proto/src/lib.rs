//! The words two machines agree on: the messages between a node and its collector (`sensor/v1/*.proto`), their sizes
//! ([`limits`]), what both sides must compute alike: the chain ([`link`]) and the key of hashes ([`hash_secret`]); and what a node's
//! container runtime is asked ([`cri`]). Takes and gives bytes; never decides anything.
#![forbid(unsafe_code)]

pub mod hash_secret;
pub mod limits;
pub mod link;
pub mod words;

/// The messages and the service, generated from `sensor/v1/*.proto`, where each field is described.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated; the documentation stands in the .proto files"
)]
pub mod v1 {
    tonic::include_proto!("mayfly.sensor.v1");
}

/// What a container runtime is asked on its own machine, generated from `runtime/v1/cri.proto`, where each field is described.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated; the documentation stands in the .proto file"
)]
pub mod cri {
    tonic::include_proto!("runtime.v1");
}

//! The parts of a test's world, in the order in which they are made: place, network, image, container and its runtime, cloud, collector,
//! agent.

pub mod agent;
pub mod attack;
pub mod clock;
pub mod cloud;
pub mod collector;
pub mod container;
pub mod containerd;
pub mod cri;
pub mod image;
pub mod incident;
pub mod network;
pub mod place;
pub mod program;
pub mod short_lived;
pub mod trail;

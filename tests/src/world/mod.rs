//! The parts of a test's world, in the order in which they are made: place, network, image, container, cloud, collector, agent.

pub mod attack;
pub mod cloud;
pub mod container;
pub mod network;
pub mod place;
pub mod program;
pub mod trail;

//! The parts of a test's world, in the order in which they are made: place, network, image, container, cloud, collector, agent.

pub mod agent;
pub mod attack;
pub mod clock;
pub mod cloud;
pub mod collector;
pub mod container;
pub mod incident;
pub mod network;
pub mod place;
pub mod program;
pub mod trail;

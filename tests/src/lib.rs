//! A world to test in: a real node agent, a real collector, real containers in their own network namespaces, a stand-in cloud. Takes
//! the paths of the programs from the environment that `cargo xtask` sets; gives handles that clean up after themselves. Never
//! touches a process, a mount or an interface that it did not make.
#![forbid(unsafe_code)]

pub mod evasion;
pub mod world;

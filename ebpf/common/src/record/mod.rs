//! The bodies of records, a file for each noun.

pub mod cgroup;
pub mod file;
pub mod network;
pub mod process;

pub use cgroup::Cgroup;
pub use file::{FileChmod, FileOpen, FileRename, FileUnlink};
pub use network::{Accept, Close, Connect, Datagram, Flow};
pub use process::{Exec, Exit, Fork};

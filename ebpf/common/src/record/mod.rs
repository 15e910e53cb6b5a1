//! The bodies of records, a file for each noun.

pub mod cgroup;
pub mod file;
pub mod kernel;
pub mod network;
pub mod privilege;
pub mod process;

pub use cgroup::Cgroup;
pub use file::{FileChmod, FileOpen, FileRename, FileUnlink, Object};
pub use kernel::UringSetup;
pub use network::{Accept, Close, Connect, Datagram, Flow};
pub use privilege::Userfault;
pub use process::{Exec, Exit, Fork};

//! The bodies of records, a file for each noun.

/// How many texts stand behind a body of the nouns privilege and kernel.
pub const TEXTS: usize = 4;

/// The lengths of those texts, in their order; what each is stands at the body.
pub type Texts = [u16; TEXTS];

pub mod cgroup;
pub mod file;
pub mod kernel;
pub mod network;
pub mod privilege;
pub mod process;

pub use cgroup::Cgroup;
pub use file::{FileChange, FileChmod, FileOpen, FileRename, FileUnlink, Object};
pub use kernel::{Bpf, Kexec, Module, Mount, PerfEvent, Sysctl, Tamper, UringRegister, UringRequest, UringSetup};
pub use network::{Accept, Close, Connect, Datagram, Flow, Payload, SocketCall};
pub use privilege::{
    Credentials, CredentialsChanged, Executable, Key, Namespaces, NamespacesChanged, Reach, Root, Target, Userfault,
};
pub use process::{Exec, Exit, Fork};

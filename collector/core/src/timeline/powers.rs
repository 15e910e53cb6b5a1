//! Powers and changes to the kernel as short sentences. Takes what was done; gives what happened, and what of it was chosen by whoever did
//! it, escaped.

use crate::model::fact::{Fact, Named};
use crate::model::{Change, Privilege};

/// What a process did with power, or to get it.
pub(super) fn privilege(privilege: &Privilege) -> (String, String) {
    let did = match privilege {
        Privilege::CredentialsChanged { .. } => "took other users, groups or capabilities",
        Privilege::ProcessReached { .. } => "reached into another process",
        Privilege::NamespacesChanged(changed) if changed.enters_host => "entered the host's namespaces",
        Privilege::NamespacesChanged(_) => "entered or made namespaces",
        Privilege::RootChanged { .. } => "took another root folder",
        Privilege::UserfaultMade { .. } => "asked to answer page faults itself",
        Privilege::KeyUsed { .. } => "used a key of the kernel's",
        Privilege::MemoryExecutable(made) if made.writable => "made memory executable that it can write as well",
        Privilege::MemoryExecutable(made) if made.path.0.is_empty() => "made memory executable",
        Privilege::MemoryExecutable(_) => "loaded a file to be executed, beside its own program",
    };
    said(did, privilege.result(), &privilege.facts())
}

/// What was done to the kernel, or asked of it.
pub(super) fn change(change: &Change) -> (String, String) {
    let did = match change {
        Change::ModuleChanged { .. } => "loaded or removed a kernel module",
        Change::BpfUsed { .. } => "put a BPF program or map into the kernel, or took hold of one",
        Change::PerfEventOpened { .. } => "opened a performance event",
        Change::KexecLoaded { .. } => "made another kernel ready",
        Change::UringMade { .. } => "asked for an io_uring",
        Change::UringRegistered { .. } => "changed an io_uring",
        Change::UringRequested(_) => "gave a request to an io_uring",
        Change::MountChanged { .. } => "changed what is mounted",
        Change::SysctlWritten { .. } => "wrote a setting of the kernel",
        Change::SelfTamper { .. } => "reached for the sensor itself",
    };
    said(did, change.result(), &change.facts())
}

/// Facts that say nothing (0, false, empty) are left out.
fn said(did: &str, result: Option<i32>, facts: &[Named<'_>]) -> (String, String) {
    let refused = result.filter(|result| *result < 0);
    let outcome = refused.map_or(String::new(), |result| format!(", and was refused (errno {})", -result));
    let says = |fact: &Fact<'_>| match fact {
        Fact::Number(number) => *number != 0,
        Fact::Signed(number) => *number != 0,
        Fact::Flag(flag) => *flag,
        Fact::Word(word) => !word.is_empty(),
        Fact::Text(text) => !text.0.is_empty(),
    };
    let facts = facts.iter().filter(|(_, fact)| says(fact));
    let facts: Vec<String> = facts.map(|(name, fact)| format!("{} {fact}", name.replace('_', " "))).collect();
    (format!("{did}{outcome}"), facts.join(", "))
}

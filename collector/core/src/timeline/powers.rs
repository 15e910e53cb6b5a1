//! Powers and changes to the kernel as short sentences. Takes what was done; gives what happened, and what of it was chosen by whoever did
//! it, escaped.

use crate::model::fact::Named;
use crate::model::{Change, Privilege};

/// What a process did with power, or to get it.
pub(super) fn privilege(privilege: &Privilege) -> (String, String) {
    let did = match privilege {
        Privilege::UserfaultMade { .. } => "asked to answer page faults itself",
    };
    said(did, privilege.result(), &privilege.facts())
}

/// What was done to the kernel, or asked of it.
pub(super) fn change(change: &Change) -> (String, String) {
    let did = match change {
        Change::UringMade { .. } => "asked for an io_uring",
    };
    said(did, change.result(), &change.facts())
}

fn said(did: &str, result: i32, facts: &[Named<'_>]) -> (String, String) {
    let outcome = if result < 0 { format!(", and was refused (errno {})", -result) } else { String::new() };
    let facts: Vec<String> = facts.iter().map(|(name, fact)| format!("{name} {fact}")).collect();
    (format!("{did}{outcome}"), facts.join(", "))
}

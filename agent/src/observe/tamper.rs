//! What was done to the agent: by a record that the kernel marked, or by a file of its own that somebody else changed. Takes the event and who
//! did it; gives a second event, by which rules find it whatever way it took.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use proto::v1::actor::Origin;
use proto::v1::event::Body;
use proto::v1::{Actor, SelfTamper};

use super::file;

/// The agent's own folders and number.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) folders: Vec<PathBuf>,
    pub(super) pid: u32,
}

impl Own {
    /// `is_marked`: the kernel knows that it was done to the agent.
    pub(super) fn tampered(&self, body: &Body, actor: &Actor, is_marked: bool) -> Option<Body> {
        let (what, detail, result) = match body {
            Body::ProcessReached(reached) if is_marked => (
                "reach",
                format!("{} {}", reached.call, reached.request).trim_end().as_bytes().to_vec(),
                reached.result,
            ),
            Body::BpfUsed(used) if is_marked => {
                ("bpf", [used.command.as_bytes(), b" ", &used.name].concat(), used.result)
            }
            _ => {
                let (path, result) = changed(body).filter(|(path, _)| self.is_own(path, actor))?;
                ("file", path.to_vec(), result)
            }
        };
        Some(Body::SelfTamper(SelfTamper { what: what.to_owned(), detail, signal: 0, result }))
    }

    /// Below a folder of the agent's, and done by another process of the host: in a container the same path is another file.
    fn is_own(&self, path: &[u8], actor: &Actor) -> bool {
        let elsewhere = matches!(actor.origin, Some(Origin::ContainerId(_))) && !actor.in_host_mounts;
        let below = |folder: &PathBuf| {
            path.strip_prefix(folder.as_os_str().as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        !elsewhere && actor.process.is_some_and(|process| process.pid != self.pid) && self.folders.iter().any(below)
    }
}

/// The file that an event changes or removes.
fn changed(body: &Body) -> Option<(&[u8], i32)> {
    match body {
        Body::FileOpen(open) if file::changes(open.flags) => Some((&open.path, open.result)),
        Body::FileUnlink(unlink) => Some((&unlink.path, unlink.result)),
        Body::FileRename(rename) => Some((&rename.from, rename.result)),
        Body::FileChmod(chmod) => Some((&chmod.path, chmod.result)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::{FileUnlink, ProcessKey};

    use super::*;

    fn check(path: &str, pid: u32, origin: Option<Origin>) -> bool {
        let own = Own { folders: vec![PathBuf::from("/var/lib/mayfly")], pid: 7 };
        let body = Body::FileUnlink(FileUnlink { path: path.as_bytes().to_vec(), ..FileUnlink::default() });
        let actor = Actor { process: Some(ProcessKey { pid, start_ns: 1 }), origin, ..Actor::default() };
        own.tampered(&body, &actor, false).is_some()
    }

    #[test]
    fn a_file_of_the_agent_that_somebody_else_of_the_host_removes_is_told() {
        let host = || Some(Origin::Host(true));
        assert!(check("/var/lib/mayfly/log/1.seg", 8, host()));
        assert!(!check("/var/lib/mayfly/log/1.seg", 7, host()), "the agent's own work");
        assert!(!check("/var/lib/mayfly-collector/x", 8, host()), "another folder");
        let container = Some(Origin::ContainerId("c".to_owned()));
        assert!(!check("/var/lib/mayfly/log/1.seg", 8, container), "another file of that name");
    }
}

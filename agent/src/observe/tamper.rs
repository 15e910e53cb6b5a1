//! What was done to the agent: by a record that the kernel marked, or by a file of its own that somebody else changed. Takes the event and who
//! did it; gives a second event, by which rules find it whatever way it took.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ebpf_common::{Class, Header};
use proto::v1::actor::Origin;
use proto::v1::event::Body;
use proto::v1::{Actor, SelfTamper};

use super::file;
use crate::origin::process::TICK_NS;
use crate::origin::seed;

/// The agent's own folders and number.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) folders: Vec<PathBuf>,
    pub(super) pid: u32,
    /// When it began, cut to a tick; `None`: not known.
    pub(super) start_tick: Option<u64>,
}

impl Own {
    /// Of this process.
    pub(super) fn here(folders: Vec<PathBuf>) -> Self {
        let pid = std::process::id();
        Self { folders, pid, start_tick: seed::start_tick(Path::new("/proc"), pid) }
    }

    /// Whether a record is about what the agent does for itself, which makes no event. The kernel leaves it out as well, but for the moments in
    /// which the programs of the agent before this one still run. Its life is told.
    pub(super) fn did(&self, header: &Header) -> bool {
        header.class != Class::Process as u8
            && header.pid == self.pid
            && Some(header.start_ns / TICK_NS) == self.start_tick
    }

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
    use zerocopy::FromZeros;

    use super::*;

    fn check(path: &str, pid: u32, origin: Option<Origin>) -> bool {
        let own = Own { folders: vec![PathBuf::from("/var/lib/mayfly")], pid: 7, start_tick: Some(1) };
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

    #[test]
    fn what_the_agent_does_for_itself_is_no_event_and_what_another_of_its_number_does_is_one() {
        let own = Own { folders: Vec::new(), pid: 7, start_tick: Some(5) };
        let header = |class: Class, pid, start_ns| Header { class: class as u8, pid, start_ns, ..Header::new_zeroed() };
        assert!(own.did(&header(Class::Kernel, 7, 5 * TICK_NS + 3)));
        assert!(!own.did(&header(Class::Kernel, 7, 6 * TICK_NS)), "another process");
        assert!(!own.did(&header(Class::Kernel, 8, 5 * TICK_NS)));
        assert!(!own.did(&header(Class::Process, 7, 5 * TICK_NS)), "its life is told");
    }
}

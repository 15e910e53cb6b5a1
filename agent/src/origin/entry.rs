//! How a process came into a container that ran already: by whom it was started, as far as that was seen.
//!
//! Takes the process table and who entered; gives the way in. Judges by the programs above it, which are the host's: a process of the
//! container stands never above one that comes in. Whoever is root on the host can run a program by a runtime's name.

use proto::v1::{Entry, ProcessKey};

use super::Subject;
use super::cgroup_path::{Runtime, is_hex_id};
use super::image::Image;
use super::process::ProcessTable;

/// A runtime stands two or three above whom it brings in.
const GENERATIONS: usize = 8;
/// Programs that make and enter containers.
const RUNTIMES: [&[u8]; 5] = [b"runc", b"crun", b"youki", b"runsc", b"kata-runtime"];
/// containerd's namespace for what it is asked over the Container Runtime Interface.
const CRI_NAMESPACE: &[u8] = b"k8s.io";

/// What a program above the one that entered tells.
enum Above {
    /// `runc … exec`; whether its words are those of containerd's CRI plugin.
    Exec {
        cri: bool,
    },
    Shim,
    Conmon,
    Other,
}

/// The way in of `subject`, which was outside a moment ago, to a container of `runtime`.
pub(super) fn of(processes: &ProcessTable, subject: &Subject, runtime: Option<Runtime>) -> Entry {
    let mut next = Some(match processes.get(subject.process) {
        Some(process) => process.key,
        None => subject.parent,
    });
    let (mut seen, mut brought, mut cri) = (0, false, false);
    while let Some(process) = next.and_then(|key: ProcessKey| processes.get(key))
        && seen < GENERATIONS
    {
        seen += 1;
        match above(&process.image) {
            Above::Exec { cri: told } => (brought, cri) = (true, told),
            Above::Shim => return if cri { Entry::CriExec } else { Entry::RuntimeExec },
            Above::Conmon if runtime == Some(Runtime::CriO) => return Entry::CriExec,
            Above::Conmon => return Entry::RuntimeExec,
            Above::Other => {}
        }
        next = process.parent;
    }
    match (brought, seen) {
        (true, _) => Entry::RuntimeExec,
        // Nobody above it was known.
        (false, 0 | 1) => Entry::Unknown,
        (false, _) => Entry::Namespace,
    }
}

fn above(image: &Image) -> Above {
    let name = image.executable.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    if name.starts_with(b"containerd-shim") {
        return Above::Shim;
    }
    if name == b"conmon" {
        return Above::Conmon;
    }
    let mut words = image.command_line.split(|&byte| byte == b' ');
    if !RUNTIMES.contains(&name) || !words.any(|word| word == b"exec") {
        return Above::Other;
    }
    Above::Exec { cri: is_cri(&image.command_line) }
}

/// containerd gives runc the namespace as the end of its root, and names an exec by its pid file. The CRI plugin's namespace is
/// `k8s.io`, and its execs are named by 64 random digits: `ctr` names them as its user likes.
fn is_cri(line: &[u8]) -> bool {
    let after = |option: &[u8]| {
        let mut words = line.split(|&byte| byte == b' ');
        words.find(|word| *word == option)?;
        words.next()?.rsplit(|&byte| byte == b'/').next()
    };
    let exec = after(b"--pid-file").and_then(|file| file.strip_suffix(b".pid"));
    after(b"--root") == Some(CRI_NAMESPACE)
        && exec.and_then(|exec| std::str::from_utf8(exec).ok()).is_some_and(is_hex_id)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::origin::process::Process;

    const ID: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";

    /// A chain of programs, the outermost first, each the parent of the next; the last one enters.
    fn check(runtime: Runtime, chain: &[(&str, String)]) -> Entry {
        let mut processes = ProcessTable::new(64, 1);
        let key = |pid: u32| ProcessKey { pid, start_ns: u64::from(pid) };
        for (pid, (executable, line)) in (10..).zip(chain) {
            let arguments = line.replace(' ', "\0");
            let image = Arc::new(Image::new(executable.as_bytes(), arguments.as_bytes(), b"/", 0));
            processes.insert(Process::forked(key(pid), Some(key(pid - 1)), image, 1), 1);
        }
        let last = 9 + u32::try_from(chain.len()).expect("few");
        let subject = Subject { process: key(last), tid: last, parent: key(last - 1), uid: 0, cgroup_id: 42 };
        of(&processes, &subject, Some(runtime))
    }

    fn runc(namespace: &str, exec: &str) -> (&'static str, String) {
        let line = format!(
            "runc --root /run/containerd/runc/{namespace} --log /run/x/log.json --log-format json exec \
             --process /tmp/runc-process1 --detach --pid-file /run/x/{exec}.pid {ID}"
        );
        ("/usr/sbin/runc", line)
    }

    fn shim() -> (&'static str, String) {
        ("/usr/bin/containerd-shim-runc-v2", "containerd-shim-runc-v2".to_owned())
    }

    fn init() -> (&'static str, String) {
        ("/memfd:runc_cloned:/proc/self/exe", "runc init".to_owned())
    }

    #[test]
    fn an_exec_over_the_container_runtime_interface_is_told_from_a_clients() {
        assert_eq!(check(Runtime::Containerd, &[shim(), runc("k8s.io", ID), init()]), Entry::CriExec);
        assert_eq!(check(Runtime::Containerd, &[shim(), runc("k8s.io", "debug"), init()]), Entry::RuntimeExec);
        assert_eq!(check(Runtime::Containerd, &[shim(), runc("default", ID), init()]), Entry::RuntimeExec);
        assert_eq!(check(Runtime::Docker, &[shim(), runc("moby", ID), init()]), Entry::RuntimeExec);
    }

    #[test]
    fn what_conmon_brings_in_was_asked_for_by_its_runtime() {
        let chain = [("/usr/bin/conmon", "conmon -e".to_owned()), ("/usr/bin/crun", "crun exec -p f ID".to_owned())];
        assert_eq!(check(Runtime::CriO, &chain), Entry::CriExec);
        assert_eq!(check(Runtime::Podman, &chain), Entry::RuntimeExec);
    }

    #[test]
    fn a_runtime_that_a_person_started_is_a_runtime() {
        let chain = [("/bin/bash", "bash".to_owned()), ("/usr/sbin/runc", "runc exec web sh".to_owned()), init()];
        assert_eq!(check(Runtime::Runc, &chain), Entry::RuntimeExec);
    }

    #[test]
    fn who_comes_without_a_runtime_came_by_namespaces_and_a_chain_that_nobody_saw_is_unknown() {
        let own = ("/usr/bin/nsenter", "nsenter -t 5 -a sh".to_owned());
        assert_eq!(
            check(Runtime::Containerd, &[("/bin/bash", "bash exec runc".to_owned()), own.clone()]),
            Entry::Namespace
        );
        assert_eq!(check(Runtime::Containerd, &[own]), Entry::Unknown);
        assert_eq!(check(Runtime::Containerd, &[]), Entry::Unknown);
    }
}

//! Powers taken, and used on other processes: record → event body.

use ebpf_common::header::flag;
use ebpf_common::record::privilege::memory;
use ebpf_common::record::{self, Executable, Root};
use proto::v1::event::Body;
use proto::v1::{
    Credentials, CredentialsChanged, KeyUsed, MemoryExecutable, NamespaceSet, NamespacesChanged, ProcessReached,
    RootChanged, TargetProcess, UserfaultMade,
};

use super::call;
use super::file;
use super::path::resolve;
use crate::decode::{Privilege, Record, Worded};

/// Of a filesystem in memory.
const TMPFS: u32 = 0x0102_1994;
/// Of a protection.
const WRITE: u32 = 2;

/// The inode number of the host's first pid namespace, the same in every kernel.
const HOST_PIDS: u32 = 0xefff_fffc;

/// `host_mounts`: the host's mount namespace.
pub(crate) fn body(record: &Record<'_>, privilege: &Privilege<'_>, host_mounts: Option<u32>) -> Body {
    let attempt = record.has(flag::ATTEMPT);
    let is_whole = !record.has(flag::FIELD_MISSING);
    match privilege {
        Privilege::Credentials(changed) => Body::CredentialsChanged(CredentialsChanged {
            call: call::name(changed.call),
            before: is_whole.then(|| credentials(&changed.before)),
            after: Some(credentials(&changed.after)),
            result: changed.result,
            attempt,
        }),
        Privilege::Reach(reach) => Body::ProcessReached(reached(reach, attempt)),
        Privilege::Namespaces(changed) => {
            let (before, after) = (&changed.before, &changed.after);
            let became = |of: u32, was: u32, host: u32| is_whole && of == host && was != host;
            Body::NamespacesChanged(NamespacesChanged {
                call: call::name(changed.call),
                flags: changed.flags,
                before: is_whole.then(|| namespaces(before)),
                after: Some(namespaces(after)),
                target: Some(target(&changed.target)),
                child_cgroup_id: changed.cgroup_id,
                new_user: is_whole && before.user != after.user,
                enters_host: became(after.pid, before.pid, HOST_PIDS)
                    || host_mounts.is_some_and(|host| became(after.mount, before.mount, host)),
                result: changed.result,
                attempt,
            })
        }
        Privilege::Root(root) => Body::RootChanged(root_changed(record, root, attempt)),
        Privilege::Userfault(made) => Body::UserfaultMade(UserfaultMade { flags: made.flags, result: made.result }),
        Privilege::Key(key) => {
            let [kind, description, ..] = key.texts;
            let key = &key.fixed;
            Body::KeyUsed(KeyUsed {
                call: call::name(key.call),
                operation: key.operation,
                serial: key.serial,
                r#type: kind.to_vec(),
                description: description.to_vec(),
                result: key.result,
            })
        }
        Privilege::Executable(made) => Body::MemoryExecutable(executable(record, made, attempt)),
    }
}

fn reached(reach: &record::Reach, attempt: bool) -> ProcessReached {
    let call = call::name(reach.call);
    let request = if call == "ptrace" { call::trace_request(reach.request).into_owned() } else { String::new() };
    ProcessReached {
        call,
        request,
        target: Some(target(&reach.target)),
        address: reach.address,
        repeats: reach.repeats,
        result: reach.result,
        attempt,
    }
}

fn root_changed(record: &Record<'_>, root: &Worded<'_, Root>, attempt: bool) -> RootChanged {
    let [new, directory, old, old_directory] = root.texts;
    RootChanged {
        call: call::name(root.fixed.call),
        path: resolve(directory, new),
        old_place: if old.is_empty() { Vec::new() } else { resolve(old_directory, old) },
        truncated: record.has(flag::PATH_TRUNCATED | flag::DIRECTORY_TRUNCATED),
        result: root.fixed.result,
        attempt,
    }
}

fn executable(record: &Record<'_>, made: &Worded<'_, Executable>, attempt: bool) -> MemoryExecutable {
    let [path, ..] = made.texts;
    let made = &made.fixed;
    MemoryExecutable {
        call: call::name(made.call),
        memory: memory(record, made).to_owned(),
        path: path.to_vec(),
        truncated: record.has(flag::PATH_TRUNCATED),
        object: file::object(&made.object),
        address: made.address,
        size: made.length,
        writable: made.protection & WRITE != 0,
        repeats: made.repeats,
        result: made.result,
        attempt,
    }
}

/// What the memory is of, in one word.
fn memory(record: &Record<'_>, made: &Executable) -> &'static str {
    match made.memory {
        memory::ANONYMOUS => "anonymous",
        memory::FILE if record.has(flag::MEMFD) => "memfd",
        memory::FILE if record.has(flag::DELETED) => "deleted",
        memory::FILE if record.has(flag::UPPER_LAYER) => "writable_layer",
        memory::FILE if made.filesystem == TMPFS => "memory_filesystem",
        memory::FILE => "file",
        _ => "unknown",
    }
}

pub(super) fn target(target: &record::Target) -> TargetProcess {
    TargetProcess { pid: target.pid, start_ns: target.start_ns, given: target.given }
}

fn credentials(of: &record::Credentials) -> Credentials {
    Credentials {
        uid: of.uid,
        effective_uid: of.effective_uid,
        gid: of.gid,
        effective_gid: of.effective_gid,
        effective: of.effective,
        permitted: of.permitted,
    }
}

fn namespaces(of: &record::Namespaces) -> NamespaceSet {
    NamespaceSet {
        mount: of.mount,
        pid: of.pid,
        network: of.network,
        user: of.user,
        cgroup: of.cgroup,
        uts: of.uts,
        ipc: of.ipc,
        time: of.time,
    }
}

//! Powers taken, and used on other processes: wire to model.

use collector_core::model::Privilege;
use collector_core::model::event::Raw;
use collector_core::model::privilege::{Credentials, MemoryExecutable, NamespaceSet, NamespacesChanged};
use proto::v1;
use proto::v1::event::Body as Wire;

use super::translate_file::object;

pub(super) fn privilege(wire: Wire) -> Option<Privilege> {
    Some(match wire {
        Wire::CredentialsChanged(changed) => Privilege::CredentialsChanged {
            call: changed.call,
            before: changed.before.map(credentials),
            after: credentials(changed.after?),
            result: changed.result,
        },
        Wire::ProcessReached(reached) => {
            let target = reached.target.unwrap_or_default();
            Privilege::ProcessReached {
                call: reached.call,
                request: reached.request,
                pid: target.pid,
                start_ns: target.start_ns,
                address: reached.address,
                repeats: reached.repeats,
                result: reached.result,
            }
        }
        Wire::NamespacesChanged(changed) => {
            let target = changed.target.unwrap_or_default();
            Privilege::NamespacesChanged(Box::new(NamespacesChanged {
                call: changed.call,
                flags: changed.flags,
                before: changed.before.map(namespaces),
                after: namespaces(changed.after?),
                target_pid: target.pid,
                target_start_ns: target.start_ns,
                child_cgroup_id: changed.child_cgroup_id,
                new_user: changed.new_user,
                enters_host: changed.enters_host,
                result: changed.result,
            }))
        }
        Wire::RootChanged(changed) => Privilege::RootChanged {
            call: changed.call,
            path: Raw(changed.path),
            old_place: Raw(changed.old_place),
            truncated: changed.truncated,
            result: changed.result,
        },
        Wire::UserfaultMade(made) => Privilege::UserfaultMade { flags: made.flags, result: made.result },
        Wire::KeyUsed(used) => Privilege::KeyUsed {
            call: used.call,
            operation: used.operation,
            serial: used.serial,
            r#type: Raw(used.r#type),
            description: Raw(used.description),
            result: used.result,
        },
        Wire::MemoryExecutable(made) => Privilege::MemoryExecutable(Box::new(executable(made))),
        _ => return None,
    })
}

fn executable(wire: v1::MemoryExecutable) -> MemoryExecutable {
    MemoryExecutable {
        call: wire.call,
        memory: wire.memory,
        path: Raw(wire.path),
        truncated: wire.truncated,
        object: wire.object.map(object),
        address: wire.address,
        size: wire.size,
        writable: wire.writable,
        repeats: wire.repeats,
        result: wire.result,
    }
}

fn credentials(wire: v1::Credentials) -> Credentials {
    Credentials {
        uid: wire.uid,
        effective_uid: wire.effective_uid,
        gid: wire.gid,
        effective_gid: wire.effective_gid,
        effective: wire.effective,
        permitted: wire.permitted,
    }
}

fn namespaces(wire: v1::NamespaceSet) -> NamespaceSet {
    NamespaceSet {
        mount: wire.mount,
        pid: wire.pid,
        network: wire.network,
        user: wire.user,
        cgroup: wire.cgroup,
        uts: wire.uts,
        ipc: wire.ipc,
        time: wire.time,
    }
}

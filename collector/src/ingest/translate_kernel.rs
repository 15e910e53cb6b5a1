//! Changes to the kernel itself: wire to model.

use collector_core::model::Change;
use collector_core::model::event::Raw;
use collector_core::model::kernel::UringRequested;
use proto::v1::event::Body as Wire;

pub(super) fn kernel(wire: Wire) -> Option<Change> {
    Some(match wire {
        Wire::ModuleChanged(changed) => Change::ModuleChanged {
            call: changed.call,
            name: Raw(changed.name),
            path: Raw(changed.path),
            parameters: Raw(changed.parameters),
            flags: changed.flags,
            size: changed.size,
            result: changed.result,
        },
        Wire::BpfUsed(used) => Change::BpfUsed {
            command: used.command,
            id: used.id,
            program_type: used.program_type,
            attach_type: used.attach_type,
            name: Raw(used.name),
            instructions: used.instructions,
            place: used.place,
            result: used.result,
        },
        Wire::PerfEventOpened(opened) => Change::PerfEventOpened {
            source: opened.source,
            config: opened.config,
            period: opened.period,
            pid: opened.pid,
            cpu: opened.cpu,
            flags: opened.flags,
            result: opened.result,
        },
        Wire::KexecLoaded(loaded) => Change::KexecLoaded {
            call: loaded.call,
            path: Raw(loaded.path),
            flags: loaded.flags,
            result: loaded.result,
        },
        Wire::MountChanged(changed) => Change::MountChanged {
            call: changed.call,
            source: Raw(changed.source),
            target: Raw(changed.target),
            r#type: Raw(changed.r#type),
            flags: changed.flags,
            truncated: changed.truncated,
            result: changed.result,
        },
        Wire::SysctlWritten(written) => {
            Change::SysctlWritten { path: Raw(written.path), value: Raw(written.value), truncated: written.truncated }
        }
        Wire::SelfTamper(tamper) => Change::SelfTamper {
            kind: tamper.what,
            detail: Raw(tamper.detail),
            signal: tamper.signal,
            result: tamper.result,
        },
        other => return uring(other),
    })
}

fn uring(wire: Wire) -> Option<Change> {
    Some(match wire {
        Wire::UringMade(made) => Change::UringMade { entries: made.entries, flags: made.flags, result: made.result },
        Wire::UringRegistered(registered) => Change::UringRegistered {
            opcode: registered.opcode,
            request: registered.request,
            count: registered.count,
            descriptor: registered.descriptor,
            result: registered.result,
        },
        Wire::UringRequested(requested) => Change::UringRequested(Box::new(UringRequested {
            operation: requested.operation,
            path: Raw(requested.path),
            second_path: Raw(requested.second_path),
            descriptor: requested.descriptor,
            polled: requested.polled,
            repeats: requested.repeats,
            command: requested.command,
            fixed_file: requested.fixed_file,
            incomplete: requested.incomplete,
        })),
        _ => return None,
    })
}

//! Events of privilege and the kernel as rules see them. Takes the event's body and a field; gives the value, or `Missing` where the event has
//! no such fact.

use proto::v1::event::Body;
use proto::v1::{NamespacesChanged, ProcessReached};
use rules::{Known, LogSource, Value, fields};

/// The log source of an event of these nouns; none of any other.
pub(super) fn source(body: &Body) -> Option<LogSource<'static>> {
    Some(match body {
        Body::CredentialsChanged(_)
        | Body::ProcessReached(_)
        | Body::NamespacesChanged(_)
        | Body::RootChanged(_)
        | Body::UserfaultMade(_)
        | Body::KeyUsed(_)
        | Body::MemoryExecutable(_) => fields::PRIVILEGE,
        Body::ModuleChanged(_)
        | Body::BpfUsed(_)
        | Body::PerfEventOpened(_)
        | Body::KexecLoaded(_)
        | Body::UringMade(_)
        | Body::UringRegistered(_)
        | Body::UringRequested(_)
        | Body::MountChanged(_)
        | Body::SysctlWritten(_) => fields::KERNEL,
        Body::SelfTamper(_) => fields::SENSOR_TAMPERING,
        _ => return None,
    })
}

/// A fact of the event.
pub(super) fn field(body: &Body, field: Known) -> Value<'_> {
    match field {
        Known::Operation => operation(body),
        Known::Result => result(body).map_or(Value::Missing, |result| Value::Int(result.into())),
        Known::TargetFilename => match body {
            Body::RootChanged(changed) => text(&changed.path),
            Body::MemoryExecutable(made) => text(&made.path),
            Body::ModuleChanged(changed) => text(&changed.path),
            Body::KexecLoaded(loaded) => text(&loaded.path),
            Body::UringRequested(requested) => text(&requested.path),
            Body::MountChanged(changed) => text(&changed.target),
            Body::SysctlWritten(written) => text(&written.path),
            _ => Value::Missing,
        },
        Known::SourceFilename => match body {
            Body::MountChanged(changed) => text(&changed.source),
            _ => Value::Missing,
        },
        Known::Flags => flags(body).and_then(|flags| i64::try_from(flags).ok()).map_or(Value::Missing, Value::Int),
        Known::Name => match body {
            Body::ModuleChanged(changed) => text(&changed.name),
            Body::BpfUsed(used) => text(&used.name),
            Body::KeyUsed(used) => text(&used.description),
            _ => Value::Missing,
        },
        Known::Details => match body {
            Body::SysctlWritten(written) => text(&written.value),
            Body::SelfTamper(tamper) => text(&tamper.detail),
            _ => Value::Missing,
        },
        _ => of_one_kind(body, field),
    }
}

fn of_one_kind(body: &Body, field: Known) -> Value<'_> {
    match (body, field) {
        (Body::ProcessReached(reached), Known::Request) => text(reached.request.as_bytes()),
        (Body::UringRegistered(registered), Known::Request) => text(registered.request.as_bytes()),
        (
            Body::ProcessReached(ProcessReached { target: Some(target), .. })
            | Body::NamespacesChanged(NamespacesChanged { target: Some(target), .. }),
            Known::TargetProcessId,
        ) if target.pid != 0 => Value::Int(target.pid.into()),
        (Body::CredentialsChanged(changed), Known::EffectiveUserId) => {
            changed.after.map_or(Value::Missing, |after| Value::Int(after.effective_uid.into()))
        }
        (Body::CredentialsChanged(changed), Known::CapGained) => match (changed.before, changed.after) {
            (Some(before), Some(after)) => {
                i64::try_from(after.effective & !before.effective).map_or(Value::Missing, Value::Int)
            }
            _ => Value::Missing,
        },
        (Body::NamespacesChanged(changed), Known::EntersHost) => Value::Bool(changed.enters_host),
        (Body::NamespacesChanged(changed), Known::NewUserNamespace) => Value::Bool(changed.new_user),
        (Body::MemoryExecutable(made), Known::Memory) => text(made.memory.as_bytes()),
        (Body::MemoryExecutable(made), Known::Writable) => Value::Bool(made.writable),
        (Body::BpfUsed(used), Known::ProgramType) => Value::Int(used.program_type.into()),
        (Body::MountChanged(changed), Known::MountType) => text(&changed.r#type),
        (Body::SelfTamper(tamper), Known::Signal) if tamper.signal != 0 => Value::Int(tamper.signal.into()),
        _ => Value::Missing,
    }
}

fn operation(body: &Body) -> Value<'_> {
    let word = match body {
        Body::CredentialsChanged(changed) => &changed.call,
        Body::ProcessReached(reached) => &reached.call,
        Body::NamespacesChanged(changed) => &changed.call,
        Body::RootChanged(changed) => &changed.call,
        Body::UserfaultMade(_) => "userfaultfd",
        Body::KeyUsed(used) => &used.call,
        Body::MemoryExecutable(made) => &made.call,
        Body::ModuleChanged(changed) => &changed.call,
        Body::BpfUsed(used) => &used.command,
        Body::PerfEventOpened(_) => "perf_event_open",
        Body::KexecLoaded(loaded) => &loaded.call,
        Body::UringMade(_) => "io_uring_setup",
        Body::UringRegistered(_) => "io_uring_register",
        Body::UringRequested(requested) => &requested.operation,
        Body::MountChanged(changed) => &changed.call,
        Body::SysctlWritten(_) => "sysctl",
        Body::SelfTamper(tamper) => &tamper.what,
        _ => "",
    };
    text(word.as_bytes())
}

fn result(body: &Body) -> Option<i32> {
    Some(match body {
        Body::CredentialsChanged(changed) => changed.result,
        Body::ProcessReached(reached) => reached.result,
        Body::NamespacesChanged(changed) => changed.result,
        Body::RootChanged(changed) => changed.result,
        Body::UserfaultMade(made) => made.result,
        Body::KeyUsed(used) => used.result,
        Body::MemoryExecutable(made) => made.result,
        Body::ModuleChanged(changed) => changed.result,
        Body::BpfUsed(used) => used.result,
        Body::PerfEventOpened(opened) => opened.result,
        Body::KexecLoaded(loaded) => loaded.result,
        Body::UringMade(made) => made.result,
        Body::UringRegistered(registered) => registered.result,
        Body::MountChanged(changed) => changed.result,
        Body::SelfTamper(tamper) => tamper.result,
        _ => return None,
    })
}

fn flags(body: &Body) -> Option<u64> {
    Some(match body {
        Body::NamespacesChanged(changed) => changed.flags.into(),
        Body::UserfaultMade(made) => made.flags.into(),
        Body::ModuleChanged(changed) => changed.flags.into(),
        Body::PerfEventOpened(opened) => opened.flags,
        Body::KexecLoaded(loaded) => loaded.flags,
        Body::UringMade(made) => made.flags.into(),
        Body::MountChanged(changed) => changed.flags,
        _ => return None,
    })
}

fn text(bytes: &[u8]) -> Value<'_> {
    if bytes.is_empty() { Value::Missing } else { Value::Text(bytes) }
}

//! Events of privilege and the kernel as rules see them. Takes the event's body and a field; gives the value, or `Missing` where the event has
//! no such fact.

use rules::{Known, LogSource, Value, fields};

use crate::model::fact::Fact;
use crate::model::{Body, Change};

/// The log source of an event of these nouns; none of any other.
pub(super) fn source(body: &Body) -> Option<LogSource<'static>> {
    match body {
        Body::Privilege(_) => Some(fields::PRIVILEGE),
        Body::Kernel(change) if matches!(**change, Change::SelfTamper { .. }) => Some(fields::SENSOR_TAMPERING),
        Body::Kernel(_) => Some(fields::KERNEL),
        _ => None,
    }
}

/// A fact of the event.
pub(super) fn field(body: &Body, field: Known) -> Value<'_> {
    let (facts, result) = match body {
        Body::Privilege(privilege) => (privilege.facts(), privilege.result()),
        Body::Kernel(change) => (change.facts(), change.result()),
        _ => return Value::Missing,
    };
    let name = match field {
        Known::Result => return result.map_or(Value::Missing, |result| Value::Int(result.into())),
        Known::Operation => "operation",
        Known::Request => "request",
        Known::Flags => "flags",
        Known::TargetProcessId => "target_pid",
        Known::EffectiveUserId => "effective_uid",
        Known::CapGained => "cap_gained",
        Known::EntersHost => "enters_host",
        Known::NewUserNamespace => "new_user_namespace",
        Known::Memory => "memory",
        Known::Writable => "writable",
        Known::FileUpperLayer => "upper_layer",
        Known::Name => "name",
        Known::ProgramType => "program_type",
        Known::MountType => "mount_type",
        Known::Details => "details",
        Known::TargetFilename => "path",
        Known::SourceFilename => "mount_source",
        Known::Signal => "signal",
        _ => return Value::Missing,
    };
    let found = facts.into_iter().find(|(found, _)| *found == name);
    match found.map(|(_, fact)| fact) {
        // Nobody: the process was gone. No signal: it was reached in another way.
        Some(Fact::Number(0)) if matches!(field, Known::TargetProcessId | Known::Signal) => Value::Missing,
        Some(Fact::Number(number)) => i64::try_from(number).map_or(Value::Missing, Value::Int),
        Some(Fact::Signed(number)) => Value::Int(number),
        Some(Fact::Flag(flag)) => Value::Bool(flag),
        Some(Fact::Word(word)) if !word.is_empty() => Value::Text(word.as_bytes()),
        Some(Fact::Text(text)) if !text.0.is_empty() => Value::Text(&text.0),
        _ => Value::Missing,
    }
}

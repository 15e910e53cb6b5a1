//! What rules ask of changed files, of names that were asked for and of sockets. Takes a body and a field; gives its value by borrowing, or
//! `Missing`.

use rules::Value;
use rules::fields::Known as FieldName;

use super::view::filled;
use crate::model::Body;
use crate::model::file::{FileAct, FileChange, FileObject};
use crate::model::network::{Dns, SocketUse};

/// A name is there that was not there before: rules on new files see it.
pub(super) fn makes_name(act: &FileAct) -> bool {
    matches!(act, FileAct::Linked { .. } | FileAct::Symlinked { .. } | FileAct::Made { .. })
}

/// The file that an event is about, where the hook had it.
pub(super) fn object(body: &Body) -> Option<&FileObject> {
    match body {
        Body::FileOpen { object, .. }
        | Body::FileUnlink { object, .. }
        | Body::FileRename { object, .. }
        | Body::FileChmod { object, .. } => object.as_ref(),
        Body::FileChange(change) => change.object.as_ref(),
        _ => None,
    }
}

pub(super) fn file(change: &FileChange, name: FieldName) -> Value<'_> {
    match (name, &change.act) {
        (FieldName::TargetFilename, _) => filled(Some(&change.path.0)),
        (FieldName::SourceFilename, act) => filled(act.source().map(|source| &source.0)),
        (FieldName::FileAct, act) => Value::Text(act.word().as_bytes()),
        (FieldName::FileAttribute, act) => filled(act.attribute().map(|name| &name.0)),
        (FieldName::FileMode, FileAct::Made { mode, .. }) => Value::Int(i64::from(*mode)),
        (FieldName::FileModified, FileAct::Timed { modified_ns: Some(time), .. }) => Value::Int(*time),
        (FieldName::FileUpperLayer, _) => {
            change.object.map_or(Value::Missing, |object| Value::Bool(object.upper_layer))
        }
        _ => Value::Missing,
    }
}

pub(super) fn dns(dns: &Dns, name: FieldName) -> Value<'_> {
    match name {
        FieldName::QueryName => filled(Some(&dns.name.0)),
        FieldName::QueryType => Value::Text(dns.record_type.as_bytes()),
        FieldName::QueryStatus if dns.answer => Value::Int(i64::from(dns.code)),
        FieldName::QueryResults => filled(Some(&dns.results.0)),
        _ => Value::Missing,
    }
}

pub(super) fn socket(used: &SocketUse, name: FieldName) -> Value<'_> {
    match name {
        FieldName::SocketAct => Value::Text(used.act.word().as_bytes()),
        FieldName::SocketFamily => Value::Text(used.family.as_bytes()),
        FieldName::SocketAddress => filled(Some(&used.address.0)),
        FieldName::Initiated => Value::Bool(matches!(used.act, crate::model::network::SocketAct::Connected)),
        _ => Value::Missing,
    }
}

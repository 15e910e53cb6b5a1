//! What rules ask of changed files, of names that were asked for and of sockets. Takes a body of the wire and a field; gives its value by
//! borrowing, or `Missing`. What the wire has as a number and rules as a word is made once for an event, in [`Names`].

use std::borrow::Cow;

use proto::v1::event::Body;
use proto::v1::{Dns, FileAct, FileChange, SocketAct, SocketUse};
use proto::words;
use rules::{Known, Value};

use super::network;
use super::node_event::text;

/// A name is there that was not there before: rules on new files see it.
pub(super) fn makes_name(change: &FileChange) -> bool {
    change.result >= 0 && matches!(change.act(), FileAct::Linked | FileAct::Symlinked | FileAct::Made)
}

/// Whether the file is in the writable layer, where the hook had the file.
pub(super) fn upper_layer(body: &Body) -> Value<'static> {
    let object = match body {
        Body::FileOpen(open) => open.object.as_ref(),
        Body::FileUnlink(unlink) => unlink.object.as_ref(),
        Body::FileRename(rename) => rename.object.as_ref(),
        Body::FileChmod(chmod) => chmod.object.as_ref(),
        Body::FileChange(change) => change.object.as_ref(),
        Body::MemoryExecutable(made) => made.object.as_ref(),
        _ => None,
    };
    object.map_or(Value::Missing, |object| Value::Bool(object.upper_layer))
}

pub(super) fn file(change: &FileChange, field: Known) -> Value<'_> {
    let act = change.act();
    match (field, act) {
        (Known::TargetFilename, _) => text(&change.path),
        (Known::SourceFilename, FileAct::Linked | FileAct::Symlinked | FileAct::Copied)
        | (Known::FileAttribute, FileAct::AttributeSet | FileAct::AttributeRemoved) => text(&change.other),
        (Known::FileAct, act) => Value::Text(word(act).as_bytes()),
        (Known::FileMode, FileAct::Made) => Value::Int(change.mode.into()),
        (Known::FileModified, FileAct::Timed) => change.modified_ns.map_or(Value::Missing, Value::Int),
        (Known::FileUpperLayer, _) => {
            change.object.as_ref().map_or(Value::Missing, |object| Value::Bool(object.upper_layer))
        }
        _ => Value::Missing,
    }
}

fn word(act: FileAct) -> &'static str {
    match act {
        FileAct::Unspecified => "",
        FileAct::Linked => "linked",
        FileAct::Symlinked => "symlinked",
        FileAct::Made => "made",
        FileAct::Sized => "sized",
        FileAct::Owned => "owned",
        FileAct::Timed => "timed",
        FileAct::AttributeSet => "attribute_set",
        FileAct::AttributeRemoved => "attribute_removed",
        FileAct::Mapped => "mapped",
        FileAct::Copied => "copied",
        FileAct::HandleTaken => "handle_taken",
    }
}

/// Words of one event that do not stand in it.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The type of a DNS question, the family of a socket.
    word: Cow<'static, str>,
    results: Vec<u8>,
}

impl Names {
    pub(super) fn of(body: Option<&Body>) -> Self {
        match body {
            Some(Body::Dns(dns)) => Self { word: words::dns_type(dns.r#type), results: results(dns) },
            Some(Body::SocketUse(used)) => Self { word: words::socket_family(used.family), results: Vec::new() },
            _ => Self::default(),
        }
    }

    pub(super) fn dns<'a>(&'a self, dns: &'a Dns, field: Known) -> Value<'a> {
        match field {
            Known::QueryName => text(&dns.name),
            Known::QueryType => Value::Text(self.word.as_bytes()),
            Known::QueryStatus if dns.answer => Value::Int(dns.code.into()),
            Known::QueryResults => text(&self.results),
            _ => Value::Missing,
        }
    }

    pub(super) fn socket<'a>(&'a self, used: &'a SocketUse, field: Known) -> Value<'a> {
        match field {
            Known::SocketAct => Value::Text(match used.act() {
                SocketAct::Bound => b"bound",
                SocketAct::Listened => b"listened",
                SocketAct::Connected => b"connected",
                SocketAct::Made | SocketAct::Unspecified => b"made",
            }),
            Known::SocketFamily => Value::Text(self.word.as_bytes()),
            Known::SocketAddress => text(&used.address),
            Known::Initiated => Value::Bool(used.act() == SocketAct::Connected),
            _ => Value::Missing,
        }
    }

    pub(super) fn family(&self) -> &str {
        &self.word
    }
}

/// Names and addresses of an answer, with `;` behind each, as Sigma's rules write them.
fn results(dns: &Dns) -> Vec<u8> {
    let mut text = Vec::new();
    let addresses = dns.addresses.iter().filter_map(|bytes| network::address(bytes));
    let addresses = addresses.map(|address| address.to_canonical().to_string().into_bytes());
    for piece in dns.names.iter().cloned().chain(addresses) {
        text.extend_from_slice(&piece);
        text.push(b';');
    }
    text
}

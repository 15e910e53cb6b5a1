//! Files changed, names asked for and sockets used as short sentences. Takes what was done; gives what happened, and what of it was chosen by
//! whoever did it, escaped.

use super::words::{cut, remote};
use crate::model::file::{FileAct, FileChange};
use crate::model::network::{ClientHello, Dns, SocketAct, SocketUse};

/// Something of a file was changed.
pub(super) fn file(change: &FileChange) -> (String, String) {
    const FOLDER: u32 = 0o040_000;
    const TYPE: u32 = 0o170_000;
    let path = change.path.escape();
    let did = match &change.act {
        FileAct::Linked { .. } => "gave a file one more name".to_owned(),
        FileAct::Symlinked { .. } => "made a symbolic link".to_owned(),
        FileAct::Made { .. } | FileAct::AttributeSet { .. } if change.whiteout => {
            "hid a file of the layers below".to_owned()
        }
        FileAct::Made { mode, .. } if mode & TYPE == FOLDER => "made a folder".to_owned(),
        FileAct::Made { .. } => "made a device, a pipe or an empty file".to_owned(),
        FileAct::Sized { size } => format!("set the size of a file to {size}"),
        FileAct::Owned { uid, gid } => format!("gave a file to {} and {}", owner("user", *uid), owner("group", *gid)),
        FileAct::Timed { accessed_ns: None, modified_ns: None } => "set the times of a file to that moment".to_owned(),
        FileAct::Timed { .. } => "chose the times of a file".to_owned(),
        FileAct::AttributeSet { .. } => "set an attribute of a file".to_owned(),
        FileAct::AttributeRemoved { .. } => "removed an attribute of a file".to_owned(),
        FileAct::Mapped { .. } => "mapped a file to write to it".to_owned(),
        FileAct::Copied { .. } => "had the kernel copy bytes into a file".to_owned(),
        FileAct::HandleTaken => "asked for the handle of a file".to_owned(),
    };
    let quoted = match &change.act {
        FileAct::Linked { from } | FileAct::Copied { from } if !from.0.is_empty() => format!("{from} → {path}"),
        FileAct::Symlinked { target } => format!("{path} → {target}"),
        FileAct::AttributeSet { name, .. } | FileAct::AttributeRemoved { name } => format!("{path} ({name})"),
        _ => path,
    };
    (format!("{did}{}", refused(change.result)), cut(&quoted))
}

fn owner(kind: &str, id: u32) -> String {
    if id == u32::MAX { format!("the same {kind}") } else { format!("{kind} {id}") }
}

/// A name was asked for, or told.
pub(super) fn dns(dns: &Dns) -> (String, String) {
    let name = format!("{} ({})", dns.name, dns.record_type);
    if !dns.answer {
        return ("asked a name server for".to_owned(), cut(&name));
    }
    match dns.code {
        0 => ("was told by a name server".to_owned(), cut(&format!("{name}: {}", dns.results))),
        3 => ("was told by a name server that there is no".to_owned(), cut(&name)),
        code => (format!("was refused by a name server (code {code})"), cut(&name)),
    }
}

/// A client began TLS.
pub(super) fn hello(hello: &ClientHello) -> (String, String) {
    if hello.server_name.0.is_empty() {
        return ("began TLS without naming a server with".to_owned(), remote(&hello.flow));
    }
    ("began TLS with".to_owned(), cut(&format!("{} at {}", hello.server_name, remote(&hello.flow))))
}

/// A socket was used.
pub(super) fn socket(used: &SocketUse) -> (String, String) {
    let did = match used.act {
        SocketAct::Made => "made a raw socket",
        SocketAct::Bound => "took an address",
        SocketAct::Listened => "began to wait for connections",
        SocketAct::Connected => "connected to",
    };
    let address = match (&used.flow, used.act) {
        (Some(flow), SocketAct::Connected) => remote(flow),
        (Some(flow), SocketAct::Bound | SocketAct::Listened) => format!("port {} of {}", flow.local_port, flow.local),
        _ if used.is_abstract => format!("@{}", used.address),
        _ => used.address.escape(),
    };
    (format!("{did} ({}){}", used.family, refused(used.result)), cut(&address))
}

fn refused(result: i32) -> String {
    if result < 0 { format!(", and was refused (errno {})", result.unsigned_abs()) } else { String::new() }
}

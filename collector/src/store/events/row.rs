//! The columns that an event's body fills, and the rest of it as JSON for people. Takes a body; gives text with everything that an
//! attacker chose escaped. Never read back: the event as it was is in the `wire` column.

use collector_core::model::event::{Exec, Flow, Raw};
use collector_core::model::fact::Fact;
use collector_core::model::file::FileObject;
use collector_core::model::{Actor, Body, Origin};

use Fact::{Flag, Number, Signed, Text, Word};

/// What a body gives to the columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its kind, in one word.
    pub kind: &'static str,
    /// The file that it is about.
    pub path: Option<String>,
    /// Arguments, each escaped, with spaces between.
    pub argv: Option<String>,
    /// Both ends.
    pub flow: Option<Flow>,
    /// What the kernel answered.
    pub result: Option<i32>,
    /// All that has no column, as JSON.
    pub rest: Option<String>,
}

/// Where a process ran, in one word.
pub fn origin(actor: &Actor) -> &'static str {
    match actor.origin {
        Origin::Container { .. } => "container",
        Origin::Host => "host",
        Origin::Unknown { .. } => "unknown",
    }
}

/// All kinds, as the lake calls them and people ask for them.
pub const KINDS: &[&str] = &[
    "fork",
    "exec",
    "exit",
    "file_open",
    "file_unlink",
    "file_rename",
    "file_chmod",
    "file_change",
    "connect",
    "accept",
    "close",
    "datagram_flow",
    "dns",
    "client_hello",
    "socket",
    "credentials_changed",
    "process_reached",
    "namespaces_changed",
    "root_changed",
    "userfault_made",
    "key_used",
    "module_changed",
    "bpf_used",
    "perf_event_opened",
    "kexec_loaded",
    "uring_made",
    "uring_registered",
    "uring_requested",
    "mount_changed",
    "sysctl_written",
    "self_tamper",
    "container_seen",
    "container_gone",
    "loss",
    "trigger",
    "capture_sealed",
    "accounting",
    "coverage",
    "agent_started",
];

/// The columns of a body.
pub fn row(body: &Body) -> Row {
    let row = columns(body);
    debug_assert!(KINDS.contains(&row.kind), "{} is a kind that nobody can ask for", row.kind);
    row
}

fn columns(body: &Body) -> Row {
    match body {
        Body::Fork { child } => {
            rest("fork", &[("child_pid", Number(child.pid.into())), ("child_start_ns", Number(child.start_ns))])
        }
        Body::Exec(exec) => run(exec),
        Body::Exit { code, signal } => {
            rest("exit", &[("code", Number((*code).into())), ("signal", Number((*signal).into()))])
        }
        Body::FileOpen { .. }
        | Body::FileUnlink { .. }
        | Body::FileRename { .. }
        | Body::FileChmod { .. }
        | Body::FileChange(_) => file(body),
        Body::Connect { .. }
        | Body::Accept { .. }
        | Body::Close { .. }
        | Body::DatagramFlow { .. }
        | Body::Dns(_)
        | Body::ClientHello(_)
        | Body::Socket(_) => network(body),
        Body::Privilege(privilege) => Row { result: privilege.result(), ..rest(privilege.kind(), &privilege.facts()) },
        Body::Kernel(change) => Row { result: change.result(), ..rest(change.kind(), &change.facts()) },
        Body::ContainerSeen(_)
        | Body::ContainerGone { .. }
        | Body::Loss { .. }
        | Body::Trigger(_)
        | Body::CaptureSealed { .. }
        | Body::Accounting(_)
        | Body::AgentStarted { .. }
        | Body::Coverage(_) => told_by_agent(body),
    }
}

fn network(body: &Body) -> Row {
    match body {
        Body::Connect { flow, established, metadata_service, api_server } => {
            let more = [
                ("established", Flag(*established)),
                ("metadata_service", Flag(*metadata_service)),
                ("api_server", Flag(*api_server)),
            ];
            Row { flow: Some(*flow), ..rest("connect", &more) }
        }
        Body::Accept { flow } => Row { kind: "accept", flow: Some(*flow), ..Row::default() },
        Body::Close { flow, sent, received, outgoing } => {
            let more = [("sent", Number(*sent)), ("received", Number(*received)), ("outgoing", Flag(*outgoing))];
            Row { flow: Some(*flow), ..rest("close", &more) }
        }
        Body::DatagramFlow { flow, metadata_service } => {
            Row { flow: Some(*flow), ..rest("datagram_flow", &[("metadata_service", Flag(*metadata_service))]) }
        }
        Body::Dns(dns) => Row { flow: Some(dns.flow), ..rest("dns", &dns.facts()) },
        Body::ClientHello(hello) => Row { flow: Some(hello.flow), ..rest("client_hello", &hello.facts()) },
        Body::Socket(used) => Row { flow: used.flow, result: Some(used.result), ..rest("socket", &used.facts()) },
        _ => Row::default(),
    }
}

/// A program that began.
fn run(exec: &Exec) -> Row {
    let argv: Vec<String> = exec.arguments.iter().map(text).collect();
    Row {
        path: Some(text(&exec.path)),
        argv: Some(argv.join(" ")),
        ..rest(
            "exec",
            &[
                ("directory", Text(&exec.directory)),
                ("script", Text(&exec.script)),
                ("device", Number(exec.device.into())),
                ("inode", Number(exec.inode)),
                ("links", Number(exec.links.into())),
                ("memfd", Flag(exec.memfd)),
                ("upper_layer", Flag(exec.upper_layer)),
                ("uid", Number(exec.uid.into())),
                ("effective_uid", Number(exec.effective_uid.into())),
                ("capabilities", Number(exec.capabilities)),
                ("stopped_in_kernel", Flag(exec.stopped_in_kernel)),
                ("arguments_truncated", Flag(exec.arguments_truncated)),
                ("argument_bytes", Number(exec.argument_bytes.into())),
                ("arguments_end", Text(&exec.arguments_end)),
                ("arguments_sha256", Word(&exec.arguments_sha256)),
            ],
        )
    }
}

fn file(body: &Body) -> Row {
    match body {
        Body::FileOpen {
            path,
            flags,
            mode,
            sensitive,
            result,
            truncated,
            object,
            created,
            by_handle,
            alias,
            repeats,
        } => {
            let facts = [
                ("flags", Number((*flags).into())),
                ("mode", Number((*mode).into())),
                ("sensitive", Word(sensitive)),
                ("created", Flag(*created)),
                ("by_handle", Flag(*by_handle)),
                ("alias", Text(alias)),
                ("repeats", Number(repeats.map_or(0, |repeats| repeats.count))),
                ("truncated", Flag(*truncated)),
            ];
            of_file("file_open", path, *result, &facts, object.as_ref())
        }
        Body::FileUnlink { path, result, truncated, object } => {
            of_file("file_unlink", path, *result, &[("truncated", Flag(*truncated))], object.as_ref())
        }
        Body::FileRename { from, to, result, truncated, flags, object, replaced } => {
            let facts = [
                ("to", Text(to)),
                ("flags", Number((*flags).into())),
                ("replaced_inode", Number(replaced.map_or(0, |replaced| replaced.inode))),
                ("truncated", Flag(*truncated)),
            ];
            of_file("file_rename", from, *result, &facts, object.as_ref())
        }
        Body::FileChmod { path, mode, result, truncated, object } => {
            let facts = [("mode", Number((*mode).into())), ("truncated", Flag(*truncated))];
            of_file("file_chmod", path, *result, &facts, object.as_ref())
        }
        Body::FileChange(change) => of_file("file_change", &change.path, change.result, &change.facts(), None),
        _ => Row::default(),
    }
}

fn of_file(
    kind: &'static str,
    path: &Raw,
    result: i32,
    facts: &[(&'static str, Fact<'_>)],
    object: Option<&FileObject>,
) -> Row {
    let row = Row { path: Some(text(path)), result: Some(result), ..Row::default() };
    let Some(object) = object else { return Row { path: row.path, result: row.result, ..rest(kind, facts) } };
    let all: Vec<_> = facts.iter().copied().chain(object.facts()).collect();
    Row { path: row.path, result: row.result, ..rest(kind, &all) }
}

/// Bodies that no attacker's bytes are in: as the core writes them.
fn told_by_agent(body: &Body) -> Row {
    let kind = match body {
        Body::ContainerSeen(_) => "container_seen",
        Body::ContainerGone { .. } => "container_gone",
        Body::Loss { .. } => "loss",
        Body::Trigger(_) => "trigger",
        Body::CaptureSealed { .. } => "capture_sealed",
        Body::Accounting(_) => "accounting",
        Body::Coverage(_) => "coverage",
        _ => "agent_started",
    };
    Row { kind, rest: serde_json::to_string(body).ok(), ..Row::default() }
}

/// JSON without a tree of it in between: this runs once for each event that ever arrives.
fn rest(kind: &'static str, facts: &[(&str, Fact<'_>)]) -> Row {
    let mut json = String::with_capacity(32 * facts.len());
    for (index, (name, fact)) in facts.iter().enumerate() {
        json.push_str(if index == 0 { "{\"" } else { ",\"" });
        json.push_str(name);
        json.push_str("\":");
        match fact {
            Number(number) => json.push_str(&number.to_string()),
            Signed(number) => json.push_str(&number.to_string()),
            Flag(flag) => json.push_str(if *flag { "true" } else { "false" }),
            Word(word) => json.push_str(&serde_json::Value::from(*word).to_string()),
            Text(raw) => json.push_str(&serde_json::Value::from(text(raw)).to_string()),
        }
    }
    json.push('}');
    Row { kind, rest: Some(json), ..Row::default() }
}

/// The text for people. Most paths are plain: those are copied, the others escaped letter by letter.
pub(super) fn text(raw: &Raw) -> String {
    let is_plain = raw.0.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    match str::from_utf8(&raw.0) {
        Ok(plain) if is_plain => plain.to_owned(),
        _ => raw.escape(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_json_whatever_an_attacker_wrote() {
        let (from, to) = (Raw(b"/a".to_vec()), Raw(b"/b\"\\\n\xff\xe2\x80\xae".to_vec()));
        let (object, replaced) = (None, None);
        let row =
            row(&Body::FileRename { from, to: to.clone(), result: 0, truncated: true, flags: 2, object, replaced });
        let rest: serde_json::Value = serde_json::from_str(&row.rest.expect("there is one")).expect("JSON");
        assert_eq!(rest, serde_json::json!({"to": to.escape(), "flags": 2, "replaced_inode": 0, "truncated": true}));
    }
}

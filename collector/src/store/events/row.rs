//! The columns that an event's body fills, and the rest of it as JSON for people. Takes a body; gives text with everything that an
//! attacker chose escaped. Never read back: the event as it was is in the `wire` column.

use collector_core::model::event::{Exec, Flow, Raw};
use collector_core::model::fact::Fact;
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

/// The columns of a body.
pub fn row(body: &Body) -> Row {
    match body {
        Body::Fork { child } => {
            rest("fork", &[("child_pid", Number(child.pid.into())), ("child_start_ns", Number(child.start_ns))])
        }
        Body::Exec(exec) => run(exec),
        Body::Exit { code, signal } => {
            rest("exit", &[("code", Number((*code).into())), ("signal", Number((*signal).into()))])
        }
        Body::FileOpen { .. } | Body::FileUnlink { .. } | Body::FileRename { .. } | Body::FileChmod { .. } => {
            file(body)
        }
        Body::Connect { flow, established, metadata_service } => {
            let more = [("established", Flag(*established)), ("metadata_service", Flag(*metadata_service))];
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
            ],
        )
    }
}

fn file(body: &Body) -> Row {
    match body {
        Body::FileOpen { path, flags, mode, sensitive, result, truncated } => Row {
            path: Some(text(path)),
            result: Some(*result),
            ..rest(
                "file_open",
                &[
                    ("flags", Number((*flags).into())),
                    ("mode", Number((*mode).into())),
                    ("sensitive", Word(sensitive)),
                    ("truncated", Flag(*truncated)),
                ],
            )
        },
        Body::FileUnlink { path, result, truncated } => Row {
            path: Some(text(path)),
            result: Some(*result),
            ..rest("file_unlink", &[("truncated", Flag(*truncated))])
        },
        Body::FileRename { from, to, result, truncated } => Row {
            path: Some(text(from)),
            result: Some(*result),
            ..rest("file_rename", &[("to", Text(to)), ("truncated", Flag(*truncated))])
        },
        Body::FileChmod { path, mode, result, truncated } => Row {
            path: Some(text(path)),
            result: Some(*result),
            ..rest("file_chmod", &[("mode", Number((*mode).into())), ("truncated", Flag(*truncated))])
        },
        _ => Row::default(),
    }
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
        let row = row(&Body::FileRename { from, to: to.clone(), result: 0, truncated: true });
        let rest: serde_json::Value = serde_json::from_str(&row.rest.expect("there is one")).expect("JSON");
        assert_eq!(rest, serde_json::json!({"to": to.escape(), "truncated": true}));
    }
}

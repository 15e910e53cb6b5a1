//! The columns that an event's body fills, and the rest of it as JSON for people. Takes a body; gives text with everything that an
//! attacker chose escaped. Never read back: the event as it was is in the `wire` column.

use collector_core::model::event::{Flow, Raw};
use collector_core::model::{Actor, Body, Origin};
use serde_json::json;

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
        Body::Fork { child } => rest("fork", &json!({"child_pid": child.pid, "child_start_ns": child.start_ns})),
        Body::Exec(exec) => {
            let argv: Vec<String> = exec.arguments.iter().map(Raw::escape).collect();
            Row {
                path: Some(exec.path.escape()),
                argv: Some(argv.join(" ")),
                ..rest(
                    "exec",
                    &json!({
                        "directory": exec.directory.escape(), "device": exec.device, "inode": exec.inode, "links": exec.links,
                        "memfd": exec.memfd, "upper_layer": exec.upper_layer, "uid": exec.uid,
                        "effective_uid": exec.effective_uid, "capabilities": exec.capabilities,
                        "stopped_in_kernel": exec.stopped_in_kernel, "arguments_truncated": exec.arguments_truncated,
                    }),
                )
            }
        }
        Body::Exit { code, signal } => rest("exit", &json!({"code": code, "signal": signal})),
        Body::FileOpen { .. } | Body::FileUnlink { .. } | Body::FileRename { .. } | Body::FileChmod { .. } => {
            file(body)
        }
        Body::Connect { flow, established, metadata_service } => {
            let more = json!({"established": established, "metadata_service": metadata_service});
            Row { flow: Some(*flow), ..rest("connect", &more) }
        }
        Body::Accept { flow } => Row { kind: "accept", flow: Some(*flow), ..Row::default() },
        Body::Close { flow, sent, received, outgoing } => {
            let more = json!({"sent": sent, "received": received, "outgoing": outgoing});
            Row { flow: Some(*flow), ..rest("close", &more) }
        }
        Body::DatagramFlow { flow, metadata_service } => {
            Row { flow: Some(*flow), ..rest("datagram_flow", &json!({"metadata_service": metadata_service})) }
        }
        Body::ContainerSeen(_)
        | Body::ContainerGone { .. }
        | Body::Loss { .. }
        | Body::Trigger(_)
        | Body::CaptureSealed { .. }
        | Body::AgentStarted { .. } => told_by_agent(body),
    }
}

fn file(body: &Body) -> Row {
    match body {
        Body::FileOpen { path, flags, mode, sensitive, result, truncated } => Row {
            path: Some(path.escape()),
            result: Some(*result),
            ..rest("file_open", &json!({"flags": flags, "mode": mode, "sensitive": sensitive, "truncated": truncated}))
        },
        Body::FileUnlink { path, result, truncated } => Row {
            path: Some(path.escape()),
            result: Some(*result),
            ..rest("file_unlink", &json!({"truncated": truncated}))
        },
        Body::FileRename { from, to, result, truncated } => Row {
            path: Some(from.escape()),
            result: Some(*result),
            ..rest("file_rename", &json!({"to": to.escape(), "truncated": truncated}))
        },
        Body::FileChmod { path, mode, result, truncated } => Row {
            path: Some(path.escape()),
            result: Some(*result),
            ..rest("file_chmod", &json!({"mode": mode, "truncated": truncated}))
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
        _ => "agent_started",
    };
    Row { kind, rest: serde_json::to_string(body).ok(), ..Row::default() }
}

fn rest(kind: &'static str, more: &serde_json::Value) -> Row {
    Row { kind, rest: Some(more.to_string()), ..Row::default() }
}

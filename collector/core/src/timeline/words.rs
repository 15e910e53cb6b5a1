//! Facts as short sentences. Takes one event, entry or record; gives who and what. Attacker-chosen text is escaped and kept apart from our own.

use super::{powers, reached};
use crate::custody::{Kind, Record};
use crate::model::event::{Entry, Exec, Flow, Raw};
use crate::model::{Actor, AuditEntry, Body, NodeEvent};
use crate::playbook::{Outcome, Plan, Status};

/// A quoted command longer than this is cut; the whole one stands in the evidence.
const MAX_QUOTE: usize = 240;

/// Who did it.
pub(super) fn actor(event: &NodeEvent) -> String {
    match &event.actor {
        Some(actor) => format!("{} (pid {}, uid {})", actor.executable, actor.process.pid, actor.uid),
        None => format!("agent on {}", event.node),
    }
}

/// What happened, and what of it was chosen by whoever did it. `None`: nothing that a person reads a line about.
pub(super) fn event(event: &NodeEvent) -> Option<(String, String)> {
    let (what, quoted) = happened(event)?;
    Some((if event.attempt { tried(&what) } else { what }, quoted))
}

/// Of what was done, that it was tried: whether the kernel let it is not known.
fn tried(what: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("changed", "change"),
        ("deleted", "delete"),
        ("linked", "link"),
        ("made", "make"),
        ("opened", "open"),
        ("renamed", "rename"),
        ("set", "set"),
        ("wrote", "write"),
    ];
    let (first, rest) = what.split_once(' ').unwrap_or((what, ""));
    match WORDS.iter().find(|(done, _)| *done == first) {
        Some((_, word)) => format!("tried to {word} {rest}").trim_end().to_owned(),
        None => format!("tried this, and was perhaps refused: {what}"),
    }
}

/// The other name of a file, by which it is known.
fn known_as(alias: &Raw) -> String {
    if alias.0.is_empty() { String::new() } else { format!(", which is {alias}") }
}

fn happened(event: &NodeEvent) -> Option<(String, String)> {
    let said = |what: &str, quoted: String| Some((what.to_owned(), cut(&quoted)));
    match &event.body {
        Body::Fork { .. } | Body::Exit { .. } => None,
        Body::Exec(exec) => Some(ran(exec, event.actor.as_ref())),
        Body::FileOpen { path, sensitive, result, alias, repeats, .. } => {
            let tried = if *result < 0 { "tried to open" } else { "opened" };
            let kind = if sensitive.is_empty() { String::new() } else { format!(" ({})", sensitive.replace('_', " ")) };
            let more = repeats.map_or_else(String::new, |again| format!(" {} more times", again.count));
            said(&format!("{tried} a file{kind}{more}"), format!("{path}{}", known_as(alias)))
        }
        Body::FileUnlink { path, .. } => said("deleted", path.escape()),
        Body::FileRename { from, to, .. } => said("renamed", format!("{from} → {to}")),
        Body::FileChmod { path, mode, .. } => said(&format!("set mode {mode:o} on"), path.escape()),
        Body::Connect { flow, established, metadata_service, api_server } => {
            let tried = if *established { "connected to" } else { "tried to connect to" };
            let whom = match (metadata_service, api_server) {
                (true, _) => " the instance metadata service",
                (_, true) => " the Kubernetes API server",
                _ => "",
            };
            said(&format!("{tried}{whom}"), remote(flow))
        }
        Body::Accept { flow } => said("was connected to from", remote(flow)),
        Body::Close { flow, sent, received, .. } => said(
            &format!("closed a connection after sending {} and receiving {}", size(*sent), size(*received)),
            remote(flow),
        ),
        Body::DatagramFlow { flow, .. } => said("sent a datagram to", remote(flow)),
        Body::FileChange(change) => Some(reached::file(change)),
        Body::Dns(dns) => Some(reached::dns(dns)),
        Body::ClientHello(hello) => Some(reached::hello(hello)),
        Body::Socket(used) => Some(reached::socket(used)),
        Body::Privilege(privilege) => {
            let (did, facts) = powers::privilege(privilege);
            said(&did, facts)
        }
        Body::Kernel(change) => {
            let (did, facts) = powers::change(change);
            said(&did, facts)
        }
        Body::ContainerSeen(container) => said("saw a container begin", container.name.clone()),
        Body::ContainerGone { container_id } => said("saw a container end", short(container_id)),
        Body::Loss { class, reason, count, .. } => {
            said(&format!("lost {count} records of class {class}: {}", reason.replace('_', " ")), String::new())
        }
        told => agent(told),
    }
}

/// What the agent itself did.
fn agent(body: &Body) -> Option<(String, String)> {
    let said = |what: &str, quoted: String| Some((what.to_owned(), cut(&quoted)));
    match body {
        Body::Trigger(trigger) => {
            let did = match trigger.action.as_str() {
                "stopped_in_kernel" => "matched a rule and was stopped in the kernel",
                "stopped" => "matched a rule and was stopped",
                "captured" => "matched a rule and was captured",
                "gone" => "matched a rule and had ended before it could be stopped",
                _ => "matched a rule",
            };
            said(did, trigger.rule_title.clone())
        }
        Body::CaptureSealed { artifacts, failed, latency_ns, .. } => {
            let failed = if *failed == 0 { String::new() } else { format!(", {failed} could not be had") };
            let sealed = if *artifacts == 1 { "1 artifact".to_owned() } else { format!("{artifacts} artifacts") };
            let did = format!("sealed {sealed}{failed}, {} ms after the trigger", latency_ns / 1_000_000);
            said(&did, String::new())
        }
        Body::Accounting(_) => said("told what became of everything that it saw", String::new()),
        Body::Coverage(coverage) => {
            let silent: Vec<&str> = coverage.silent().collect();
            said("looked whether its hooks work", format!("no record of known calls at {}", silent.join(", ")))
        }
        Body::AgentStarted { version, replay, .. } => {
            let what = if *replay { "began to replay a recorded run" } else { "began to watch" };
            said(what, format!("version {version}"))
        }
        _ => None,
    }
}

/// How a process came into its container, where that is worth a word.
fn way_in(actor: Option<&Actor>) -> String {
    let Some(actor) = actor.filter(|actor| !actor.in_host_mounts) else { return String::new() };
    match (actor.entry, &actor.entered) {
        (Entry::RuntimeExec, _) => ", brought into the container by its runtime".to_owned(),
        (Entry::CriExec, _) => {
            ", brought into the container over the runtime interface (kubectl exec or a probe)".to_owned()
        }
        (Entry::Namespace, Some(id)) => format!(", from outside in the file system of container {}", short(id)),
        (Entry::Namespace, None) => ", having come into the container without its runtime".to_owned(),
        (Entry::None | Entry::InitTree | Entry::Unknown, _) => String::new(),
    }
}

/// A program that began, and its command line.
fn ran(exec: &Exec, actor: Option<&Actor>) -> (String, String) {
    let arguments: Vec<String> = exec.arguments.iter().map(Raw::escape).collect();
    let what = match (exec.memfd, exec.upper_layer) {
        (true, _) => "ran a program from memory",
        (false, true) => "ran a program that is not in the image",
        (false, false) if !exec.script.0.is_empty() => "ran a script",
        (false, false) => "ran",
    };
    let stopped = if exec.stopped_in_kernel { "; the kernel stopped it before its first instruction" } else { "" };
    (format!("{what}{}{stopped}", way_in(actor)), cut(&arguments.join(" ")))
}

/// The caller as `CloudTrail` names it.
pub(super) fn cloud_caller(entry: &AuditEntry) -> String {
    let arn = entry.text(&["userIdentity", "arn"]).or_else(|| entry.text(&["userIdentity", "invokedBy"]));
    let name = arn.map(|arn| arn.splitn(6, ':').last().unwrap_or(arn));
    clean(name.unwrap_or("a caller that the log does not name"))
}

/// The caller as the API server names it.
pub(super) fn cluster_caller(entry: &AuditEntry) -> String {
    clean(entry.text(&["user", "username"]).unwrap_or("a caller that the log does not name"))
}

/// What a record of the journal says to a reader of the report. `None`: housekeeping.
pub(super) fn record(record: &Record) -> Option<String> {
    let text = |key: &str| record.body.get(key).and_then(|value| value.as_str()).map(clean);
    let outcome = || serde_json::from_value::<Outcome>(record.body.clone()).ok();
    Some(match record.kind {
        Kind::CaseOpened => "opened the case".to_owned(),
        Kind::CaseClosed => "closed the case".to_owned(),
        Kind::PlanProposed => {
            let plan = serde_json::from_value::<Plan>(record.body.clone()).ok();
            let steps = plan.map(|plan| format!(" of {} steps, digest {}", plan.steps.len(), short(&plan.digest)));
            format!("proposed a plan{}", steps.unwrap_or_default())
        }
        Kind::Approval if text("decision").as_deref() == Some("deny") => "denied the plan".to_owned(),
        Kind::Approval => format!(
            "approved the plan{}",
            text("plan_digest").map(|digest| format!(" {}", short(&digest))).unwrap_or_default()
        ),
        Kind::Refusal => {
            format!("was refused an approval{}", text("reason").map(|why| format!(": {why}")).unwrap_or_default())
        }
        Kind::ActionDone | Kind::ActionFailed | Kind::Undone => {
            let outcome = outcome()?;
            let how = match outcome.status {
                Status::Done => "and saw that it worked".to_owned(),
                other => format!("– {other}"),
            };
            format!("{}: {} {how}", outcome.target, lower(outcome.action.title()))
        }
        Kind::Acknowledged => "took the case".to_owned(),
        Kind::Waived => "waived the sealing of evidence".to_owned(),
        Kind::Received => "received a capture and compared its hashes".to_owned(),
        Kind::Exported => "exported the evidence".to_owned(),
        Kind::Loss => "noted that something is missing".to_owned(),
        Kind::Finding
        | Kind::CaseChanged
        | Kind::ActionStarted
        | Kind::Collected
        | Kind::Verified
        | Kind::Accessed
        | Kind::Derived
        | Kind::Refused
        | Kind::Started => return None,
    })
}

/// `1.5 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

pub(super) fn remote(flow: &Flow) -> String {
    if flow.remote.is_ipv6() {
        format!("[{}]:{}", flow.remote, flow.remote_port)
    } else {
        format!("{}:{}", flow.remote, flow.remote_port)
    }
}

fn clean(text: &str) -> String {
    cut(&Raw(text.as_bytes().to_vec()).escape())
}

pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_QUOTE {
        return text.to_owned();
    }
    text.chars().take(MAX_QUOTE).chain(" … (cut)".chars()).collect()
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn lower(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::tried;

    #[test]
    fn what_was_only_tried_is_not_told_as_done() {
        assert_eq!(tried("deleted"), "tried to delete");
        assert_eq!(tried("set mode 755 on"), "tried to set mode 755 on");
        assert_eq!(tried("traced a process"), "tried this, and was perhaps refused: traced a process");
    }
}

//! `mayfly events`: what the nodes saw, one line an event.

use anyhow::Result;
use clap::Args;
use collector_core::model::event::{Account, Actor, Entry, Exec, Raw};
use collector_core::model::fact::Named;
use collector_core::model::file::Repeats;
use collector_core::model::{Body, NodeEvent};
use proto::words::GAP;
use serde_json::Value;

use super::client::{Client, quote};
use super::say::{self, list as items};

/// Which events.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Of this node.
    #[arg(long)]
    node: Option<String>,
    /// In the container of this full id.
    #[arg(long)]
    container: Option<String>,
    /// Of this kind: `exec`, `file_open`, `connect`, … Another word is answered with all of them.
    #[arg(long)]
    kind: Option<String>,
    /// Not earlier than this: `2026-11-21T18:10:23Z`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<u64>,
    /// Not later than this.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<u64>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

pub(super) fn moment(text: &str) -> Result<u64, String> {
    let moment: jiff::Timestamp = text.parse().map_err(|error| format!("{error}; write 2026-11-21T18:10:23Z"))?;
    u64::try_from(moment.as_nanosecond()).map_err(|_| "before 1970".to_owned())
}

/// Prints them.
pub(crate) async fn show(client: &Client, wanted: &Wanted, json: bool) -> Result<()> {
    let mut query = format!("/events?limit={}", wanted.limit);
    for (name, value) in [("node", &wanted.node), ("container", &wanted.container), ("kind", &wanted.kind)] {
        if let Some(value) = value {
            query.extend(["&", name, "=", &quote(value)]);
        }
    }
    for (name, value) in [("from", wanted.from), ("to", wanted.to)] {
        if let Some(value) = value {
            query.extend(["&", name, "=", &value.to_string()]);
        }
    }
    let answer = client.get(&query).await?;
    if json {
        return say::json(&answer);
    }
    for event in items(&answer, "/events") {
        if let Ok(event) = serde_json::from_value::<NodeEvent>(event.clone()) {
            say::line(&one_line(&event))?;
        }
    }
    if answer.get("more").and_then(Value::as_bool) == Some(true) {
        say::line("… there are more: raise --limit, or narrow the question with --from and --to")?;
    }
    Ok(())
}

fn one_line(event: &NodeEvent) -> String {
    let actor =
        event.actor.as_ref().map_or(String::new(), |actor| format!("{} {}", actor.process.pid, actor.executable));
    let place = event.container().map_or("-", |id| id.get(..12).unwrap_or(id));
    let what = what(event);
    let what = if event.attempt { format!("tried to {}", what.trim_end_matches(" = 0")) } else { what };
    format!("{}  {:<12} {:<12} {actor}  {what}", event.time, event.node, place)
}

/// The end of arguments of which the middle is missing, and what is known of all.
fn cut(exec: &Exec) -> String {
    if !exec.arguments_truncated {
        return String::new();
    }
    let hash = if exec.arguments_sha256.is_empty() { "" } else { ", sha256 " };
    format!("{GAP}{} [{} bytes{hash}{}]", exec.arguments_end, exec.argument_bytes, exec.arguments_sha256)
}

/// An open, with the other name by which the file is sensitive.
fn opened(path: &Raw, alias: &Raw, sensitive: &str, result: i32, repeats: Option<Repeats>) -> String {
    let alias = if alias.0.is_empty() { String::new() } else { format!(" ({alias})") };
    let how = repeats.map_or_else(|| format!("= {result}"), |again| format!("{} more times", again.count));
    format!("open {path}{alias} {sensitive} {how}")
}

fn ran(exec: &Exec, actor: Option<&Actor>) -> String {
    let words: Vec<String> = exec.arguments.iter().map(Raw::escape).collect();
    let marks = [
        (actor.is_some_and(|actor| actor.entry == Entry::CriExec), " [over the runtime interface]"),
        (actor.is_some_and(|actor| actor.entry == Entry::RuntimeExec), " [by the runtime]"),
        (actor.is_some_and(|actor| actor.entry == Entry::Namespace), " [entered without the runtime]"),
        (exec.memfd, " [memory]"),
        (exec.upper_layer, " [writable layer]"),
        (exec.links == 0, " [deleted]"),
        (exec.stopped_in_kernel, " [stopped]"),
    ];
    let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    let script = if exec.script.0.is_empty() { String::new() } else { format!(" [script {}]", exec.script) };
    format!("exec {}: {}{}{script}{marks}", exec.path, words.join(" "), cut(exec))
}

fn what(event: &NodeEvent) -> String {
    match &event.body {
        Body::Fork { child } => format!("fork {}", child.pid),
        Body::Exec(exec) => ran(exec, event.actor.as_ref()),
        Body::Exit { code, signal: 0 } => format!("exit {code}"),
        Body::Exit { signal, .. } => format!("killed by signal {signal}"),
        Body::FileOpen { path, sensitive, result, alias, repeats, .. } => {
            opened(path, alias, sensitive, *result, *repeats)
        }
        Body::FileUnlink { path, result, .. } => format!("unlink {path} = {result}"),
        Body::FileRename { from, to, result, .. } => format!("rename {from} to {to} = {result}"),
        Body::FileChmod { path, mode, result, .. } => format!("chmod {mode:o} {path} = {result}"),
        Body::Connect { flow, .. } => format!("connect {}:{}", flow.remote, flow.remote_port),
        Body::Accept { flow } => format!("accept {}:{}", flow.remote, flow.remote_port),
        Body::Close { flow, sent, received, .. } => {
            format!("close {}:{} sent {sent} received {received}", flow.remote, flow.remote_port)
        }
        Body::DatagramFlow { flow, .. } => format!("udp {}:{}", flow.remote, flow.remote_port),
        Body::FileChange(_) | Body::Dns(_) | Body::ClientHello(_) | Body::Socket(_) => reached(&event.body),
        Body::Privilege(privilege) => facts(privilege.kind(), &privilege.facts(), privilege.result()),
        Body::Kernel(change) => facts(change.kind(), &change.facts(), change.result()),
        Body::ContainerSeen(seen) => {
            format!("container {} {}/{} {}", seen.runtime, seen.pod_namespace, seen.pod_name, seen.image)
        }
        Body::ContainerGone { container_id } => format!("container gone {container_id}"),
        Body::Loss { class, reason, count, .. } => format!("LOST {count} {class} events: {reason}"),
        Body::Trigger(trigger) => format!("rule {}: {}", trigger.rule_title, say::words(&trigger.action)),
        Body::CaptureSealed { capture_id, artifacts, failed, .. } => {
            format!("sealed capture {capture_id}: {artifacts} artifacts, {failed} not had")
        }
        Body::Accounting(told) => {
            let sum = |count: fn(&Account) -> u64| told.accounts.iter().map(count).sum::<u64>();
            format!(
                "accounts: {} seen, {} told, {} throttled",
                sum(|it| it.seen),
                sum(|it| it.told),
                sum(|it| it.throttled)
            )
        }
        Body::Coverage(coverage) => {
            let (all, silent) = (coverage.hooks.len(), coverage.silent().count());
            let attached = coverage.hooks.iter().filter(|hook| !hook.tier.is_empty()).count();
            format!("coverage: {attached} of {all} hooks attached, {silent} silent")
        }
        Body::AgentStarted { version, kernel_release, .. } => format!("agent {version} started on {kernel_release}"),
    }
}

fn facts(kind: &str, facts: &[Named<'_>], result: Option<i32>) -> String {
    let result = result.map_or(String::new(), |result| format!(" = {result}"));
    format!("{} {}{result}", say::words(kind), named(facts))
}

fn named(facts: &[Named<'_>]) -> String {
    let facts: Vec<String> = facts.iter().map(|(name, fact)| format!("{name} {fact}")).collect();
    facts.join(" ")
}

/// Files changed, names asked for, sockets used.
fn reached(body: &Body) -> String {
    match body {
        Body::FileChange(change) => {
            format!("{} {} = {}", named(&change.facts()), change.path, change.result)
        }
        Body::Dns(dns) => format!("dns {} {}", dns.flow.remote, named(&dns.facts())),
        Body::ClientHello(hello) => {
            format!("tls {}:{} {}", hello.flow.remote, hello.flow.remote_port, hello.server_name)
        }
        Body::Socket(used) => {
            let flow = used.flow.map_or(String::new(), |flow| {
                format!("{}:{} {}:{} ", flow.local, flow.local_port, flow.remote, flow.remote_port)
            });
            format!("socket {flow}{} = {}", named(&used.facts()), used.result)
        }
        _ => String::new(),
    }
}

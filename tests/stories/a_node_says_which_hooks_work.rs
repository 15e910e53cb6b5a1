//! An agent tries its own hooks: known calls are made, their records are waited for, and what came of it reaches the collector, where it says by
//! which way each event came in.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::agent::{Agent, NODE};
use tests::world::collector::Collector;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

/// Hooks whose known calls need nothing that a machine could lack.
const TRIED: [&str; 29] = [
    "fork",
    "exec",
    "exit",
    "cgroup_made",
    "cgroup_gone",
    "open",
    "chmod",
    "owner",
    "times",
    "truncate",
    "copy",
    "link",
    "make",
    "rename",
    "unlink",
    "tcp",
    "accept",
    "datagram",
    "bind",
    "listen",
    "connect",
    "socket",
    "credentials",
    "reach",
    "root",
    "mount",
    "bpf",
    "perf_event",
    "tamper",
];
/// And those whose calls a small machine may not allow: they are seen, or it is said why not.
const ALLOWED: [&str; 4] = ["attribute", "payload", "namespaces", "sysctl"];

#[test]
fn a_node_says_which_hooks_work() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("coverage")?;
    let collector = Collector::start(&place, None)?;
    let agent = Agent::with(&place, &collector, "[canary]\nevery = \"1s\"")?;
    let hooks = eventually("the coverage of the node at the collector", Duration::from_secs(30), || {
        let events = collector.ask(&["events", "--node", NODE, "--limit", "5000"])?;
        Ok(told(&events).filter(|hooks| TRIED.iter().all(|name| canary(hooks, name) == Some("seen"))).cloned())
    })
    .with_context(|| agent.printed())?;
    for name in ALLOWED {
        let why = said(&hooks, name, "canary_why").unwrap_or_default();
        assert!(canary(&hooks, name) == Some("seen") || !why.is_empty(), "{name}: {:?}", canary(&hooks, name));
    }
    for hook in hooks.as_array().context("hooks")? {
        let untried = hook["canary"] == "untried" && hook["tier"] != "";
        assert!(!untried || hook["canary_why"] != "", "nobody says why {} is not tried", hook["name"]);
        println!("{} {} {} {}", hook["name"], hook["canary"], hook["canary_why"], hook["absent"]);
    }
    let canary = canary_of(&agent)?;
    let events = collector.ask(&["events", "--node", NODE, "--limit", "5000"])?;
    for event in events["events"].as_array().context("events")? {
        let own = event.pointer("/actor/process/pid").and_then(Value::as_u64) == Some(canary);
        // The agent knows its canary from the moment at which it answers: how it came into being is told.
        // What a rule says of that is its begin too: a test's programs lie where anybody may write.
        let is_begin = ["fork", "exec", "trigger"].iter().any(|what| event["body"]["what"] == *what);
        assert!(!own || is_begin, "what the canary does is no event: {event}");
        assert!(!event.to_string().contains("mayfly-canary-"), "{event}");
    }
    let coverage = collector.ask(&["coverage", "--node", NODE])?;
    let tier = said(&coverage["coverage"]["hooks"], "exec", "tier").context("the tier of exec")?;
    let execs = collector.ask(&["events", "--node", NODE, "--kind", "exec"])?;
    let execs = execs["events"].as_array().context("events")?;
    assert!(!execs.is_empty() && execs.iter().all(|event| event["tier"] == tier), "{tier}: {execs:?}");
    eventually("the agent to say that it is ready", Duration::from_secs(30), || {
        let mut ready = Command::new(place.program("mayfly-agent"));
        let said = ready.arg("ready").arg("--config").arg(&agent.configuration).output()?;
        Ok(said.status.success().then_some(()))
    })?;
    Ok(())
}

/// The canary's pid: the agent has no other child that stays.
fn canary_of(agent: &Agent) -> Result<u64> {
    let pid = agent.process.as_ref().context("the agent runs")?.id();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = std::fs::read_to_string(task?.path().join("children"))?;
        if let Some(child) = children.split_whitespace().next() {
            return Ok(child.parse()?);
        }
    }
    anyhow::bail!("the agent has no canary")
}

/// The hooks of the newest coverage among the events.
fn told(events: &Value) -> Option<&Value> {
    let all = events.get("events")?.as_array()?;
    all.iter().rev().find_map(|event| event.pointer("/body/hooks").filter(|_| event["body"]["what"] == "coverage"))
}

fn canary<'a>(hooks: &'a Value, name: &str) -> Option<&'a str> {
    said(hooks, name, "canary")
}

fn said<'a>(hooks: &'a Value, name: &str, what: &str) -> Option<&'a str> {
    hooks.as_array()?.iter().find(|hook| hook["name"] == name)?[what].as_str()
}

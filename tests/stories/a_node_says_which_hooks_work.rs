//! An agent tries its own hooks: known calls are made, their records are waited for, and what came of it reaches the collector.

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
const TRIED: [&str; 8] = ["fork", "exec", "exit", "open", "unlink", "rename", "tcp", "datagram"];

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
    for name in TRIED {
        assert_eq!(canary(&hooks, name), Some("seen"), "{name}");
    }
    let events = collector.ask(&["events", "--node", NODE, "--limit", "5000"])?.to_string();
    assert!(!events.contains("mayfly-canary-"), "what the canary does is no event");
    eventually("the agent to say that it is ready", Duration::from_secs(30), || {
        let mut ready = Command::new(place.program("mayfly-agent"));
        let said = ready.arg("ready").arg("--config").arg(&agent.configuration).output()?;
        Ok(said.status.success().then_some(()))
    })?;
    Ok(())
}

/// The hooks of the newest coverage among the events.
fn told(events: &Value) -> Option<&Value> {
    let all = events.get("events")?.as_array()?;
    all.iter().rev().find_map(|event| event.pointer("/body/hooks").filter(|_| event["body"]["what"] == "coverage"))
}

fn canary<'a>(hooks: &'a Value, name: &str) -> Option<&'a str> {
    hooks.as_array()?.iter().find(|hook| hook["name"] == name)?["canary"].as_str()
}

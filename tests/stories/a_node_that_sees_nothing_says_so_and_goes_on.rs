//! An agent on a kernel whose types are not known: no hook can be attached. It runs, says so to whoever asks, and stays in touch.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ebpf_common::hook::HOOKS;
use serde_json::Value;
use tests::world::agent::{Agent, NODE};
use tests::world::collector::Collector;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

const UNKNOWN: &str = "/nonexistent/types";

#[test]
fn a_node_that_sees_nothing_says_so_and_goes_on() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("blind")?;
    let collector = Collector::start(&place, None)?;
    let settings = format!("[kernel]\nbtf = \"{UNKNOWN}\"\n\n[canary]\nevery = \"1s\"");
    let mut agent = Agent::with(&place, &collector, &settings)?;
    is_none(&told(&collector, 1).with_context(|| agent.printed())?)?;
    eventually("the agent to say that it is not ready", Duration::from_secs(30), || {
        let mut ready = Command::new(place.program("mayfly-agent"));
        let said = ready.arg("ready").arg("--config").arg(&agent.configuration).output()?;
        let why = String::from_utf8(said.stderr)?;
        Ok((!said.status.success() && why.contains("exec has no hook") && why.contains(UNKNOWN)).then_some(()))
    })?;
    // The next agent says it again, and that arrives too: the log and the way to the collector need no program in the kernel.
    agent.process.take().context("an agent")?.stop(Duration::from_secs(10))?;
    agent.up()?;
    is_none(&told(&collector, 2).with_context(|| agent.printed())?)
}

/// The newest coverage of the node, once it told this many.
fn told(collector: &Collector, many: usize) -> Result<Value> {
    eventually("the coverage of the node at the collector", Duration::from_secs(30), || {
        let events = collector.ask(&["events", "--node", NODE, "--limit", "5000"])?;
        let all = events["events"].as_array().context("a list of events")?;
        let coverage: Vec<&Value> = all.iter().filter(|event| event["body"]["what"] == "coverage").collect();
        Ok((coverage.len() >= many).then(|| coverage.last().map(|event| event["body"].clone())).flatten())
    })
}

fn is_none(coverage: &Value) -> Result<()> {
    let hooks = coverage["hooks"].as_array().context("a list of hooks")?;
    ensure!(hooks.len() == HOOKS.len(), "a hook is left out: {hooks:?}");
    for hook in hooks {
        let why = hook["refusal"].as_str().unwrap_or_default();
        ensure!(hook["tier"] == "" && why.contains(UNKNOWN), "{hook}");
    }
    ensure!(coverage["ready"] == false, "{coverage}");
    Ok(())
}

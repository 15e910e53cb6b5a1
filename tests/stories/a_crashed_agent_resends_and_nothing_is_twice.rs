//! kill -9 of the agent and of the collector in the middle of it: what was written is sent again from the last acknowledgement, and nothing
//! is there twice.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::incident::{Incident, PATIENCE};
use tests::world::program::eventually;

use crate::skip;

#[test]
fn a_crashed_agent_resends_and_nothing_is_twice() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let mut incident = Incident::prepare("kill", 0)?;
    mark(&incident, "before-everything");
    incident.collector.process.take().context("a collector")?.kill()?;
    mark(&incident, "collector-away");
    std::thread::sleep(std::time::Duration::from_millis(700));
    incident.agent.process.take().context("an agent")?.kill()?;
    incident.agent.up()?;
    mark(&incident, "agent-again");
    incident.collector.up()?;
    for marker in ["before-everything", "collector-away", "agent-again"] {
        eventually(marker, PATIENCE, || {
            Ok(incident.events()?.iter().any(|event| event.to_string().contains(marker)).then_some(()))
        })?;
    }
    let answer = incident.collector.ask(&["events", "--limit", "10000"])?;
    let events = answer["events"].as_array().cloned().unwrap_or_default();
    let place = |event: &Value| (event["log_id"].as_str().map(str::to_owned), event["position"].as_u64());
    let places: BTreeSet<_> = events.iter().map(place).collect();
    assert_eq!(places.len(), events.len(), "an event is there twice");
    for marker in ["before-everything", "collector-away", "agent-again"] {
        let execs = events.iter().filter(|event| is_exec_of(event, marker)).count();
        assert_eq!(execs, 1, "{marker} was run once and is there {execs} times");
    }
    Ok(())
}

fn is_exec_of(event: &Value, marker: &str) -> bool {
    event.pointer("/body/what").and_then(Value::as_str) == Some("exec")
        && event
            .pointer("/body/path")
            .and_then(Value::as_str)
            .is_some_and(|path| path.ends_with("busybox") || path.ends_with("/ls"))
        && event.pointer("/body/arguments").is_some_and(|words| words.to_string().contains(marker))
}

fn mark(incident: &Incident, marker: &str) {
    // `ls` of a path that is not there fails, and that it ran is all that is wanted.
    incident.attack.container.exec(&["ls", &format!("/{marker}")]).ok();
}

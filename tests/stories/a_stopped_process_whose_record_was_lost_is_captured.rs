//! The kernel stops a program in memory while the agent is held and the ring is full, so the record of it is lost. The agent finds the
//! process, tells it from `/proc`, captures it as usual, and lets it go when its hold is over.

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::world::incident::{Incident, PATIENCE, Respond};
use tests::world::program::eventually;

use crate::bundle::Bundle;
use crate::skip;

/// Execs with sixteen KiB of arguments: three times what the ring of processes holds.
const FLOOD: &str = "x=aaaaaaaa; i=0; while [ $i -lt 11 ]; do x=$x$x; i=$((i+1)); done; \
                     i=0; while [ $i -lt 1500 ]; do /bin/true $x; i=$((i+1)); done";

#[test]
fn a_stopped_process_whose_record_was_lost_is_captured() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident =
        Incident::with("stop", 0, |_| Ok(Respond { agent: "hold = \"2s\"".to_owned(), ..Respond::default() }))?;
    let ran = incident.attack.container.upper().join("tmp/second-stage-ran");
    let agent = incident.agent.process.as_ref().context("an agent")?;
    agent.signal(Signal::SIGSTOP)?;
    let flooded = incident.attack.container.exec(&["sh", "-c", FLOOD]);
    incident.strike();
    let was_stopped = !ran.exists();
    agent.signal(Signal::SIGCONT)?;
    flooded?;
    assert!(was_stopped, "the kernel did not stop the second stage");

    let id = incident.case()?;
    let told = eventually("the exec from /proc", PATIENCE, || {
        let events = incident.events()?;
        Ok(events.into_iter().map(|event| event.to_string()).find(|event| event.contains("\"from_proc\":true")))
    })?;
    assert!(told.contains("/memfd:"), "another exec was lost: {told}");
    eventually("the program in memory among the evidence", PATIENCE, || {
        let path = incident.place.path("bundle.zip");
        incident.collector.show(&["evidence", "export", &id, "--out", &path.display().to_string()])?;
        let statements = Bundle::read(&path)?.statements()?;
        Ok(statements.iter().any(has_program).then_some(()))
    })
    .with_context(|| incident.agent.printed())?;
    eventually("it to go on after its hold", PATIENCE, || Ok(ran.exists().then_some(())))?;
    Ok(())
}

fn has_program(statement: &Value) -> bool {
    let artifacts = statement.pointer("/predicate/artifacts").and_then(Value::as_array);
    let is_it = |artifact: &Value| {
        artifact["kind"] == "executable" && artifact["name"].as_str().is_some_and(|name| name.contains("/memfd:"))
    };
    artifacts.into_iter().flatten().any(is_it)
}

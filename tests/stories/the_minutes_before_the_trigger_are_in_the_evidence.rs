//! What happened before the rule matched is sealed with it: the recording that the node signed holds positions from before the trigger.

use anyhow::{Context, Result};
use tests::world::incident::{Incident, PATIENCE};
use tests::world::program::eventually;

use crate::bundle::Bundle;
use crate::skip;

#[test]
fn the_minutes_before_the_trigger_are_in_the_evidence() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident = Incident::prepare("befo", 4)?;
    incident.attack.container.exec(&["ls", "/before-the-trigger"]).ok();
    incident.strike();
    let id = incident.case()?;
    let before = eventually("the event before", PATIENCE, || {
        let events = incident.events()?;
        let marked = events.iter().find(|event| event.to_string().contains("before-the-trigger"));
        Ok(marked.and_then(|event| event["position"].as_u64()))
    })?;
    let bundle = eventually("a recording in the bundle", PATIENCE, || {
        let path = incident.place.path("bundle.zip");
        incident.collector.show(&["evidence", "export", &id, "--out", &path.display().to_string()])?;
        let bundle = Bundle::read(&path)?;
        let sealed = bundle.statements()?.iter().any(|statement| holds(statement, before));
        let arrived = bundle.names().any(|name| name.contains("recorder"));
        Ok((sealed && arrived).then_some(bundle))
    })?;
    let recorder = bundle.names().find(|name| name.contains("recorder")).context("a recording among the artifacts")?;
    assert!(bundle.files[recorder].len() > 100, "the recording is empty");
    Ok(())
}

fn holds(statement: &serde_json::Value, position: u64) -> bool {
    let at = |name: &str| statement.pointer(&format!("/predicate/recorder/{name}")).and_then(serde_json::Value::as_u64);
    at("firstPosition").zip(at("lastPosition")).is_some_and(|(first, last)| first <= position && position <= last)
}

//! Containers end before anybody looks: one that lived fifty milliseconds has its execs, its exits, and its pod.

use anyhow::Result;
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::incident::PATIENCE;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

#[test]
fn a_container_that_lived_50_ms_is_attributed() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("shrt")?;
    let collector = Collector::start(&place, None)?;
    let _agent = Agent::start(&place, &collector)?;
    let id = format!("{:064x}", u128::from(std::process::id()) + 0x50);
    let arguments = ["sleep", "0.05"].map(str::to_owned).to_vec();
    let wanted =
        Wanted { id: id.clone(), pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" };
    Container::start(&place, &wanted)?.wait()?;
    let events = || -> Result<Vec<Value>> {
        let answer = collector.ask(&["events", "--container", &id, "--limit", "1000"])?;
        Ok(answer["events"].as_array().cloned().unwrap_or_default())
    };
    let what = |event: &Value, wanted: &str| event.pointer("/body/what").and_then(Value::as_str) == Some(wanted);
    eventually("the exec with its arguments, and an exit of the same process", PATIENCE, || {
        let events = events()?;
        let ran =
            |event: &&Value| what(event, "exec") && event.pointer("/body/arguments/1") == Some(&Value::from("0.05"));
        let Some(ran) = events.iter().find(ran) else { return Ok(None) };
        let ended =
            |event: &Value| what(event, "exit") && event.pointer("/actor/process") == ran.pointer("/actor/process");
        Ok(events.iter().any(ended).then_some(()))
    })?;
    // Plain runc keeps a container's bundle, where its names stand, no longer than the container.
    eventually("its pod", PATIENCE, || {
        let all = collector.ask(&["events", "--limit", "10000"])?;
        let seen = all["events"].as_array().into_iter().flatten().any(|event| {
            event.pointer("/body/container_id").and_then(Value::as_str) == Some(&id)
                && event.pointer("/body/pod_uid").and_then(Value::as_str) == Some(&Pod::shop().uid)
        });
        Ok(seen.then_some(()))
    })
}

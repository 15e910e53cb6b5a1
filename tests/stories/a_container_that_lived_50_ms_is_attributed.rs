//! Containers end before anybody looks: one that lived fifty milliseconds has its execs, its exits, its pod by name, and its image.

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::container::{Container, IMAGE, Pod, Wanted};
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
    let events = eventually("its exec and its exit", PATIENCE, || {
        let answer = collector.ask(&["events", "--container", &id, "--limit", "1000"])?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let has =
            |what: &str| events.iter().any(|event| event.pointer("/body/what").and_then(Value::as_str) == Some(what));
        Ok((has("exec") && has("exit")).then_some(events))
    })?;
    let ran = |event: &&Value| event.to_string().contains("0.05");
    events.iter().find(ran).context("the exec with its arguments")?;
    let pod = Pod::shop();
    let names = [
        ("/body/pod_uid", pod.uid.as_str()),
        ("/body/pod_name", &pod.name),
        ("/body/pod_namespace", &pod.namespace),
        ("/body/image", IMAGE),
    ];
    eventually("its pod and its image", PATIENCE, || {
        let answer = collector.ask(&["events", "--container", &id, "--limit", "1000"])?;
        let mut events = answer["events"].as_array().into_iter().flatten();
        let named = events
            .any(|event| names.iter().all(|(place, name)| event.pointer(place).and_then(Value::as_str) == Some(name)));
        Ok(named.then_some(()))
    })
}

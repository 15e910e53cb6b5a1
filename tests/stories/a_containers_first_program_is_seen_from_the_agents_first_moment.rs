//! A container's first program is not missed because the agent has only just begun: whatever starts after the agent says that it watches is
//! in its log, and its container with it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tests::evasion;
use tests::world::agent::{Agent, tiers};
use tests::world::clock::now;
use tests::world::collector::Collector;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::incident::PATIENCE;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

/// Containers that begin after the agent runs, so that it is not over too soon.
const AFTERWARDS: usize = 3;

#[test]
fn a_containers_first_program_is_seen_from_the_agents_first_moment() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("frst")?;
    let tiers = tiers(&place)?;
    if evasion::begin(27, |hook| tiers.get(hook).cloned()).is_none() {
        return Ok(());
    }
    let collector = Collector::start(&place, None)?;
    let runs = AtomicBool::new(false);
    let (begun, _agent) = std::thread::scope(|scope| {
        let containers = scope.spawn(|| begin_until(&place, &runs));
        let agent = Agent::start(&place, &collector);
        runs.store(true, Ordering::Relaxed);
        let begun = containers.join().map_err(|_| anyhow::anyhow!("the containers' thread panicked"))??;
        Ok::<_, anyhow::Error>((begun, agent?))
    })?;
    let since = eventually("the agent's first word", PATIENCE, || {
        let answer = collector.ask(&["events", "--limit", "100000"])?;
        let mut events = answer["events"].as_array().into_iter().flatten();
        let started = events.find(|event| what(event) == Some("agent_started"));
        Ok(started.and_then(|event| event.pointer("/time/ns").and_then(Value::as_i64)))
    })?;
    let watched = begun.iter().filter(|(_, at)| at.as_nanosecond() > i128::from(since));
    let mut count = 0;
    for (id, _) in watched {
        count += 1;
        eventually("the program in its container", PATIENCE, || {
            let answer = collector.ask(&["events", "--container", id, "--limit", "1000"])?;
            let mut events = answer["events"].as_array().into_iter().flatten();
            let ran = |event: &Value| what(event) == Some("exec") && event.to_string().contains("0.0527");
            Ok(events.any(ran).then_some(()))
        })
        .with_context(|| format!("container {id}"))?;
    }
    ensure!(count >= AFTERWARDS, "only {count} of {} containers began while the agent watched", begun.len());
    Ok(())
}

/// Containers one after the other, until some were begun after the agent ran: their ids, and a moment before each began.
fn begin_until(place: &Place, runs: &AtomicBool) -> Result<Vec<(String, Timestamp)>> {
    let mut begun = Vec::new();
    let mut afterwards = 0;
    while afterwards < AFTERWARDS {
        afterwards += usize::from(runs.load(Ordering::Relaxed));
        let id = format!("{:032x}{:032x}", std::process::id(), 0x527 + begun.len());
        let arguments = ["sleep", "0.0527"].map(str::to_owned).to_vec();
        let wanted =
            Wanted { id: id.clone(), pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" };
        begun.push((id, now()));
        Container::start(place, &wanted)?.wait()?;
    }
    Ok(begun)
}

fn what(event: &Value) -> Option<&str> {
    event.pointer("/body/what").and_then(Value::as_str)
}

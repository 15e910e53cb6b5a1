//! The agent is killed again and again while programs run, each time at another moment of its work. Whatever it told the collector is there
//! once; every position of its log is there, or inside a loss that says so; and what a kill took is told by the next start.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::incident::PATIENCE;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

/// How often it is killed.
const KILLS: u64 = 5;

#[test]
fn an_agent_killed_at_any_moment_goes_on_without_a_hole() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("dead")?;
    let collector = Collector::start(&place, None)?;
    let mut agent = Agent::start(&place, &collector)?;
    for round in 0..KILLS {
        let mut process = agent.process.take().context("an agent")?;
        // Blocks close after 200 ms and are synced every 250: the moments lie before, between and after.
        let moment = Duration::from_millis(3 + round * 97);
        std::thread::scope(|scope| {
            let busy = scope.spawn(|| (0..60).try_for_each(|number| run(&format!("round-{round}-{number}"))));
            std::thread::sleep(moment);
            process.kill()?;
            busy.join().map_err(|_| anyhow::anyhow!("the busy thread panicked"))?
        })?;
        agent.up()?;
    }
    run("the-last-one")?;
    let events = eventually("the last exec", PATIENCE, || {
        let answer = collector.ask(&["events", "--limit", "1000000"])?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        Ok(events.iter().any(|event| event.to_string().contains("the-last-one")).then_some(events))
    })?;

    let mut told: Vec<(u64, &str)> = events.iter().filter_map(start_or_loss).collect();
    told.sort_unstable();
    let words: Vec<&str> = told.iter().map(|(_, word)| *word).collect();
    // A start that was killed within its first block could not even tell that; the one after it speaks for both.
    assert!(words.ends_with(&["torn_write", "agent_started"]), "the last start does not say what was lost: {words:?}");
    assert!(words.iter().filter(|word| **word == "torn_write").count() >= 2, "kills went untold: {words:?}");
    let mut logs: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for event in &events {
        let position = event["position"].as_u64().context("an event has a position")?;
        logs.entry(event["log_id"].as_str().unwrap_or_default()).or_default().push((position, span(event)));
    }
    assert_eq!(logs.len(), 1, "a killed agent began another log");
    for spans in logs.values_mut() {
        spans.sort_unstable();
        let mut next = 1;
        for (position, count) in spans {
            assert_eq!(*position, next, "a position is missing, or there twice");
            next += *count;
        }
    }
    Ok(())
}

/// Where an agent says that it began, or that the one before it ended badly.
fn start_or_loss(event: &Value) -> Option<(u64, &str)> {
    let (body, position) = (&event["body"], event["position"].as_u64()?);
    let word = body["reason"].as_str().filter(|reason| *reason == "torn_write").or(body["what"].as_str())?;
    matches!(word, "torn_write" | "agent_started").then_some((position, word))
}

/// How many positions an event stands for: a loss that the collector found stands for all that it did not receive.
fn span(event: &Value) -> u64 {
    let body = &event["body"];
    let is_hole = body["what"] == "loss" && body["reason"] == "not_received";
    if is_hole { body["count"].as_u64().unwrap_or(1) } else { 1 }
}

fn run(word: &str) -> Result<()> {
    Command::new("/bin/true").arg(word).status().with_context(|| format!("run {word}"))?;
    Ok(())
}

//! From a finding to a quarantine that was looked at: a real attack on a real container, the agent that sees it, the collector that
//! finds, plans and orders, and the agent again, which cuts the container off and probes from inside. Takes the times from the
//! collector's journal and its case.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::attack::Attack;
use tests::world::collector::Collector;
use tests::world::place::Place;
use tests::world::program::{Program, eventually};

use super::{print, quantile};

/// Attacks, each on a world of its own.
const ROUNDS: usize = 3;

pub(crate) fn measure() -> Result<()> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(attack(round)?);
    }
    print("finding to quarantine verified, median", quantile(&mut times, 0.5), "ms", Some(1000.0));
    print("finding to quarantine verified, worst", quantile(&mut times, 1.0), "ms", Some(1000.0));
    Ok(())
}

/// Milliseconds of one attack.
fn attack(round: usize) -> Result<f64> {
    let place = Place::new(&format!("q{round}"))?;
    let collector = Collector::start(&place, None)?;
    let _agent = Agent::start(&place, &collector)?;
    let attack = Attack::prepare(&place, 0)?;
    // What the attacker's shell says does not matter: it may lose its network under it.
    attack.strike().ok();
    let journal = collector.data.join("journal.jsonl");
    let records = eventually("the quarantine", Duration::from_secs(20), || {
        let records = fs::read_to_string(&journal)?;
        let records: Vec<Value> = records.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        Ok(records.iter().any(is_quarantine).then_some(records))
    })
    .with_context(|| collector.process.as_ref().map(Program::printed).unwrap_or_default())?;
    let done = records.iter().find(|record| is_quarantine(record)).context("it is there")?;
    let id = text(done, "/case_id");
    let case = collector.ask(&["case", id])?;
    // When what the case's first finding rests on arrived: the finding is made in that moment, and drawn with others later.
    let found = number(&case, "/case/detected/ns");
    Ok((number(done, "/body/finished/ns").saturating_sub(found)) as f64 / 1e6)
}

fn is_quarantine(record: &Value) -> bool {
    text(record, "/kind") == "action_done" && text(record, "/body/action/action").starts_with("node.net.quarantine")
}

fn text<'a>(record: &'a Value, path: &str) -> &'a str {
    record.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(record: &Value, path: &str) -> u64 {
    record.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

//! Loss is fair and counted: while one container opens, connects and forks as fast as it can, nothing of another is missed, and of the
//! first all is told or counted; the collector adds it up.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::clock::now;
use tests::world::collector::Collector;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::incident::PATIENCE;
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

const ROUNDS: u64 = 60;
const THREADS: u64 = 64;
/// Each flood, and how often each thread does it.
const FLOODS: [(&str, u64); 3] = [("opens", 4_000), ("connects", 400), ("forks", 40)];

#[test]
fn a_flood_costs_nobody_else_an_event() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("flod")?;
    let collector = Collector::start(&place, None)?;
    let _agent = Agent::start(&place, &collector)?;
    let begun = now();
    let mut quiet = container(&place, 0xf0, "shop steady 60")?;
    let mut floods = Vec::new();
    for (number, (what, times)) in (0xf1_u8..).zip(FLOODS) {
        let mut flood = container(&place, number, &format!("shop flood {what} {THREADS} {times}"))?;
        flood.wait()?;
        anyhow::ensure!(flood.printed().contains("flooded"), "{}", flood.printed());
        floods.push((what, times, flood));
    }
    quiet.wait()?;
    anyhow::ensure!(quiet.printed().contains("steady: 60"), "{}", quiet.printed());

    let statement = complete(&collector, &quiet.id, begun)?;
    for line in lines(&statement) {
        anyhow::ensure!(count(line, "throttled") + lost(line) == 0, "the quiet container: {line}");
    }
    for (class, each) in [("process", 2), ("file", 1), ("network", 1)] {
        let told = lines(&statement).find(|line| line["class"] == class).map_or(0, |line| count(line, "received"));
        anyhow::ensure!(told >= each * ROUNDS, "{told} of class {class} in {ROUNDS} rounds: {statement:#}");
    }
    for (what, times, flood) in floods {
        let statement = complete(&collector, &flood.id, begun)?;
        let class = match what {
            "opens" => "file",
            "connects" => "network",
            _ => "process",
        };
        let flooded = lines(&statement).find(|line| line["class"] == class).context("the class of the flood")?;
        anyhow::ensure!(count(flooded, "seen") >= THREADS * times, "{what}: {statement:#}");
        anyhow::ensure!(class == "process" || count(flooded, "throttled") > 0, "{what}: {statement:#}");
        for line in
            lines(&statement).filter(|line| !["file", "network"].contains(&line["class"].as_str().unwrap_or("")))
        {
            anyhow::ensure!(count(line, "throttled") + lost(line) == 0, "{what}: {line}");
        }
        println!("{}", collector.show(&words(&flood.id, begun, now()).each_ref().map(String::as_str))?);
    }
    Ok(())
}

fn container(place: &Place, number: u8, words: &str) -> Result<Container> {
    let arguments = words.split(' ').map(str::to_owned).collect();
    // The first digits name its folder.
    let id = format!("{number:02x}{:06x}{:056x}", std::process::id(), 0);
    Container::start(
        place,
        &Wanted { id, pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" },
    )
}

/// The statement, once it holds and nothing is under way any more.
fn complete(collector: &Collector, id: &str, begun: Timestamp) -> Result<Value> {
    let mut last = Value::Null;
    let found = eventually("a statement that adds up", PATIENCE, || {
        last = collector.ask(&words(id, begun, now()).each_ref().map(String::as_str))?;
        let is_still = lines(&last).all(|line| count(line, "under_way") == 0);
        Ok((last["holds"] == true && is_still).then(|| last.clone()))
    });
    found.with_context(|| format!("{last:#}"))
}

fn words(id: &str, from: Timestamp, to: Timestamp) -> [String; 7] {
    let [from, to] = [from.to_string(), to.to_string()];
    ["completeness", "--container", id, "--from", &from, "--to", &to].map(str::to_owned)
}

fn lines(statement: &Value) -> impl Iterator<Item = &Value> {
    statement["lines"].as_array().into_iter().flatten()
}

fn count(line: &Value, what: &str) -> u64 {
    line[what].as_u64().unwrap_or_default()
}

fn lost(line: &Value) -> u64 {
    line["lost"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

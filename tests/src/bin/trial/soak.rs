//! The agent's memory over minutes of churn: after a warm-up it must stay where it is. Takes a number of minutes; prints a line each half
//! minute and the verdict.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::place::Place;

use super::churn::Churn;

/// Between two looks at the agent's memory.
const LOOK: Duration = Duration::from_secs(2);
/// Looks between two lines.
const LINE: usize = 15;
/// The part of the time in which tables fill: what is measured begins after it.
const WARM_UP: f64 = 0.4;
/// How much the end may lie above the beginning.
const FLAT: f64 = 0.05;

pub(super) fn run(minutes: u32) -> Result<bool> {
    ensure!(minutes > 0, "a soak of no minutes shows nothing");
    let place = Arc::new(Place::new("soak")?);
    let collector = Collector::start(&place, None)?;
    // The day in a 72nd of its time: bounds that are reached within hours are reached within minutes. What is remembered until then (the
    // log's segments, containers that are gone) is part of what must not grow.
    let settings = "[log]\nmax_age = \"1m\"\n[recorder]\nbefore = \"30s\"\n[runtimes]\nkeep = \"50s\"";
    let agent = Agent::with(&place, &collector, settings)?;
    let pid = agent.process.as_ref().context("the agent runs")?.id();
    let churn = Churn::begin(&place);
    let (begun, length) = (Instant::now(), Duration::from_secs(u64::from(minutes) * 60));
    let mut seen: Vec<(f64, u64)> = Vec::new();
    println!("minutes  resident KiB");
    while begun.elapsed() < length && churn.goes_on() {
        std::thread::sleep(LOOK);
        let at = begun.elapsed().as_secs_f64() / 60.0;
        seen.push((at, resident(pid)?));
        if seen.len().is_multiple_of(LINE) {
            println!("{at:>7.1}  {}", seen[seen.len() - 1].1);
        }
    }
    println!("made: {}", churn.end()?);
    let warm: Vec<u64> =
        seen.iter().filter(|(at, _)| *at >= f64::from(minutes) * WARM_UP).map(|(_, kib)| *kib).collect();
    ensure!(warm.len() >= 6, "too few looks at the agent's memory");
    let third = warm.len() / 3;
    let (early, late) = (median(&warm[..third]), median(&warm[warm.len() - third..]));
    let growth = (late as f64 - early as f64) / early as f64;
    let flat = growth <= FLAT;
    println!(
        "after warm-up {early} KiB, at the end {late} KiB: {:+.1} %, {}",
        growth * 100.0,
        if flat { "flat" } else { "NOT flat" }
    );
    Ok(flat)
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Resident memory of a process, the rings' pages included.
fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the agent runs")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory is told")?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}

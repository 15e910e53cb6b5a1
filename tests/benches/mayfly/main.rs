//! What the node costs and how fast it acts, with the real agent, kernel, containers and collector. Takes names of its parts, or
//! nothing for all; prints one JSON object a line: `{"name", "value", "unit", "goal", "met"}`. Says what is missing where it cannot
//! run, and leaves nothing behind.
#![forbid(unsafe_code)]

mod added;
mod counted;
mod flooded;
mod floor;
mod memory;
mod paced;
mod quarantined;
mod stopped;

use std::fs;
use std::path::Path;

use agent::log::{events, segment};
use anyhow::{Result, bail};
use proto::v1::Event;
use serde_json::json;
use tests::world::place::missing;

type Part = (&'static str, fn() -> Result<()>);

const PARTS: [Part; 5] = [
    ("added", added::measure),
    ("flooded", flooded::measure),
    ("paced", paced::measure),
    ("stopped", stopped::measure),
    ("quarantined", quarantined::measure),
];

fn main() -> Result<()> {
    // `cargo test` runs benchmarks too, to see that they build.
    let mut asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    asked.retain(|argument| !argument.starts_with('-'));
    if let Some(missing) = missing() {
        eprintln!("skipped: needs {missing}");
        return Ok(());
    }
    if let Some(unknown) = asked.iter().find(|asked| PARTS.iter().all(|(name, _)| name != asked)) {
        let parts: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        bail!("no part is called {unknown}; there are {}", parts.join(", "));
    }
    for (name, measure) in PARTS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            measure()?;
        }
    }
    Ok(())
}

/// One line, of a cost or a delay: a goal is a bound from above.
fn print(name: &str, value: f64, unit: &str, goal: Option<f64>) {
    print_line(name, value, unit, goal, goal.map(|goal| value <= goal));
}

/// One line, of a rate.
fn print_at_least(name: &str, value: f64, unit: &str, goal: f64) {
    print_line(name, value, unit, Some(goal), Some(value >= goal));
}

/// One line, where the machine was too restless to tell.
fn print_unmeasurable(name: &str, unit: &str, goal: f64) {
    println!("{}", json!({ "name": name, "value": "unmeasurable", "unit": unit, "goal": goal, "met": null }));
}

fn print_line(name: &str, value: f64, unit: &str, goal: Option<f64>, met: Option<bool>) {
    println!("{}", json!({ "name": name, "value": value, "unit": unit, "goal": goal, "met": met }));
}

/// Gives each event in the log of an agent that has ended, oldest first.
fn each_logged(data: &Path, mut each: impl FnMut(Event)) -> Result<()> {
    let mut segments: Vec<_> = fs::read_dir(data.join("log"))?.flatten().map(|entry| entry.path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    for path in segments {
        for block in segment::read_blocks(&fs::read(&path)?)?.blocks {
            events(&block.frame, block.payload)?.into_iter().for_each(&mut each);
        }
    }
    Ok(())
}

/// The value below which a share of all lies; 0.5: the median. Not a number where there is none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the place of a value among some hundred"
    )]
    let place = (last * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}

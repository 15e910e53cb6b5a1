//! What the node costs and how fast it acts, with the real agent, kernel, containers and collector. Takes names of its parts, or
//! nothing for all; prints one JSON object a line: `{"name", "value", "unit", "goal", "met"}`. Says what is missing where it cannot
//! run, and leaves nothing behind.
#![forbid(unsafe_code)]

mod added;
mod quarantined;
mod stopped;

use anyhow::Result;
use tests::world::place::missing;

type Part = (&'static str, fn() -> Result<()>);

const PARTS: [Part; 3] =
    [("added", added::measure), ("stopped", stopped::measure), ("quarantined", quarantined::measure)];

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
    for (name, measure) in PARTS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            measure()?;
        }
    }
    Ok(())
}

/// One line. A goal is a bound from above: everything here is a cost or a delay.
fn print(name: &str, value: f64, unit: &str, goal: Option<f64>) {
    let met = goal.map(|goal| value <= goal);
    println!("{}", serde_json::json!({ "name": name, "value": value, "unit": unit, "goal": goal, "met": met }));
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

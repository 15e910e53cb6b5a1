//! A recorded run goes through the same pipeline and makes the same case; it is marked as a replay everywhere, and nothing is done about it.
//! Needs neither root nor BPF.

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::agent::replay;
use tests::world::collector::Collector;
use tests::world::incident::PATIENCE;
use tests::world::place::Place;
use tests::world::program::eventually;

#[test]
fn a_replay_says_so_and_nothing_is_done() -> Result<()> {
    let place = Place::new("play")?;
    let collector = Collector::start(&place, None)?;
    let recording = place.path("attack.raw");
    std::fs::write(&recording, include_bytes!("../fixtures/attack.raw"))?;
    replay(&place, &collector, &recording)?;
    let id = eventually("a case", PATIENCE, || {
        let cases = collector.ask(&["cases"])?;
        Ok(cases.pointer("/cases/0/id").and_then(Value::as_str).map(str::to_owned))
    })?;
    let plan = eventually("a plan", PATIENCE, || Ok(collector.ask(&["plan", &id]).ok()))?;
    let case = collector.ask(&["case", &id])?;
    assert_eq!(case.pointer("/case/replay"), Some(&Value::Bool(true)));
    assert_eq!(case["outcomes"].as_array().map(Vec::len), Some(0), "something was done: {case:#}");
    for format in ["md", "html", "json"] {
        let report = collector.show(&["report", &id, "--format", format])?;
        assert!(report.to_lowercase().contains("replay"), "the {format} report does not say that it is a replay");
    }
    let digest = plan["digest"].as_str().context("a digest")?;
    let refused = collector.ask(&["approve", &id, "--plan", digest, "--as", "alice"]);
    assert!(refused.is_err_and(|error| format!("{error:#}").contains("replay")), "a replay was acted on");
    Ok(())
}

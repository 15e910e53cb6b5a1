//! A report is a function of what is recorded: asked twice, and again after the collector was restarted, it is the same to the byte.

use std::time::Duration;

use anyhow::{Context, Result};
use tests::world::incident::{Incident, PATIENCE};
use tests::world::program::eventually;

use crate::skip;

#[test]
fn the_same_case_prints_the_same_report() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let mut incident = Incident::prepare("same", 2)?;
    incident.strike();
    let id = incident.case()?;
    incident.attack.container.wait()?;
    incident.agent.process.take().context("an agent")?.stop(Duration::from_secs(10))?;
    let print = |incident: &Incident, format: &str| incident.collector.show(&["report", &id, "--format", format]);
    // The last captures may still arrive: the case is quiet when nothing changed for a while.
    let mut last = String::new();
    eventually("the case to be quiet", PATIENCE, || {
        std::thread::sleep(Duration::from_millis(1500));
        let now = print(&incident, "json")?;
        let quiet = now == last;
        last = now;
        Ok(quiet.then_some(()))
    })?;
    let before: Vec<String> =
        ["md", "html", "json"].iter().map(|format| print(&incident, format)).collect::<Result<_>>()?;
    incident.collector.process.take().context("a collector")?.stop(Duration::from_secs(10))?;
    incident.collector.up()?;
    for (format, before) in ["md", "html", "json"].iter().zip(before) {
        assert_eq!(print(&incident, format)?, before, "the {format} report changed");
    }
    Ok(())
}

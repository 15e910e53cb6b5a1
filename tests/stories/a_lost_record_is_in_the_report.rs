//! Loss is a fact like any other: while the agent is held, the ring runs over; the count stands in the report.

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use tests::world::incident::{Incident, PATIENCE, Respond};
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

#[test]
fn a_lost_record_is_in_the_report() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    // Without a bound for the container, and each open told: with either nothing runs over.
    let settings = "\n[budget]\nfiles = 0\n\n[files]\nrepeats = \"0 s\"";
    let unbounded = |_: &Place| Ok(Respond { agent: settings.to_owned(), ..Respond::default() });
    let incident = Incident::with("loss", 0, unbounded)?;
    incident.strike();
    let id = incident.case()?;
    let agent = incident.agent.process.as_ref().context("an agent")?;
    agent.signal(Signal::SIGSTOP)?;
    let flood = "i=0; while [ $i -lt 250000 ]; do : > /tmp/flood; i=$((i+1)); done";
    let flooded = incident.attack.container.exec(&["sh", "-c", flood]);
    agent.signal(Signal::SIGCONT)?;
    flooded?;
    eventually("the loss in the report", PATIENCE, || {
        let report = incident.collector.show(&["report", &id, "--format", "md"])?.to_lowercase();
        Ok((report.contains("ring full") || report.contains("ring_full")).then_some(()))
    })?;
    Ok(())
}

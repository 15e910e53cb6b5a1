//! A container floods the sensor while another lives beside it: of the quiet one the collector has everything, of the flood it has each
//! record or the number of those that it has not and why, and report and bundle can say so.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use collector_core::completeness::{Line, Statement};
use tests::world::agent::Agent;
use tests::world::clock::now;
use tests::world::collector::Collector;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::place::Place;
use tests::world::program::eventually;

use crate::skip;

/// Sixty-four at once make and remove files, each with a name of its own.
const FLOOD: &str = "n=0; while [ $n -lt 64 ]; do n=$((n+1)); (i=0; while [ $i -lt 300 ]; do i=$((i+1)); : > /tmp/$n-$i; done) & done; wait";
/// Files of the quiet one.
const QUIET: u64 = 50;
/// How long the collector may take for all of it: the store writes in portions.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn a_flood_adds_up_in_the_collector() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("flood")?;
    let collector = Collector::start(&place, None)?;
    // Each open told or throttled, none counted together with others: the flood is to be as large as it looks.
    let agent = Agent::with(&place, &collector, "[budget]\nfiles = 500\n\n[files]\nrepeats = \"0 s\"\n")?;
    let from = now();
    let (mut flooder, mut quiet) = (container(&place, 1, FLOOD)?, container(&place, 2, &quiet_script())?);
    flooder.wait()?;
    quiet.wait()?;
    let statement = |container: &Container, enough: fn(&Statement) -> bool| {
        let begun = Instant::now();
        eventually("an account that holds", PATIENCE, || {
            let to = now().to_string();
            let asked = ["completeness", "--container", &container.id, "--from", &from.to_string(), "--to", &to];
            let answer = collector.ask(&asked)?;
            let statement: Statement = serde_json::from_value(answer)?;
            ensure!(begun.elapsed() < PATIENCE * 9 / 10 || statement.holds, "{statement}");
            Ok((statement.holds && enough(&statement)).then_some(statement))
        })
        .with_context(|| format!("{}\n{}", collector.printed(), agent.printed()))
    };
    let flood = statement(&flooder, |statement| of(statement, "file").is_some_and(|line| line.seen >= 64 * 300))?;
    for class in ["process", "privilege", "kernel"] {
        ensure!(of(&flood, class).is_none_or(|line| line.lost() + line.throttled == 0), "{flood}");
    }
    let file = of(&flood, "file").context("the flood")?;
    ensure!(file.throttled > 0, "nothing was too much: {flood}");
    let quiet = statement(&quiet, |statement| of(statement, "file").is_some_and(|line| line.received >= QUIET))?;
    for line in &quiet.lines {
        ensure!(line.lost() + line.throttled + line.unaccounted == 0, "{quiet}");
        ensure!(line.received == line.told, "{quiet}");
    }
    Ok(())
}

/// One file after the other, for as long as the flood lasts.
fn quiet_script() -> String {
    format!("i=0; while [ $i -lt {QUIET} ]; do i=$((i+1)); : > /tmp/quiet-$i; sleep 0.1; done")
}

fn container(place: &Place, number: u128, script: &str) -> Result<Container> {
    let id = format!("{:064x}", u128::from(std::process::id()) << 8 | number);
    let arguments = ["sh", "-c", script].map(str::to_owned).to_vec();
    Container::start(
        place,
        &Wanted { id, pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" },
    )
}

fn of<'a>(statement: &'a Statement, class: &str) -> Option<&'a Line> {
    statement.lines.iter().find(|line| line.class == class)
}

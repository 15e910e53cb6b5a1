//! The agent is ended and killed while containers live and die: the kernel goes on recording, and the next agent tells each exec and each
//! exit, once, in its container. Uninstalling leaves nothing.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;
use tests::world::agent::Agent;
use tests::world::collector::Collector;
use tests::world::container::{Container, Pod, Wanted};
use tests::world::incident::PATIENCE;
use tests::world::place::{Place, quoted};
use tests::world::program::{Program, eventually, run};

use crate::skip;

/// A BPF filesystem of this story's own.
struct BpfFilesystem(PathBuf);

impl BpfFilesystem {
    fn mount(at: PathBuf) -> Result<Self> {
        std::fs::create_dir(&at)?;
        mount(Some("bpf"), &at, Some("bpf"), MsFlags::empty(), None::<&str>).context("mount a BPF filesystem")?;
        Ok(Self(at))
    }
}

impl Drop for BpfFilesystem {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.0, MntFlags::MNT_DETACH) {
            println!("{} stays mounted: {error}", self.0.display());
        }
    }
}

#[test]
fn what_happens_while_the_agent_restarts_is_told() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let place = Place::new("rest")?;
    let collector = Collector::start(&place, None)?;
    let filesystem = BpfFilesystem::mount(place.path("bpf"))?;
    let pins = filesystem.0.join("mayfly");
    let mut agent = Agent::with(&place, &collector, &format!("[kernel]\npins = {}\n", quoted(&pins)))?;
    let mut away = Vec::new();
    for (round, end) in [ended as End, killed].into_iter().enumerate() {
        let mut process = agent.process.take().context("an agent")?;
        end(&mut process)?;
        let id = container_that_lives_and_dies(&place, round)?;
        agent.up()?;
        // Before the next end: what an agent has read and not yet written goes with it when it is killed, and is told as lost.
        eventually("the exec and the exit of a container that nobody watched", PATIENCE, || {
            let events = events(&collector, &id)?;
            Ok(events.iter().any(|event| is(event, "exit") && ran_sleep(&events, event)).then_some(()))
        })
        .with_context(|| lost(&collector))
        .with_context(|| agent.printed())?;
        away.push(id);
    }
    // Whatever would be told twice has been by now: the next agent had read all rings before it said that it runs.
    for id in &away {
        let events = events(&collector, id)?;
        let ran = events
            .iter()
            .filter(|event| is(event, "exec") && event.pointer("/body/arguments/1") == Some(&Value::from("0.05")));
        let ended = events.iter().filter(|event| is(event, "exit") && ran_sleep(&events, event));
        ensure!((ran.count(), ended.count()) == (1, 1), "told more than once: {events:?}");
    }
    agent.process.take().context("an agent")?.stop(Duration::from_secs(30))?;
    ensure!(pins.exists(), "the agent took it all with it");
    let uninstall = || {
        let mut command = Command::new(place.program("mayfly-agent"));
        run(command.args(["--json", "uninstall", "--config"]).arg(&agent.configuration))
    };
    let removed: Value = serde_json::from_str(&uninstall()?)?;
    ensure!(removed["hooks"].as_u64() > Some(30), "{removed}");
    ensure!(!pins.exists(), "something stays");
    let again: Value = serde_json::from_str(&uninstall()?)?;
    ensure!(again["hooks"] == 0, "{again}");
    Ok(())
}

type End = fn(&mut Program) -> Result<()>;

fn ended(process: &mut Program) -> Result<()> {
    process.stop(Duration::from_secs(30)).map(drop)
}

fn killed(process: &mut Program) -> Result<()> {
    process.kill()
}

/// Gives its id.
fn container_that_lives_and_dies(place: &Place, round: usize) -> Result<String> {
    let id = format!("{:064x}", u128::from(std::process::id()) << 8 | round as u128);
    let arguments = ["sleep", "0.05"].map(str::to_owned).to_vec();
    let wanted =
        Wanted { id: id.clone(), pod: Pod::shop(), arguments, environment: Vec::new(), network: None, token: "" };
    Container::start(place, &wanted)?.wait()?;
    Ok(id)
}

fn events(collector: &Collector, id: &str) -> Result<Vec<Value>> {
    let answer = collector.ask(&["events", "--container", id, "--limit", "1000"])?;
    Ok(answer["events"].as_array().cloned().unwrap_or_default())
}

/// What the collector knows to be lost: on a machine that does much else meanwhile a ring may have been full.
fn lost(collector: &Collector) -> String {
    let answer = collector.ask(&["events", "--limit", "100000"]).unwrap_or_default();
    let all = answer["events"].as_array().into_iter().flatten();
    let losses: Vec<String> = all.filter(|event| is(event, "loss")).map(Value::to_string).collect();
    losses.join("\n")
}

fn is(event: &Value, what: &str) -> bool {
    event.pointer("/body/what").and_then(Value::as_str) == Some(what)
}

/// Whether the process of an event is the one that slept.
fn ran_sleep(events: &[Value], of: &Value) -> bool {
    events.iter().any(|event| {
        is(event, "exec")
            && event.pointer("/body/arguments/1") == Some(&Value::from("0.05"))
            && event.pointer("/actor/process") == of.pointer("/actor/process")
    })
}

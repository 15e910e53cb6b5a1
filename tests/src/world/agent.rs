//! A real node agent. Takes a place and a collector; starts `mayfly-agent` with a certificate of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::collector::Collector;
use super::place::{Place, quoted};
use super::program::{Program, eventually, run};

/// Name of the node in every story.
pub const NODE: &str = "node-1";
/// Instance that the node is.
pub const INSTANCE: &str = "i-0a1b2c3d4e5f67890";

/// A running agent.
pub struct Agent {
    /// Its data folder.
    pub data: PathBuf,
    /// The process; absent while it is down.
    pub process: Option<Program>,
    /// Its configuration.
    pub configuration: PathBuf,
    program: PathBuf,
    output: PathBuf,
}

/// Configuration of an agent that sends to `collector`.
fn configure(place: &Place, collector: &Collector, node: &str, more: &str) -> Result<(PathBuf, PathBuf)> {
    let pki = collector.issue(node, place)?;
    let sending = format!(
        "[collector]\nendpoint = \"{}\"\nca = {}\ncertificate = {}\nkey = {}\nbackoff_max = \"1s\"\n\n{more}\n",
        collector.endpoint,
        quoted(&pki.join("ca.pem")),
        quoted(&pki.join("node.pem")),
        quoted(&pki.join("node.key")),
    );
    write(place, node, &sending)
}

/// Writes a configuration; gives the data folder and the file.
fn write(place: &Place, node: &str, more: &str) -> Result<(PathBuf, PathBuf)> {
    let data = place.path(&format!("agent-{node}"));
    let configuration = place.path(&format!("agent-{node}.toml"));
    // What outlives an agent would outlive the test: only a story about that asks for it.
    let kernel = if more.contains("[kernel]") { "" } else { "kernel = { pins = \"\" }\n" };
    let text = format!("data = {}\nnode = \"{node}\"\ninstance = \"{INSTANCE}\"\n{kernel}\n{more}\n", quoted(&data));
    std::fs::write(&configuration, text)?;
    Ok((data, configuration))
}

/// Plays a recording to `collector`, to its end.
pub fn replay(place: &Place, collector: &Collector, recording: &Path) -> Result<()> {
    let (_, configuration) = configure(place, collector, "replayed-node", "")?;
    let mut command = Command::new(place.program("mayfly-agent"));
    command.arg("--config").arg(configuration).arg("replay").arg(recording);
    run(&mut command).map(drop)
}

/// The tier of each hook that this kernel grants the agent.
pub fn tiers(place: &Place) -> Result<HashMap<String, String>> {
    let configuration = place.path("check.toml");
    std::fs::write(&configuration, "")?;
    let mut command = Command::new(place.program("mayfly-agent"));
    let check: Value = serde_json::from_str(&run(command.args(["--json", "check", "--config"]).arg(configuration))?)?;
    let hooks = check["hooks"].as_array().context("a list of hooks")?;
    let granted = hooks.iter().filter(|hook| hook["attached"] == true);
    let word = |hook: &Value, field: &str| hook[field].as_str().map(str::to_owned);
    Ok(granted.filter_map(|hook| Some((word(hook, "name")?, word(hook, "tier")?))).collect())
}

impl Agent {
    /// Starts one that sends to `collector`, and waits until it watches.
    pub fn start(place: &Place, collector: &Collector) -> Result<Self> {
        Self::with(place, collector, "")
    }

    /// The same with more configuration.
    pub fn with(place: &Place, collector: &Collector, more: &str) -> Result<Self> {
        let agent = Self::configured(place, configure(place, collector, NODE, more)?)?;
        eventually("the node to be known", Duration::from_secs(20), || {
            let nodes = collector.ask(&["nodes"])?;
            Ok(nodes.to_string().contains(NODE).then_some(()))
        })
        .with_context(|| agent.printed())?;
        Ok(agent)
    }

    /// Starts one that sends to nobody.
    pub fn alone(place: &Place, more: &str) -> Result<Self> {
        Self::configured(place, write(place, NODE, more)?)
    }

    fn configured(place: &Place, (data, configuration): (PathBuf, PathBuf)) -> Result<Self> {
        let (program, output) = (place.program("mayfly-agent"), place.path("agent.log"));
        let mut agent = Self { data, process: None, program, configuration, output };
        agent.up()?;
        Ok(agent)
    }

    /// Starts it (again) on the same data, and waits until it watches.
    pub fn up(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.configuration);
        let before = std::fs::metadata(&self.output).map_or(0, |found| found.len());
        let mut process = Program::start(command, &self.output)?;
        let begun = usize::try_from(before)?;
        let watching = eventually("the agent to watch", Duration::from_mins(2), || {
            anyhow::ensure!(process.runs(), "the agent ended");
            Ok(process.printed().get(begun..).is_some_and(|said| said.contains("the agent runs")).then_some(()))
        });
        watching.with_context(|| process.printed())?;
        self.process = Some(process);
        Ok(())
    }

    /// Everything it printed.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }
}

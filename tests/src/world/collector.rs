//! A real collector and the responder's commands. Takes a place; starts `mayfly serve` on loopback and runs `mayfly …` beside it, each
//! answer read as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::cloud::Cloud;
use super::place::{Place, quoted};
use super::program::{Program, eventually, run};

/// A running collector.
pub struct Collector {
    /// Its data folder.
    pub data: PathBuf,
    /// Folder that it reads CloudTrail from.
    pub trail: PathBuf,
    /// File that it reads the Kubernetes audit log from.
    pub audit: PathBuf,
    /// Where nodes connect.
    pub endpoint: String,
    /// The process; absent while it is down.
    pub process: Option<Program>,
    program: PathBuf,
    configuration: PathBuf,
    output: PathBuf,
    cloud: Option<String>,
}

impl Collector {
    /// Starts one with an empty store. With a cloud it may act there.
    pub fn start(place: &Place, cloud: Option<&Cloud>) -> Result<Self> {
        Self::with(place, cloud, "")
    }

    /// The same with more lines in its `[respond]`.
    pub fn with(place: &Place, cloud: Option<&Cloud>, respond: &str) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (trail, audit) = (place.path("cloudtrail"), place.path("audit.log"));
        std::fs::create_dir_all(&trail)?;
        std::fs::write(&audit, "")?;
        let configuration = place.path("collector.toml");
        let mut text = format!(
            "listen = \"127.0.0.1:{port}\"\n\n[cloudtrail]\npaths = [{}]\npoll = \"200ms\"\n\n\
             [kubernetes]\nlogs = [{}]\npoll = \"200ms\"\n\n[respond]\n{respond}\n",
            quoted(&trail),
            quoted(&audit),
        );
        if let Some(cloud) = cloud {
            write!(text, "\n[respond.aws]\nendpoint = \"{}\"\n", cloud.endpoint)?;
        }
        std::fs::write(&configuration, text)?;
        let mut collector = Self {
            data: place.path("collector"),
            trail,
            audit,
            endpoint: format!("https://127.0.0.1:{port}"),
            process: None,
            program: place.program("mayfly"),
            configuration,
            output: place.path("collector.log"),
            cloud: cloud.map(|cloud| cloud.endpoint.clone()),
        };
        collector.up()?;
        Ok(collector)
    }

    /// Starts it (again) on the same data, and waits until it answers.
    pub fn up(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--data").arg(&self.data).arg("--config").arg(&self.configuration);
        if self.cloud.is_some() {
            command.envs([("AWS_ACCESS_KEY_ID", "stage"), ("AWS_SECRET_ACCESS_KEY", "stage")]);
        }
        let mut process = Program::start(command, &self.output)?;
        let answered = eventually("the collector to answer", Duration::from_secs(20), || {
            anyhow::ensure!(process.runs(), "the collector ended: {}", process.printed());
            Ok(self.ask(&["cases"]).ok())
        });
        answered.with_context(|| process.printed())?;
        self.process = Some(process);
        Ok(())
    }

    /// A certificate for a node; gives the folder with `ca.pem`, `node.pem`, `node.key`.
    pub fn issue(&self, node: &str, place: &Place) -> Result<PathBuf> {
        let folder = place.path(&format!("pki-{node}"));
        run(self.command().args(["node", "add", node, "--out"]).arg(&folder))?;
        Ok(folder)
    }

    /// One of the responder's commands, as JSON.
    pub fn ask(&self, words: &[&str]) -> Result<Value> {
        let text = run(self.command().args(words).arg("--json"))?;
        serde_json::from_str(&text).with_context(|| format!("`mayfly {}` printed no JSON: {text}", words.join(" ")))
    }

    /// Everything it printed.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// One of the responder's commands, as a person sees it.
    pub fn show(&self, words: &[&str]) -> Result<String> {
        run(self.command().args(words))
    }

    /// `mayfly --data …`.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(&self.data);
        command
    }

    /// Appends lines to the Kubernetes audit log.
    pub fn audit_lines(&self, lines: &[Value]) -> Result<()> {
        use std::io::Write;
        let mut file = std::fs::File::options().append(true).open(&self.audit)?;
        for line in lines {
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}

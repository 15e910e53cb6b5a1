//! The responder's commands. Takes words; asks a running collector, or, for `verify` and `rules`, only files; prints for people by default and JSON with
//! `--json`. Decides nothing.

mod cases;
mod client;
mod completeness;
mod coverage;
mod events;
mod evidence;
mod examples;
mod folder;
mod nodes;
mod plans;
mod rules;
mod say;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::cli::client::Client;

/// Remembers what your containers did after they are gone: collects, judges, contains and reports.
#[derive(Debug, Parser)]
#[command(name = "mayfly", version, disable_help_subcommand = true, after_help = examples::ALL)]
pub struct Cli {
    /// The collector's data folder. Default: /var/lib/mayfly-collector.
    // Without a default of clap's: that would stand for `rules test --data` as well, which is another folder.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON for machines.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The collector's data folder.
    pub fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new("/var/lib/mayfly-collector"))
    }
}

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a collector: receive, keep, judge, answer.
    #[command(after_help = examples::SERVE)]
    Serve {
        /// Configuration, TOML. Default: none is needed.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Whether the collector is well.
    Status,
    /// The cases, newest last.
    #[command(after_help = examples::CASES)]
    Cases,
    /// One case.
    #[command(after_help = examples::CASE)]
    Case {
        /// Its name.
        id: String,
    },
    /// Events as the nodes saw them.
    #[command(after_help = examples::EVENTS)]
    Events(events::Wanted),
    /// Of a container or a node and a time: what was seen, what became of it, and whether that adds up.
    #[command(after_help = examples::COMPLETENESS)]
    Completeness(completeness::Wanted),
    /// What a node watches, by which way into its kernel, and whether that was seen to work.
    #[command(after_help = examples::COVERAGE)]
    Coverage(coverage::Wanted),
    /// The newest plan of a case.
    #[command(after_help = examples::PLAN)]
    Plan {
        /// The case.
        id: String,
        /// Make a new plan now, in your name; somebody else has to approve it.
        #[arg(long)]
        new: bool,
        /// Root only: speak for this person.
        #[arg(long = "as", value_name = "NAME")]
        speaker: Option<String>,
    },
    /// Say yes (or no) to a plan. What waited for it is then done, checked and written down.
    #[command(after_help = examples::APPROVE)]
    Approve {
        /// The case.
        id: String,
        /// The plan's digest, or at least the first 8 digits of it.
        #[arg(long, value_name = "DIGEST")]
        plan: String,
        /// Say no.
        #[arg(long)]
        deny: bool,
        /// Root only: speak for this person.
        #[arg(long = "as", value_name = "NAME")]
        speaker: Option<String>,
    },
    /// Plan to take back what was done. The plan waits for a yes like any other.
    #[command(after_help = examples::UNDO)]
    Undo {
        /// The case.
        id: String,
        /// Take back this plan. Default: the newest that did something.
        #[arg(long, value_name = "DIGEST")]
        plan: Option<String>,
        /// Root only: speak for this person.
        #[arg(long = "as", value_name = "NAME")]
        speaker: Option<String>,
    },
    /// The incident report.
    #[command(after_help = examples::REPORT)]
    Report {
        /// The case.
        id: String,
        /// Which form. Default: md, or json with --json.
        #[arg(long, value_enum)]
        format: Option<ReportFormat>,
        /// Write it here. Default: print it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Sealed evidence.
    #[command(subcommand, after_help = examples::EVIDENCE)]
    Evidence(EvidenceCommand),
    /// Check an exported bundle, offline: hashes, signatures, chains.
    #[command(after_help = examples::VERIFY)]
    Verify {
        /// The zip file, or the folder that it was unpacked to.
        bundle: PathBuf,
    },
    /// The rules: what there is, whether it is sound, what it finds and why. Needs no running collector.
    #[command(after_help = examples::RULES)]
    Rules(rules::Wanted),
    /// The nodes that were ever connected.
    #[command(after_help = examples::NODES)]
    Nodes,
    /// One node.
    #[command(subcommand)]
    Node(NodeCommand),
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ReportFormat {
    /// Markdown.
    Md,
    /// One self-contained page.
    Html,
    /// For machines.
    Json,
}

/// What can be done with evidence.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// What was captured for a case.
    #[command(after_help = examples::LIST)]
    List {
        /// The case.
        id: String,
    },
    /// Everything that the case rests on, as one zip file.
    #[command(after_help = examples::EXPORT)]
    Export {
        /// The case.
        id: String,
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// What can be done with nodes.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Make a certificate for a node's agent.
    #[command(after_help = examples::NODE)]
    Add {
        /// The node's name.
        name: String,
        /// Folder for `ca.pem`, `node.pem` and `node.key`.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Runs a command that asks. `serve` is `main`'s.
pub async fn run(cli: Cli) -> Result<()> {
    let client = Client::new(cli.data());
    let json = cli.json;
    match cli.command {
        Command::Serve { .. } => Ok(()),
        Command::Status => nodes::status(&client, json).await,
        Command::Cases => cases::list(&client, json).await,
        Command::Case { id } => cases::one(&client, &id, json).await,
        Command::Events(wanted) => events::show(&client, &wanted, json).await,
        Command::Completeness(wanted) => completeness::show(&client, &wanted, json).await,
        Command::Coverage(wanted) => coverage::show(&client, &wanted, json).await,
        Command::Plan { id, new, speaker } => plans::plan(&client, &id, new, speaker, json).await,
        Command::Approve { id, plan, deny, speaker } => plans::word(&client, &id, &plan, deny, speaker, json).await,
        Command::Undo { id, plan, speaker } => plans::undo(&client, &id, plan, speaker, json).await,
        Command::Report { id, format, out } => cases::report(&client, &id, format, out.as_deref(), json).await,
        Command::Evidence(EvidenceCommand::List { id }) => evidence::list(&client, &id, json).await,
        Command::Evidence(EvidenceCommand::Export { id, out }) => evidence::export(&client, &id, &out, json).await,
        Command::Verify { bundle } => evidence::verify(&bundle, json),
        Command::Rules(wanted) => rules::run(&wanted, json),
        Command::Nodes => nodes::list(&client, json).await,
        Command::Node(NodeCommand::Add { name, out }) => nodes::add(&client, &name, &out, json).await,
    }
}

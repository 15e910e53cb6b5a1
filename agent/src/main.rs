//! `mayfly-agent`: the command line. Takes arguments and a configuration file; starts the agent, or says what it would do. Decides
//! nothing beyond that.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use agent::config::Config;
use agent::kernel::Uninstalled;
use agent::run;
use anyhow::Context;
use clap::{Parser, Subcommand};

/// The sensor of one node: sees what processes do, keeps it, tells the collector, and acts where a rule or an order says so.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Configuration file.
    #[arg(long, short, global = true, default_value = "/etc/mayfly/agent.toml", value_name = "FILE")]
    config: PathBuf,
    /// Machine-readable output: one JSON object a line, also in the log on standard error.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration and the rules, try every kernel hook, say what this kernel grants, and leave nothing behind.
    Check,
    /// Write the kernel's raw records to a file, for a replay. Stops at SIGINT, SIGTERM or after --seconds.
    Record {
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Stop after so many seconds.
        #[arg(long, value_name = "N")]
        seconds: Option<u64>,
    },
    /// Say whether this node is ready: every hook that is needed works, and was seen to. For a readiness probe.
    #[command(after_help = "Example:
  mayfly-agent ready --config /etc/mayfly/agent.toml
      Exit status 0: ready. 1: not, and standard error says what is missing.")]
    Ready,
    /// Take everything out of the kernel that agents on this node left there: programs, tables, rings, quarantines. The log and the
    /// captures stay. To be run when no agent runs; again does nothing.
    #[command(after_help = "Examples:
  mayfly-agent uninstall --config /etc/mayfly/agent.toml
      Nothing of the agent is in the kernel any more.
  mayfly-agent uninstall --json
      The same, and how many of each as one JSON object.

Exit status: 0 nothing is left, 1 something is (an agent runs, or the reason is on standard error).")]
    Uninstall,
    /// Make known calls: what the agent starts to try whether its hooks work.
    #[command(hide = true)]
    Canary {
        /// `leaf`, or a folder and the root of the cgroup tree.
        words: Vec<PathBuf>,
    },
    /// Send from inside a cgroup: what the self-test of a quarantine starts.
    #[command(hide = true)]
    Probe {
        /// The cgroup's folder, a network namespace or `-`, addresses.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Play a recording through the same pipeline. Everything is marked as a replay, and nothing on this machine is touched.
    Replay {
        /// A file that `record` wrote.
        file: PathBuf,
    },
}

const EXAMPLES: &str = "Examples:
  mayfly-agent check --config /etc/mayfly/agent.toml
      Which hooks does this kernel grant, and are configuration and rules in order?
  mayfly-agent --config /etc/mayfly/agent.toml
      Run until SIGTERM; the tail of the log is sent before the end.
  mayfly-agent record --out attack.raw --seconds 60
  mayfly-agent replay attack.raw --config replay.toml
      Record what the kernel says, and play it elsewhere without root.

Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong arguments.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_standard_error(arguments.json);
    match begin(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mayfly-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn begin(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(Command::Probe { words }) = &arguments.command {
        print!("{}", agent::respond::probe::run(words).context("probe a quarantine")?);
        return Ok(());
    }
    if let Some(Command::Canary { words }) = &arguments.command {
        let [folder, cgroups] = words.as_slice() else { return Ok(()) };
        return agent::canary::run(folder, cgroups).context("make known calls");
    }
    let config = Config::read(&arguments.config)?;
    match &arguments.command {
        Some(Command::Ready) => run::ready(&config).context("not ready"),
        None | Some(Command::Probe { .. } | Command::Canary { .. }) => run::agent(&config).context("run the agent"),
        Some(Command::Check) => print_check(&config, arguments.json),
        Some(Command::Uninstall) => uninstall(&config, arguments.json),
        Some(Command::Record { out, seconds }) => {
            let records = run::record(&config, out, seconds.map(std::time::Duration::from_secs))
                .with_context(|| format!("record to {}", out.display()))?;
            tracing::info!(records, file = %out.display(), "recorded");
            Ok(())
        }
        Some(Command::Replay { file }) => {
            run::replay(&config, file).with_context(|| format!("replay {}", file.display()))
        }
    }
}

fn uninstall(config: &Config, json: bool) -> anyhow::Result<()> {
    let folder = &config.kernel.pins;
    let removed = agent::kernel::uninstall(folder).context("uninstall")?;
    let Uninstalled { hooks, maps, quarantines } = removed;
    let text = if json {
        format!("{}\n", serde_json::to_string(&removed)?)
    } else {
        format!(
            "removed {hooks} programs at hooks, {maps} tables and rings, {quarantines} quarantines of {}\n",
            folder.display()
        )
    };
    std::io::stdout().write_all(text.as_bytes()).context("print what was removed")
}

fn print_check(config: &Config, json: bool) -> anyhow::Result<()> {
    let check = run::check(config)?;
    let text = if json { format!("{}\n", serde_json::to_string(&check)?) } else { check.to_string() };
    // Whoever reads it may stop reading: that is no panic.
    std::io::stdout().write_all(text.as_bytes()).context("print the check")?;
    anyhow::ensure!(check.is_able(), "this kernel grants no hook for processes: nothing would be seen");
    Ok(())
}

fn log_to_standard_error(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MAYFLY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    if json {
        builder.json().init();
    } else {
        builder.init();
    }
}

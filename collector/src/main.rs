//! `mayfly`: the collector and the responder's commands. Takes words; runs `serve` until a signal, or one command. An error is printed with every
//! cause, and the exit code is 1.
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use collector::cli::{Cli, Command};
use collector::config::Config;

/// Events are many short texts, made on one thread and freed on another: with the C library's own memory the way to the lake takes a third more
/// time, and what is resident goes on growing.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("mayfly: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let Command::Serve { config } = &cli.command else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start")?;
        return runtime.block_on(collector::cli::run(cli));
    };
    let log = tracing_subscriber::EnvFilter::try_from_env("MAYFLY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(log)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if cli.json {
        log.json().init();
    } else {
        log.init();
    }
    let config = config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start")?;
    runtime.block_on(collector::run::serve(cli.data(), config)).context("serve")
}

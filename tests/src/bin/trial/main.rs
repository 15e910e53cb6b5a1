//! `cargo xtask soak` and `cargo xtask containers`: trials that take longer than a test may. Takes what xtask hands on; prints what was
//! measured and whether it is as it must be. Leaves nothing behind.
#![forbid(unsafe_code)]

mod churn;
mod containers;
mod soak;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Runs one trial against a real agent and a real collector.
#[derive(Parser)]
#[command(name = "mayfly-trial", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    trial: Trial,
}

#[derive(Subcommand)]
enum Trial {
    /// Memory of the agent over minutes of churn.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 20)]
        minutes: u32,
    },
    /// Containers that live fifty milliseconds.
    Containers {
        /// How many.
        #[arg(long, default_value_t = 500)]
        count: usize,
        /// How many at a time.
        #[arg(long, default_value_t = 16)]
        at_once: usize,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().trial) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("the trial could not go on: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether it came out as it must.
fn run(trial: &Trial) -> Result<bool> {
    if let Some(what) = tests::world::place::missing() {
        bail!("this machine lacks {what}");
    }
    match trial {
        Trial::Soak { minutes } => soak::run(*minutes),
        Trial::Containers { count, at_once } => containers::run(*count, *at_once),
    }
}

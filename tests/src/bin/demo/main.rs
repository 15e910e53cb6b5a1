//! `cargo xtask demo`: one real attack, from the kernel to the report, told to a person as it happens. Takes the programs that xtask built;
//! prints what happened and where to look. Where this machine gives no root or no BPF it replays a recorded run, and says so.
#![forbid(unsafe_code)]

mod story;
mod teller;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::teller::Teller;

/// Shows Mayfly at work: a container is broken into, its credentials are stolen and used, and you read the report.
#[derive(Parser)]
#[command(name = "mayfly-demo", bin_name = "cargo xtask demo")]
#[command(
    after_help = "Examples:\n  cargo xtask demo            run it, then clean up\n  cargo xtask demo --keep     leave the collector up, to look around"
)]
struct Arguments {
    /// Leave the collector running and the files in place.
    #[arg(long)]
    keep: bool,
    /// One JSON object a step instead of prose.
    #[arg(long)]
    json: bool,
    /// Replay the recorded run although this machine could do the real one.
    #[arg(long)]
    replay: bool,
    /// Write the report and the evidence here. Default: `mayfly-demo` in the folder for temporary files.
    #[arg(long)]
    out: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut teller = Teller::new(arguments.json);
    match run(&arguments, &mut teller) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\nThe demo could not go on: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, teller: &mut Teller) -> Result<()> {
    let out = arguments.out.clone().unwrap_or_else(|| std::env::temp_dir().join("mayfly-demo"));
    std::fs::create_dir_all(&out)?;
    let missing = tests::world::place::missing();
    if let Some(what) = missing.filter(|_| !arguments.replay) {
        teller.say(
            "replay",
            &format!("This machine lacks {what}: a recorded run of the same attack is replayed instead."),
        );
        return story::replay(teller, &out, arguments.keep);
    }
    if arguments.replay {
        return story::replay(teller, &out, arguments.keep);
    }
    story::live(teller, &out, arguments.keep)
}

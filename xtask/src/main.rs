//! The build's own program, `cargo xtask`. Takes a verb; sets up, builds, tests, shows and measures the project. Compiled
//! before anything is set up, so it needs nothing beyond Rust's stable toolchain and gcc.

mod ebpf;
mod place;
mod rustc;
mod setup;
mod step;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::place::Place;
use crate::setup::Scope;

/// Sets up, builds, tests, shows and measures Mayfly.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Brings what the build, the tests and the demo need: rust-src, bpf-linker, Debian packages, moto.
    #[command(
        after_help = "Examples:\n  cargo xtask setup          everything\n  cargo xtask setup --build  only what compiling needs"
    )]
    Setup {
        /// Only what compiling needs; installs no package.
        #[arg(long)]
        build: bool,
    },
    /// Builds the kernel programs, which the agent embeds.
    #[command(after_help = "Example:\n  cargo xtask ebpf && cargo build")]
    Ebpf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let place = Place::find()?;
    match arguments.verb {
        Verb::Setup { build } => {
            let scope = if build { Scope::Build } else { Scope::All };
            setup::require(&setup::bring(&place, scope)?)
        }
        Verb::Ebpf => ebpf::build(&place),
    }
}

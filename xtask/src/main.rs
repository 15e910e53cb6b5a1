//! The build's own program, `cargo xtask`. Takes a verb; sets up, builds, tests, shows and measures the project. Compiled
//! before anything is set up, so it needs nothing beyond Rust's stable toolchain and gcc.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod demo;
mod ebpf;
mod evasion;
mod kernels;
mod machine;
mod place;
mod rustc;
mod setup;
mod step;
mod strip;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::bench::Form;
use crate::kernels::Wanted;
use crate::machine::Machine;
use crate::place::Place;
use crate::setup::Scope;

/// Sets up, builds, tests, shows and measures Mayfly.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  cargo xtask demo          one attack, from the kernel to the report
  cargo xtask test          everything that says whether the project is sound
  cargo xtask VERB --help   more about one of them

What is made goes below cargo's target directory, into `mayfly/`; the output of each step is kept in `mayfly/logs/` there.";

#[derive(Subcommand)]
enum Verb {
    /// Brings what the build, the tests and the demo need: rust-src, bpf-linker, Debian packages, moto.
    #[command(after_help = "Examples:
  cargo xtask setup           everything
  cargo xtask setup --build   only what compiling needs; no package is installed
  cargo xtask setup --aarch64 what builds for arm64 as well, and starts its kernels

What is already there is left as it is. Packages are installed by root only; others are told what to ask for.")]
    Setup {
        /// Only what compiling needs; installs no package.
        #[arg(long)]
        build: bool,
        /// Also what builds for arm64 and starts its kernels.
        #[arg(long)]
        aarch64: bool,
    },
    /// Builds the kernel programs, which the agent embeds.
    #[command(after_help = "Example:
  cargo xtask ebpf && cargo build

The object is `mayfly/bpf/MACHINE/mayfly.o` below cargo's target directory.")]
    Ebpf {
        /// Whose kernels they are for.
        #[arg(long, value_enum, default_value_t = Machine::HERE, value_name = "MACHINE")]
        arch: Machine,
    },
    /// Builds the agent with its kernel programs, for this machine or another, and prints where it is.
    #[command(after_help = "Examples:
  cargo xtask build --release
  cargo xtask build --release --arch aarch64")]
    Build {
        /// What it is to run on.
        #[arg(long, value_enum, default_value_t = Machine::HERE, value_name = "MACHINE")]
        arch: Machine,
        /// As it is rolled out, which takes minutes.
        #[arg(long)]
        release: bool,
    },
    /// Sets up, checks format, lints and architecture, and runs all tests, the stories and the fuzz targets.
    #[command(after_help = "Examples:
  cargo xtask test
  cargo xtask test --fuzz-seconds 60   look longer for inputs that break a parser
  cargo xtask test --fuzz-seconds 0    no fuzzing

The kernel tests and the stories need root and BPF; without them they are listed as skipped, with the reason. The kernel tests run on
this machine's kernel, and in QEMU on the oldest and the newest that is supported; `cargo xtask kernels` takes those between.")]
    Test {
        /// How long each fuzz target runs.
        #[arg(long, default_value_t = 5, value_name = "SECONDS")]
        fuzz_seconds: u64,
        /// Lets each program cost the verifier of this machine's kernel what it costs now (`ebpf/verifier.toml`).
        #[arg(long)]
        keep_costs: bool,
    },
    /// Looks for inputs that break a parser.
    #[command(after_help = "Examples:
  cargo xtask fuzz --seconds 60
  cargo xtask fuzz --only fuzz-rule --only fuzz-playbook

What was found, an input that breaks a parser included, is kept below cargo's target directory in `mayfly/fuzz-found/`.")]
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// Only this target; may be given more than once.
        #[arg(long, value_name = "TARGET")]
        only: Vec<String>,
    },
    /// Holds what no compiler holds: file size, crate imports, where unsafe code stands, words of work not done.
    #[command(after_help = "Prints `path:line: what, and what to do` for each violation.")]
    Tidy,
    /// Writes the table of the README that is made from data: what becomes of each evasion.
    #[command(after_help = "Example:
  cargo xtask readme   after a change of tests/evasion.toml

`cargo xtask tidy` fails where the README and that table differ.")]
    Readme,
    /// Runs one real attack on a real container, and shows how it is seen, stopped, contained and reported.
    #[command(disable_help_flag = true, after_help = "The arguments are the demo's own: cargo xtask demo --help")]
    Demo {
        /// Handed on to the demo.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs the kernel tests on Debian's kernels, each started in QEMU, and says which hook came in how; then asks the agent what it
    /// can see on hosts that withhold something.
    #[command(after_help = "Examples:
  cargo xtask kernels
  cargo xtask kernels --only 5.10 --only newest
  cargo xtask kernels --only cgroups-v1           a host with cgroups of version 1 alone
  cargo xtask kernels --only arm64-16k            arm64 with pages of 16 KiB; those of another machine are run only when named
  cargo xtask kernels --only 6.12 --test file::   tests whose names hold this
  cargo xtask kernels --word mayfly_log=debug     what the agent's check says meanwhile, on the console in the log
  cargo xtask kernels --json                      one object a line, a line a kernel

Kernels are unpacked below cargo's target directory in `mayfly/kernels/`, one folder each: remove one to fetch it anew.")]
    Kernels {
        /// Only this kernel (5.10, 6.1, 6.12, newest; arm64-6.1, arm64-6.12, arm64-16k) or host (cgroups-v1, lockdown-integrity, …);
        /// may be given more than once.
        #[arg(long, value_name = "KERNEL")]
        only: Vec<String>,
        /// Only tests whose names hold this; may be given more than once.
        #[arg(long = "test", value_name = "FILTER")]
        tests: Vec<String>,
        /// One more word of the kernel's command line; may be given more than once.
        #[arg(long = "word", value_name = "WORD")]
        words: Vec<String>,
        /// Lets each program cost the verifier what it costs now (`ebpf/verifier.toml`).
        #[arg(long)]
        keep_costs: bool,
        /// Prints one JSON object a kernel instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Lets processes, files, sockets and containers come and go for minutes, and says whether the agent's memory stays flat.
    #[command(after_help = "Examples:
  cargo xtask soak
  cargo xtask soak --minutes 3   a first look

The first two fifths of the time are warm-up; after it the end may lie 5 % above the beginning. Needs root and BPF.")]
    Soak {
        /// How long.
        #[arg(long, default_value_t = 20)]
        minutes: u32,
    },
    /// Runs containers that live fifty milliseconds in a real containerd, and counts those whose program, pod and image are known.
    #[command(after_help = "Examples:
  cargo xtask containers
  cargo xtask containers --count 64 --at-once 8

Needs root, BPF and Debian's containerd.")]
    Containers {
        /// How many.
        #[arg(long, default_value_t = 500)]
        count: usize,
        /// How many at a time.
        #[arg(long, default_value_t = 16)]
        at_once: usize,
    },
    /// Measures the release build against its goals.
    #[command(after_help = "Examples:
  cargo xtask bench
  cargo xtask bench --only added   what the sensor costs whoever is watched, in a minute or two
  cargo xtask bench --json         one object a line: name, value, unit, goal, met

The parts are those of tests/benches: added, flooded, paced, stopped, quarantined; and the folders of crates with a benchmark: agent,
collector, collector/core, rules.")]
    Bench {
        /// Only this part; may be given more than once.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Prints one JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether everything that was asked for came out well.
fn run(verb: Verb) -> Result<bool> {
    let place = Place::find()?;
    match verb {
        Verb::Setup { build, aarch64 } => {
            let asked =
                [(true, Scope::Build), (!build, Scope::Start), (!build, Scope::Kernels), (aarch64, Scope::Aarch64)];
            set_up(&place, asked.into_iter().filter(|(asked, _)| *asked).map(|(_, scope)| scope))?;
        }
        Verb::Ebpf { arch } => ebpf::build_for(&place, arch)?,
        Verb::Build { arch, release } => {
            let options: &[&str] = if release { &["--release"] } else { &[] };
            println!("{}", build::agent(&place, arch, options)?.display());
        }
        Verb::Test { fuzz_seconds, keep_costs } => return test::run(&place, fuzz_seconds, keep_costs),
        Verb::Fuzz { seconds, only } => {
            ebpf::build(&place)?;
            return test::fuzz(&place, &only, seconds);
        }
        Verb::Tidy => {
            let files = tidy::check(&place.root)?;
            println!("tidy: {files} files");
        }
        Verb::Readme => evasion::write(&place.root)?,
        Verb::Kernels { only, tests, words, keep_costs, json } => {
            let wanted = Wanted { only, tests, words, keep_costs, json };
            return Ok(kernels::run(&place, &wanted)?.failed == 0);
        }
        Verb::Demo { arguments } => demo::run(&place, demo::DEMO, &arguments)?,
        Verb::Soak { minutes } => trial(&place, "soak", &[("--minutes", u64::from(minutes))])?,
        Verb::Containers { count, at_once } => {
            trial(&place, "containers", &[("--count", count as u64), ("--at-once", at_once as u64)])?;
        }
        Verb::Bench { only, json } => return bench::run(&place, &only, if json { Form::Json } else { Form::Table }),
    }
    Ok(true)
}

fn set_up(place: &Place, scopes: impl Iterator<Item = Scope>) -> Result<()> {
    let mut missing = Vec::new();
    for scope in scopes {
        missing.extend(setup::bring(place, scope)?);
    }
    setup::require(&missing)
}

fn trial(place: &Place, name: &str, options: &[(&str, u64)]) -> Result<()> {
    let options = options.iter().flat_map(|(option, value)| [(*option).to_owned(), value.to_string()]);
    demo::run(place, demo::TRIAL, &std::iter::once(name.to_owned()).chain(options).collect::<Vec<_>>())
}

//! `cargo xtask demo`: sets up, builds both binaries and shows one attack from the kernel to the report. Takes the demo's own
//! arguments and hands them on; the demo itself is a program of the crate `tests`, and takes this process's place.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::ebpf;
use crate::place::Place;
use crate::setup::{self, Scope};
use crate::step::Step;

/// Runs the demo; comes back only when it cannot be started.
pub(crate) fn run(place: &Place, arguments: &[String]) -> Result<()> {
    ebpf::build(place)?;
    // What is missing here does not stop the demo: without it, it replays a recorded run, and says so.
    setup::bring(place, Scope::Start)?;
    let step = Step::begin(&place.logs(), "build")?;
    let programs =
        build::programs(&step, &mut build::cargo(place, &["build", "--workspace", "--exclude", "fuzz", "--bins"]))?;
    step.end("ok");
    let demo =
        programs.iter().find(|program| program.name == "mayfly-demo").context("the build made no mayfly-demo")?;
    let mut command = Command::new(&demo.path);
    command.args(arguments).envs(build::surroundings(place, &programs)?);
    let cause = command.exec();
    bail!("start {}: {cause}", demo.path.display())
}

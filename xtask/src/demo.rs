//! `cargo xtask demo`, `soak` and `containers`: sets up, builds the binaries and starts a program of the crate `tests` that needs them.
//! Takes that program's own arguments and hands them on; it takes this process's place.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::ebpf;
use crate::place::Place;
use crate::setup::{self, Scope};
use crate::step::Step;

/// Shows one attack, from the kernel to the report.
pub(crate) const DEMO: &str = "mayfly-demo";

/// Trials that take longer than a test may.
pub(crate) const TRIAL: &str = "mayfly-trial";

/// Runs one of them; comes back only when it cannot be started.
pub(crate) fn run(place: &Place, name: &str, arguments: &[String]) -> Result<()> {
    ebpf::build(place)?;
    // What is missing here does not stop the demo: without it, it replays a recorded run, and says so. A trial says what it lacks.
    setup::bring(place, Scope::Start)?;
    let step = Step::begin(&place.logs(), "build")?;
    let programs =
        build::programs(&step, &mut build::cargo(place, &["build", "--workspace", "--exclude", "fuzz", "--bins"]))?;
    step.end("ok");
    let found = programs.iter().find(|program| program.name == name);
    let program = found.with_context(|| format!("the build made no {name}"))?;
    let mut command = Command::new(&program.path);
    command.args(arguments).envs(build::surroundings(place, &programs)?);
    let cause = command.exec();
    bail!("start {}: {cause}", program.path.display())
}

//! The fuzz targets of `tests/fuzz`, each run for some seconds. Takes the workspace's binaries; gives a count. Builds them with the
//! compiler's coverage marks for libFuzzer, on stable, without a sanitizer: what is fuzzed is safe Rust, where a fault is a panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::count::Count;
use crate::build::{self, Program};
use crate::place::{self, Place};
use crate::rustc::Rustc;
use crate::step::{Step, tail};

/// As `cargo fuzz` sets them, but for the sanitizer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions";

/// More memory than a parser of bounded input may ever take.
const MEMORY_MIB: u32 = 2048;

/// Longer than any single input may take, on a slow machine.
const INPUT_SECONDS: u32 = 10;

/// Builds all fuzz targets and runs each for some seconds.
pub(super) fn run(place: &Place, seconds: u64) -> Result<Count> {
    let folder = place.root.join("tests/fuzz");
    let step = Step::begin(&place.logs(), "fuzz: build")?;
    let targets = match build(place, &folder, &step) {
        Ok(targets) => targets,
        Err(error) => {
            step.end("failed");
            eprintln!("{error:#}");
            return Ok(Count::one(false));
        }
    };
    step.end(&format!("{} targets", targets.len()));
    let mut count = Count::default();
    for target in targets {
        count.add(Count::one(one(place, &folder, &target, seconds)?));
    }
    Ok(count)
}

fn build(place: &Place, folder: &Path, step: &Step) -> Result<Vec<Program>> {
    let host = Rustc::find()?.host;
    let mut command = Command::new(place::cargo());
    command
        // With a target named, the marks are for the fuzz targets, and not for build scripts and macros.
        .args(["build", "--bins", "--target", &host, "--target-dir"])
        .arg(place.own().join("fuzz"))
        .current_dir(folder)
        .env("RUSTFLAGS", FLAGS)
        .env("MAYFLY_BPF_OBJECT", place.object())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR");
    build::programs(step, &mut command)
}

/// Runs one target; new inputs go to the build's folder, inputs that are in the checkout are only read.
fn one(place: &Place, folder: &Path, target: &Program, seconds: u64) -> Result<bool> {
    let step = Step::begin(&place.logs(), &format!("fuzz: {}", target.name))?;
    let own = place.own().join("fuzz-found").join(&target.name);
    let corpus = own.join("corpus");
    fs::create_dir_all(&corpus).with_context(|| format!("create {}", corpus.display()))?;
    let mut command = Command::new(&target.path);
    command
        .args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-rss_limit_mb={MEMORY_MIB}"),
        ])
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", own.display()))
        .arg(&corpus)
        .args(seeds(folder, &target.name))
        .current_dir(folder);
    let printed = step.run_within(&mut command, Duration::from_secs(seconds + 120))?;
    if printed.success {
        step.end(&format!("{} inputs", inputs(&printed.text)));
    } else {
        step.end("failed");
        eprintln!("{}", tail(&printed.text));
    }
    Ok(printed.success)
}

fn seeds(folder: &Path, target: &str) -> Option<PathBuf> {
    Some(folder.join("corpus").join(target)).filter(|seeds| seeds.is_dir())
}

fn inputs(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.map_or("some", str::trim)
}

#[cfg(test)]
mod tests {
    use super::inputs;

    #[test]
    fn the_number_of_inputs_is_read_from_the_final_statistics() {
        assert_eq!(inputs("Done\nstat::number_of_executed_units: 125346\n"), "125346");
        assert_eq!(inputs(""), "some");
    }
}

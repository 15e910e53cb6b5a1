//! The fuzz targets of the crate `fuzz`, each run for some seconds. Takes its binaries; gives a count. On stable and without a
//! sanitizer: what is fuzzed is safe Rust, where a fault is a panic, a hang or too much memory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::count::Count;
use crate::build::{self, Program};
use crate::place::Place;
use crate::step::{Step, tail};

/// Where the crate is, below the root.
const FOLDER: &str = "tests/fuzz";

/// Stands before `rustc` for the workspace's own crates, and adds the coverage marks that `cargo fuzz` sets. So the dependencies
/// are those of every other build, and only our code is compiled again, and followed. Build scripts and macros run in the
/// compiler's process, where nothing reads the marks.
const WRAPPER: &str = r#"#!/bin/sh
case " $* " in
*" --crate-name build_script_"* | *" --crate-type proc-macro "*) exec "$@" ;;
*" --crate-name ___ "*) exec "$@" ;;
*" --crate-name "*)
    exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
*) exec "$@" ;;
esac
"#;

/// More memory than a parser of bounded input may ever take.
const MEMORY_MIB: u32 = 2048;

/// Longer than any single input may take, on a slow machine.
const INPUT_SECONDS: u32 = 10;

/// Builds the fuzz targets, all where none is named, and runs each for some seconds.
pub(super) fn run(place: &Place, only: &[String], seconds: u64) -> Result<Count> {
    let path = place.root.join(FOLDER).join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let manifest: Table = text.parse().with_context(|| format!("read {}", path.display()))?;
    let mut names = names(&manifest);
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        bail!("there is no fuzz target `{unknown}`; there are {}", names.join(", "));
    }
    names.retain(|name| only.is_empty() || only.contains(name));
    let step = Step::begin(&place.logs(), "build: fuzz targets")?;
    let targets = match build(place, &names, &step) {
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
        count.add(Count::one(one(place, &target, &seeds(&manifest, &target.name), seconds)?));
    }
    Ok(count)
}

fn build(place: &Place, names: &[String], step: &Step) -> Result<Vec<Program>> {
    let wrapper = place.own().join("rustc-fuzz");
    // Written only when it differs: cargo looks at its time to know what is stale.
    if fs::read_to_string(&wrapper).ok().as_deref() != Some(WRAPPER) {
        fs::write(&wrapper, WRAPPER).with_context(|| format!("write {}", wrapper.display()))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&wrapper, mode).with_context(|| format!("make {} executable", wrapper.display()))?;
    }
    // The whole workspace is selected, so that the dependencies have the features they have in every other build.
    let mut command = build::cargo(place, &["build", "--workspace"]);
    command.env("RUSTC_WORKSPACE_WRAPPER", wrapper).args(names.iter().flat_map(|name| ["--bin", name]));
    let mut programs = build::programs(step, &mut command)?;
    programs.retain(|program| names.contains(&program.name));
    Ok(programs)
}

/// The binaries that the manifest names.
fn names(manifest: &Table) -> Vec<String> {
    let binaries = manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
    binaries.filter_map(|binary| Some(binary.get("name")?.as_str()?.to_owned())).collect()
}

/// The folders with inputs that the manifest gives a target to start from.
fn seeds(manifest: &Table, target: &str) -> Vec<PathBuf> {
    let seeds =
        manifest.get("package").and_then(|package| package.get("metadata")?.get("seeds")?.get(target)?.as_array());
    seeds.into_iter().flatten().filter_map(|folder| Some(PathBuf::from(folder.as_str()?))).collect()
}

/// Runs one target; new inputs go to the build's folder, inputs that are in the checkout are only read.
fn one(place: &Place, target: &Program, seeds: &[PathBuf], seconds: u64) -> Result<bool> {
    let step = Step::begin(&place.logs(), &target.name)?;
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
        .args(seeds)
        .current_dir(&place.root);
    let printed = step.run_within(&mut command, Duration::from_secs(seconds + 120))?;
    if printed.success {
        step.end(&format!("{} inputs", inputs(&printed.text)));
    } else {
        step.end("failed");
        eprintln!("{}", tail(&printed.text));
    }
    Ok(printed.success)
}

fn inputs(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.map_or("some", str::trim)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{inputs, names, seeds};

    #[test]
    fn targets_and_seeds_are_those_that_the_manifest_names() {
        let text = "[package]\nname = \"fuzz\"\n[package.metadata.seeds]\nfuzz-rule = [\"rules/content\"]\n\
                    [[bin]]\nname = \"fuzz-rule\"\n[[bin]]\nname = \"fuzz-record\"\n";
        let manifest = text.parse().expect("it is TOML");
        assert_eq!(names(&manifest), ["fuzz-rule", "fuzz-record"]);
        assert_eq!(seeds(&manifest, "fuzz-rule"), [Path::new("rules/content")]);
        assert!(seeds(&manifest, "fuzz-record").is_empty());
    }

    #[test]
    fn the_number_of_inputs_is_read_from_the_final_statistics() {
        assert_eq!(inputs("Done\nstat::number_of_executed_units: 125346\n"), "125346");
        assert_eq!(inputs(""), "some");
    }
}

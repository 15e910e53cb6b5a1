//! Cargo builds whose products are then started by us. Takes a cargo command; gives the programs that it made.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::ebpf;
use crate::machine::Machine;
use crate::place::{self, Place};
use crate::setup::{self, Scope, debian};
use crate::step::{Step, tail};

/// A program that cargo made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Name of its target, as in `mayfly-agent` or `stories`.
    pub(crate) name: String,
    /// The folder of its crate, in which cargo would start it.
    pub(crate) folder: PathBuf,
    pub(crate) path: PathBuf,
    /// Whether it runs tests, or benchmarks, with Rust's harness or its own.
    pub(crate) test: bool,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A cargo command in the root workspace.
pub(crate) fn cargo(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(place::cargo());
    command.args(arguments).current_dir(&place.root);
    command
}

/// Brings what compiling for a machine needs, and builds the kernel programs for it.
pub(crate) fn prepare(place: &Place, machine: Machine) -> Result<()> {
    match machine {
        _ if machine == Machine::HERE => {}
        Machine::Aarch64 => setup::require(&setup::bring(place, Scope::Aarch64)?)?,
        Machine::X86_64 => bail!("for x86_64 is built on x86_64 only"),
    }
    ebpf::build_for(place, machine)
}

/// Builds the agent for a machine, with these options of cargo, and gives the program.
pub(crate) fn agent(place: &Place, machine: Machine, options: &[&str]) -> Result<PathBuf> {
    prepare(place, machine)?;
    let step = Step::begin(&place.logs(), &format!("build: agent for {}", machine.name()))?;
    let mut command = cargo(place, &["build", "-p", "agent", "--bin", "mayfly-agent"]);
    machine.build_for(command.args(options));
    let built = programs(&step, &mut command)?;
    step.end("built");
    let agent = built.into_iter().find(|program| program.name == "mayfly-agent");
    Ok(agent.context("the build made no mayfly-agent")?.path)
}

/// Runs a cargo build and gives the programs of the workspace that it made.
pub(crate) fn programs(step: &Step, command: &mut Command) -> Result<Vec<Program>> {
    let printed = step.try_run(command.arg("--message-format=json-render-diagnostics"))?;
    if printed.success {
        return Ok(printed.text.lines().filter_map(read).collect());
    }
    let said: Vec<&str> = printed.text.lines().filter(|line| !line.starts_with("{\"reason\"")).collect();
    bail!("the build failed:\n{}", tail(&said.join("\n")))
}

fn read(line: &str) -> Option<Program> {
    let message: Message = serde_json::from_str(line).ok()?;
    let made = message.reason == "compiler-artifact";
    let folder = message.manifest_path?.parent()?.to_owned();
    made.then_some(Program {
        name: message.target?.name,
        folder,
        path: message.executable?,
        test: message.profile?.test,
    })
}

/// What programs that start the agent, the collector and their surroundings are told.
pub(crate) fn surroundings(place: &Place, programs: &[Program]) -> Result<Vec<(&'static str, PathBuf)>> {
    let agent = programs.iter().find(|program| program.name == "mayfly-agent" && !program.test);
    let folder = agent.and_then(|program| program.path.parent()).map(Path::to_owned);
    let mut told = vec![("MAYFLY_BIN_DIR", folder.context("the build made no mayfly-agent")?)];
    if place.moto().is_file() {
        told.push(("MAYFLY_MOTO", place.moto()));
    }
    told.extend(debian::busybox().map(|path| ("MAYFLY_BUSYBOX", path)));
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Program, read};

    #[test]
    fn a_program_is_read_from_what_cargo_prints() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/a/tests/Cargo.toml","target":{"name":"stories","kind":["test"]},"profile":{"test":true},"executable":"/t/stories-1"}"#;
        let program = Program {
            name: "stories".to_owned(),
            folder: PathBuf::from("/a/tests"),
            path: PathBuf::from("/t/stories-1"),
            test: true,
        };
        assert_eq!(read(line), Some(program));
    }

    #[test]
    fn a_library_is_no_program() {
        assert_eq!(
            read(
                r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","target":{"name":"a"},"profile":{"test":false},"executable":null}"#
            ),
            None
        );
        assert_eq!(read("warning: unused"), None);
    }
}

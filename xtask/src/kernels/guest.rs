//! What a tested kernel finds as its root: the test program, the agent, the few programs that tests start, and the libraries of all
//! of them. Takes the built programs and a kernel's modules; gives the archive's bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::archive::Archive;
use super::module;
use super::release::Kernel;
use super::userland::Userland;
use crate::build::Program;
use crate::machine::Machine;
use crate::place::Place;
use crate::setup::debian;
use crate::step::Step;

const INIT: &str = include_str!("init.sh");

/// Programs that tests start by name, and for which busybox would not do: it goes by the name that it is started
/// with. Whatever else it knows stands last in the path.
const PROGRAMS: &[&str] = &[
    "bash", "cat", "chmod", "cp", "findmnt", "flock", "ln", "lsattr", "mkdir", "mv", "nice", "rm", "setpriv", "sh",
    "sleep", "touch", "true", "unshare",
];

/// Since Debian 12 these are links on every machine.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64"];

/// The agent needs no more for its check.
const CONFIGURATION: &str = "data = \"/tmp/mayfly\"\nnode = \"mayfly\"\n";

/// The programs under test, without what only a debugger reads.
pub(super) struct Tested {
    tests: PathBuf,
    agent: PathBuf,
    /// Makes system calls for the tests, which compile it themselves where there is a compiler.
    stimulus: PathBuf,
    userland: Userland,
}

impl Tested {
    /// Finds both among what cargo built, and copies them.
    pub(super) fn new(place: &Place, step: &Step, machine: Machine, programs: &[Program]) -> Result<Self> {
        let find = |name: &str, test: bool| {
            let found = programs.iter().find(|program| program.name == name && program.test == test);
            found.with_context(|| format!("the build made no {name}"))
        };
        let folder = place.own().join("tested").join(machine.name());
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let strip = |program: &Program| -> Result<PathBuf> {
            let to = folder.join(&program.name);
            step.run(Command::new(machine.tool("strip")).args(["--strip-debug", "-o"]).arg(&to).arg(&program.path))?;
            Ok(to)
        };
        let (tests, agent) = (strip(find("kernel", true)?)?, strip(find("mayfly-agent", false)?)?);
        let stimulus = folder.join("stimulus");
        let source = place.root.join("tests/kernel/stimulus.c");
        let mut compile = Command::new(machine.tool("gcc"));
        step.run(compile.args(["-O1", "-static", "-pthread", "-o"]).arg(&stimulus).arg(source))?;
        Ok(Self { tests, agent, stimulus, userland: Userland::bring(place, step, machine)? })
    }
}

/// The archive for one kernel. Tests whose names hold one of `filters` are run; none: all.
pub(super) fn root(tested: &Tested, kernel: &Kernel, filters: &[String]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.console();
    for folder in ["proc", "sys", "tmp", "run", "root", "var/tmp", "usr/lib64", "usr/sbin"] {
        archive.folder(folder);
    }
    for name in MERGED {
        archive.link(name, &format!("usr/{name}"));
    }
    archive.file("init", INIT.as_bytes());
    archive.file("mayfly/agent.toml", CONFIGURATION.as_bytes());
    archive.file("mayfly/tests", run_tests(filters)?.as_bytes());
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n");
    let mut programs = vec![("mayfly/kernel".to_owned(), tested.tests.clone())];
    programs.push(("mayfly/mayfly-agent".to_owned(), tested.agent.clone()));
    programs.push(("mayfly/stimulus".to_owned(), tested.stimulus.clone()));
    for name in PROGRAMS {
        programs.push((format!("usr/bin/{name}"), tested.userland.program(name)?));
    }
    let files: Vec<PathBuf> = programs.iter().map(|(_, from)| from.clone()).collect();
    for (to, from) in programs.into_iter().chain(tested.userland.libraries(&files)?) {
        archive.file(&to, &read(&from)?);
    }
    busybox(&mut archive, &tested.userland)?;
    for (number, module) in module::wanted(&kernel.modules)?.iter().enumerate() {
        archive.file(&format!("modules/{number:03}.ko"), module);
    }
    Ok(archive.finish())
}

fn run_tests(filters: &[String]) -> Result<String> {
    if let Some(bad) =
        filters.iter().find(|filter| !filter.chars().all(|one| one.is_alphanumeric() || "_:".contains(one)))
    {
        bail!("`{bad}` is no part of a test's name");
    }
    Ok(format!(
        "MAYFLY_FLOOD_PART=50 MAYFLY_STIMULUS=/mayfly/stimulus ./kernel --test-threads=1 --show-output {}\n",
        filters.join(" ")
    ))
}

/// The one of this machine says what it knows; that of another knows the same.
fn busybox(archive: &mut Archive, userland: &Userland) -> Result<()> {
    archive.file("usr/bin/busybox", &read(&userland.program("busybox")?)?);
    let here = debian::busybox().context("a static busybox")?;
    let output = Command::new(here).arg("--list").output().context("start busybox")?;
    for applet in String::from_utf8_lossy(&output.stdout).lines() {
        archive.link(&format!("busybox/{applet}"), "/bin/busybox");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

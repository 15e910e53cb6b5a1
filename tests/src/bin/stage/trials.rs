//! A program that is to be stopped, started again and again. Takes how often, how long it is left standing, and the program; says of
//! each whether it was stopped before it ended, and how many bytes it had written by then. Ends each by its descriptor's owner: itself.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Runs `program` so often, each left standing for `hold` after it was stopped; `from_memory`: its bytes are run from a memfd.
pub(crate) fn run(times: u32, hold: Duration, from_memory: bool, program: &str, arguments: &[&str]) -> Result<()> {
    let memory = from_memory.then(|| in_memory(program)).transpose()?;
    let path = memory.as_ref().map_or_else(|| program.to_owned(), |file| format!("/proc/self/fd/{}", file.as_raw_fd()));
    for _ in 0..times {
        let mut command = Command::new(&path);
        command.arg0(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {program}"))?;
        let id = Pid::from_raw(i32::try_from(child.id()).context("a process id fits")?);
        let stopped = matches!(waitpid(id, Some(WaitPidFlag::WUNTRACED))?, WaitStatus::Stopped(..));
        if stopped {
            std::thread::sleep(hold);
            child.kill()?;
            child.wait()?;
        }
        // It has ended, so what it wrote is all here.
        let mut written = Vec::new();
        child.stdout.take().context("its output is piped")?.read_to_end(&mut written)?;
        println!("trial: {} {}", if stopped { "stopped" } else { "ended" }, written.len());
    }
    println!("trials done");
    Ok(())
}

fn in_memory(program: &str) -> Result<File> {
    let bytes = fs::read(program).with_context(|| format!("read {program}"))?;
    // Without close-on-exec: the child finds its program by this descriptor's number.
    let mut file = File::from(memfd_create("trial", MFdFlags::empty())?);
    file.write_all(&bytes)?;
    Ok(file)
}

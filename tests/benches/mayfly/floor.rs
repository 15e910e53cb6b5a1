//! What the kernel itself takes of every system call once a tracepoint hangs at any: below that no sensor gets that hangs at one. The
//! tracepoint is at the end of another call and its event is written by nobody, into a buffer of its own.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The buffer, which others do not read.
const BUFFER: &str = "/sys/kernel/tracing/instances/mayfly-floor";
/// A call that is not measured.
const EVENT: &str = "events/syscalls/sys_exit_newuname/enable";

/// A tracepoint at a call of which nobody is told, until it is dropped.
pub(crate) struct Idle;

impl Idle {
    pub(crate) fn hang() -> Result<Self> {
        script(&format!("mkdir -p {BUFFER}; echo 1 > {BUFFER}/{EVENT}"))?;
        Ok(Self)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Err(problem) = script(&format!("echo 0 > {BUFFER}/{EVENT}; rmdir {BUFFER}")) {
            eprintln!("a tracepoint is left behind: {problem:#}");
        }
    }
}

/// In a mount namespace of its own, where the kernel's files for tracing are shown.
fn script(lines: &str) -> Result<()> {
    let script = format!("mount -t tracefs tracefs /sys/kernel/tracing; {lines}");
    let told = Command::new("unshare").args(["--mount", "sh", "-ec", &script]).output().context("run unshare")?;
    ensure!(told.status.success(), "{script}: {}", String::from_utf8_lossy(&told.stderr));
    Ok(())
}

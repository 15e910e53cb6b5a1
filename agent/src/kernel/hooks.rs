//! One hook after the other: loads its program, attaches it, and keeps the kernel's own words where it refuses. Takes the
//! shared table of hooks; gives what stands. A refusal never stops the next one.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use aya::programs::{BtfTracePoint, CgroupAttachMode, CgroupSockAddr, ProgramError, TracePoint};
use aya::{Btf, Ebpf};
use ebpf_common::hook::{Attach, HOOKS, Hook};

/// A hook, and whether it is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookState {
    /// As in the table of hooks.
    pub name: &'static str,
    /// What it tells about.
    pub noun: &'static str,
    /// By which way into the kernel.
    pub tier: &'static str,
    /// Whether its records come.
    pub attached: bool,
    /// Why not, in the kernel's words; empty where it is attached.
    pub refusal: String,
}

/// Where hooks are attached.
pub(super) struct Ground<'a> {
    /// The kernel's own types.
    pub(super) types: &'a Btf,
    /// The root of the version 2 cgroup tree.
    pub(super) cgroups: &'a Path,
}

/// Attaches every hook but those of a quarantine, which are attached when one begins.
pub(super) fn attach(ebpf: &mut Ebpf, ground: &Ground<'_>) -> Vec<HookState> {
    HOOKS
        .iter()
        .filter(|hook| hook.attach != Attach::Quarantine)
        .map(|hook| state(hook, one(ebpf, ground, hook)))
        .collect()
}

/// Attached by a link, programs of a cgroup always stand beside those of others, and the kernel takes no word for it.
pub(super) const BESIDE_OTHERS: CgroupAttachMode = CgroupAttachMode::Single;

/// A hook's line in the report.
pub(super) fn state(hook: &Hook, result: Result<(), String>) -> HookState {
    let refusal = result.err().unwrap_or_default();
    HookState { name: hook.program, noun: hook.noun, tier: hook.tier.name(), attached: refusal.is_empty(), refusal }
}

fn one(ebpf: &mut Ebpf, ground: &Ground<'_>, hook: &Hook) -> Result<(), String> {
    let program = ebpf.program_mut(hook.program).ok_or_else(|| "not in the object".to_owned())?;
    let result = match hook.attach {
        Attach::BtfTracepoint(point) => <&mut BtfTracePoint>::try_from(program).and_then(|program| {
            program.load(point, ground.types)?;
            program.attach().map(drop)
        }),
        Attach::SyscallExit(name) => <&mut TracePoint>::try_from(program).and_then(|program| {
            program.load()?;
            program.attach("syscalls", &format!("sys_exit_{name}")).map(drop)
        }),
        Attach::RootCgroupAddress => <&mut CgroupSockAddr>::try_from(program).and_then(|program| {
            program.load()?;
            program.attach(File::open(ground.cgroups)?, BESIDE_OTHERS).map(drop)
        }),
        Attach::Quarantine => Ok(()),
    };
    result.map_err(|refused| words(&refused))
}

/// The kernel's words on one line. Of a verifier's log only the end says why.
pub(super) fn words(error: &ProgramError) -> String {
    const LINES: usize = 3;
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        let log = verifier_log.to_string();
        let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("processed ")).collect();
        let end = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join(" / ");
        return format!("{io_error}: {end}");
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

//! One hook after the other: tries its ways, the best first, and keeps the kernel's own words where it refuses one. Takes the
//! shared table of hooks; gives what stands. A refusal never stops the next way, nor the next hook.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, CgroupSysctl, FEntry, FExit,
    KProbe, Lsm, ProgramError, TracePoint,
};
use aya::{Btf, BtfError, Ebpf};
use ebpf_common::hook::{Attach, HOOKS, Hook, Program, Tier, Way};
use nix::errno::Errno;

use super::gate::Gates;
use super::places;
use super::tiers::Tiers;

/// A hook, and the way by which it is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookState {
    /// As in the table of hooks.
    pub name: &'static str,
    /// What it tells about.
    pub noun: &'static str,
    /// By which way into the kernel; `none` where no way is granted.
    pub tier: &'static str,
    /// Whether its records come.
    pub attached: bool,
    /// What this kernel cannot do at all, so that there is nothing to see and nothing to attach; empty elsewhere.
    pub absent: &'static str,
    /// The programs that are in the kernel for it.
    pub programs: Vec<&'static str>,
    /// What was not granted: better ways, and places that this kernel does not have.
    pub refusals: Vec<Refusal>,
}

/// A way, or a program of one, that the kernel does not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The way's.
    pub tier: &'static str,
    /// The program; empty where the whole tier was not tried.
    pub program: &'static str,
    /// In the kernel's words.
    pub why: String,
    /// The place is not there at all.
    pub is_absent: bool,
}

impl HookState {
    /// It is not there, although there would be something to see.
    pub fn is_refused(&self) -> bool {
        !self.attached && self.absent.is_empty()
    }

    /// Why it is refused; empty where it is not.
    pub fn refusal(&self) -> String {
        if !self.is_refused() {
            return String::new();
        }
        let words: Vec<String> = self.refusals.iter().map(ToString::to_string).collect();
        words.join("; ")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.program {
            "" => write!(out, "not by {}: {}", self.tier, self.why),
            program => write!(out, "not by {} {program}: {}", self.tier, self.why),
        }
    }
}

/// Where hooks are attached.
pub(super) struct Ground<'a> {
    /// The kernel's own types.
    pub(super) types: &'a Btf,
    /// The root of the version 2 cgroup tree.
    pub(super) cgroups: &'a Path,
    /// Programs that need what this kernel does not have, and what that is.
    pub(super) lacks: &'a BTreeMap<String, String>,
    /// What is worth a try.
    pub(super) tiers: Tiers,
    /// What programs stand behind, where they are to outlive this process.
    pub(super) gates: Option<Gates>,
    /// What does not outlive it all the same, and why.
    pub(super) not_kept: Vec<String>,
}

/// Attaches every hook, but for the programs of a quarantine, which are loaded only.
pub(super) fn attach(ebpf: &mut Ebpf, ground: &mut Ground<'_>) -> Vec<HookState> {
    HOOKS.iter().map(|hook| state(ebpf, ground, hook)).collect()
}

/// No hook at all, for one reason that holds for every way.
pub(super) fn refused(why: &str) -> Vec<HookState> {
    let refused = |hook: &Hook| {
        let refusal = |way: &Way| Refusal { tier: way.tier.name(), program: "", why: why.to_owned(), is_absent: false };
        let (name, noun, refusals) = (hook.name, hook.noun, hook.ways.iter().map(refusal).collect());
        HookState { name, noun, tier: "none", attached: false, absent: "", programs: Vec::new(), refusals }
    };
    HOOKS.iter().map(refused).collect()
}

/// Attached by a link, programs of a cgroup always stand beside those of others, and the kernel takes no word for it.
pub(super) const BESIDE_OTHERS: CgroupAttachMode = CgroupAttachMode::Single;

fn state(ebpf: &mut Ebpf, ground: &mut Ground<'_>, hook: &Hook) -> HookState {
    let mut state = HookState {
        name: hook.name,
        noun: hook.noun,
        tier: "none",
        attached: false,
        absent: "",
        programs: Vec::new(),
        refusals: Vec::new(),
    };
    for (number, way) in hook.ways.iter().enumerate() {
        let whole = by(ebpf, ground, way, &mut state);
        // What the last way grants in part is better than nothing, and is said to be a part.
        let is_last = number + 1 == hook.ways.len();
        if !state.programs.is_empty() && (whole || is_last) {
            state.tier = way.tier.name();
            state.attached = whole;
            break;
        }
        // All of them are optional. Whether the kernel does not have the places or only refused them is not the same.
        if whole && state.refusals.iter().filter(|refusal| refusal.tier == way.tier.name()).all(|it| it.is_absent) {
            state.absent = hook.absence;
        }
        state.programs.clear();
        for program in way.programs {
            ebpf.program_mut(program.name).map(unload);
            if let Some(gates) = &mut ground.gates {
                gates.give_up(program);
            }
        }
    }
    state
}

/// Attaches the programs of a way; says whether the way is whole.
fn by(ebpf: &mut Ebpf, ground: &mut Ground<'_>, way: &Way, state: &mut HookState) -> bool {
    let tier = way.tier.name();
    if let Some(why) = ground.tiers.refusal(way.tier) {
        state.refusals.push(Refusal { tier, program: "", why: why.to_owned(), is_absent: false });
        return false;
    }
    let mut whole = true;
    for program in way.programs {
        match granted(ebpf, ground, program, way.tier) {
            Ok(()) => state.programs.push(program.name),
            Err(refusal) => {
                state.refusals.push(refusal);
                whole &= program.optional;
            }
        }
        if !whole && way.tier != Tier::Tracepoint {
            break;
        }
    }
    whole
}

/// Loads and attaches a program, or says why not. One that would read or hang where nothing is, is never loaded.
fn granted(ebpf: &mut Ebpf, ground: &mut Ground<'_>, program: &Program, tier: Tier) -> Result<(), Refusal> {
    let refusal = |why, is_absent| Refusal { tier: tier.name(), program: program.name, why, is_absent };
    if let Some(why) = places::missing(ground.types, program.attach) {
        return Err(refusal(why, true));
    }
    if let Some(lack) = ground.lacks.get(program.name) {
        return Err(refusal(lack.clone(), false));
    }
    let begun = Instant::now();
    let answer = one(ebpf, ground, program);
    let milliseconds = begun.elapsed().as_millis();
    tracing::debug!(program = program.name, milliseconds, granted = answer.is_ok(), "program");
    answer.map_err(|refused| {
        let why = words(&refused);
        if is_forbidden(&refused) && tier != Tier::Tracepoint {
            ground.tiers.refuse(tier, format!("as of {}: {why}", program.name));
        }
        refusal(why, false)
    })
}

fn one(ebpf: &mut Ebpf, ground: &mut Ground<'_>, hung: &Program) -> Result<(), ProgramError> {
    let program = ebpf.program_mut(hung.name).ok_or(ProgramError::NotLoaded)?;
    // One program may hang at many calls.
    if program.fd().is_err() {
        load(program, hung, ground.types)?;
    }
    let Some(gates) = ground.gates.as_mut().filter(|_| hung.attach != Attach::Quarantine) else {
        return fasten(program, hung, ground.cgroups);
    };
    let fd = program.fd()?.try_clone()?;
    let Err(error) = gates.hang(ground.types, ground.cgroups, hung, &fd) else { return Ok(()) };
    // A place that this kernel does not have refuses here as well.
    fasten(program, hung, ground.cgroups)?;
    ground.not_kept.push(format!("{}: {}", hung.name, crate::deliver::chain(&error)));
    Ok(())
}

/// Brings a program in for its place.
pub(super) fn load(program: &mut aya::programs::Program, hung: &Program, types: &Btf) -> Result<(), ProgramError> {
    match hung.attach {
        Attach::Lsm(point) => <&mut Lsm>::try_from(program)?.load(point, types),
        Attach::Fentry(names) => {
            let program: &mut FEntry = program.try_into()?;
            first(names, |name| program.load(name, types))
        }
        Attach::Fexit(names) => {
            let program: &mut FExit = program.try_into()?;
            first(names, |name| program.load(name, types))
        }
        Attach::Kprobe(_) | Attach::Kretprobe(_) => <&mut KProbe>::try_from(program)?.load(),
        Attach::BtfTracepoint(point) => <&mut BtfTracePoint>::try_from(program)?.load(point, types),
        Attach::Tracepoint { .. } | Attach::SyscallEnter(_) | Attach::SyscallExit(_) => {
            <&mut TracePoint>::try_from(program)?.load()
        }
        Attach::RootCgroupAddress => <&mut CgroupSockAddr>::try_from(program)?.load(),
        Attach::RootCgroupSysctl => <&mut CgroupSysctl>::try_from(program)?.load(),
        Attach::RootCgroupEgress | Attach::RootCgroupIngress | Attach::Quarantine => {
            <&mut CgroupSkb>::try_from(program)?.load()
        }
    }
}

/// Hangs a loaded program at its place, for as long as this process has it.
fn fasten(program: &mut aya::programs::Program, hung: &Program, cgroups: &Path) -> Result<(), ProgramError> {
    match hung.attach {
        Attach::Lsm(_) => <&mut Lsm>::try_from(program)?.attach().map(drop),
        Attach::Fentry(_) => <&mut FEntry>::try_from(program)?.attach().map(drop),
        Attach::Fexit(_) => <&mut FExit>::try_from(program)?.attach().map(drop),
        Attach::Kprobe(names) | Attach::Kretprobe(names) => {
            let program: &mut KProbe = program.try_into()?;
            first(names, |name| program.attach(name, 0).map(drop))
        }
        Attach::BtfTracepoint(_) => <&mut BtfTracePoint>::try_from(program)?.attach().map(drop),
        Attach::Tracepoint { .. } | Attach::SyscallEnter(_) | Attach::SyscallExit(_) => {
            let (category, name) = tracepoint(hung).ok_or(ProgramError::NotLoaded)?;
            <&mut TracePoint>::try_from(program)?.attach(category, &name).map(drop)
        }
        Attach::RootCgroupAddress => {
            <&mut CgroupSockAddr>::try_from(program)?.attach(File::open(cgroups)?, BESIDE_OTHERS).map(drop)
        }
        Attach::RootCgroupSysctl => {
            <&mut CgroupSysctl>::try_from(program)?.attach(File::open(cgroups)?, BESIDE_OTHERS).map(drop)
        }
        Attach::RootCgroupEgress => packets(cgroups, program.try_into()?, CgroupSkbAttachType::Egress),
        Attach::RootCgroupIngress => packets(cgroups, program.try_into()?, CgroupSkbAttachType::Ingress),
        Attach::Quarantine => Ok(()),
    }
}

/// Category and name of a tracepoint as tracefs shows them.
pub(super) fn tracepoint(hung: &Program) -> Option<(&'static str, String)> {
    match hung.attach {
        Attach::Tracepoint { category, name } => Some((category, name.to_owned())),
        Attach::SyscallEnter(call) => Some(("syscalls", format!("sys_enter_{call}"))),
        Attach::SyscallExit(call) => Some(("syscalls", format!("sys_exit_{call}"))),
        _ => None,
    }
}

/// Takes a program out of the kernel, with its attachments. Not loaded, or of a kind that no way but the last uses: nothing to do.
fn unload(program: &mut aya::programs::Program) {
    use aya::programs::Program;
    let _not_loaded = match program {
        Program::Lsm(program) => program.unload(),
        Program::FEntry(program) => program.unload(),
        Program::FExit(program) => program.unload(),
        Program::KProbe(program) => program.unload(),
        Program::TracePoint(program) => program.unload(),
        Program::BtfTracePoint(program) => program.unload(),
        _ => Ok(()),
    };
}

fn packets(cgroups: &Path, program: &mut CgroupSkb, direction: CgroupSkbAttachType) -> Result<(), ProgramError> {
    program.attach(File::open(cgroups)?, direction, BESIDE_OTHERS).map(drop)
}

/// Tries the names that a function has on one kernel and another; what was said of one that this kernel has stands, else the last refusal.
pub(super) fn first<T>(
    names: &str,
    mut attempt: impl FnMut(&str) -> Result<T, ProgramError>,
) -> Result<T, ProgramError> {
    let mut refusal = ProgramError::NotLoaded;
    for name in names.split('|') {
        match attempt(name) {
            Ok(done) => return Ok(done),
            Err(error) => {
                let is_there = !matches!(error, ProgramError::Btf(BtfError::UnknownBtfTypeName { .. }));
                if is_there || matches!(refusal, ProgramError::NotLoaded) {
                    refusal = error;
                }
            }
        }
    }
    Err(refusal)
}

/// The kernel lets nobody of ours do such a thing, whichever the program.
fn is_forbidden(refused: &ProgramError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(refused);
    while let Some(error) = cause {
        // Not EACCES, which is what a verifier says of one program.
        if error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) == Some(Errno::EPERM as i32) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The kernel's words on one line. Of a verifier's log only the end says why.
fn words(error: &ProgramError) -> String {
    const LINES: usize = 3;
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        let log = verifier_log.to_string();
        let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("processed ")).collect();
        let end = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join(" / ");
        return if end.is_empty() { io_error.to_string() } else { format!("{io_error}: {end}") };
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_ways_of_a_hook_stand_from_the_best_to_the_last_resort() {
        for hook in HOOKS {
            assert!(hook.ways.is_sorted_by(|one, next| one.tier > next.tier), "{}", hook.name);
        }
    }

    #[test]
    fn a_hook_that_a_kernel_may_be_built_without_says_what_such_a_kernel_cannot_do() {
        for hook in HOOKS {
            let mut programs = hook.ways.iter().flat_map(|way| way.programs);
            assert_eq!(programs.all(|program| program.optional), !hook.absence.is_empty(), "{}", hook.name);
        }
    }

    #[test]
    fn every_program_of_the_object_stands_in_the_table() {
        let object = aya_obj::Object::parse(super::super::load::OBJECT).expect("our own object");
        let programs = HOOKS.iter().flat_map(|hook| hook.ways).flat_map(|way| way.programs);
        // One program may hang at many calls.
        let listed: BTreeSet<&str> = programs.map(|program| program.name).collect();
        let built: BTreeSet<&str> = object.programs.keys().map(String::as_str).collect();
        assert_eq!(listed, built);
    }
}

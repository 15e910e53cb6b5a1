//! What the kernel counts of the programs that a process loaded: nanoseconds and runs. Takes the process; gives what one call of a
//! work spent in each program. The counting itself costs, so it is on only while one of these lives.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use aya::programs::loaded_programs;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// A program: nanoseconds and runs since it was loaded.
pub(crate) type Spent = BTreeMap<u32, (f64, f64)>;

/// The kernel counts what programs take. It is told so for as long as this lives.
pub(crate) struct Counted {
    /// Name of each program of the process, as far as the kernel keeps it.
    programs: BTreeMap<u32, String>,
    process: u32,
    before: String,
}

impl Counted {
    /// Of the programs that this process holds.
    pub(crate) fn begin(process: u32) -> Result<Self> {
        let held = fd_fields(process)?;
        let mut programs = BTreeMap::new();
        for program in loaded_programs() {
            let program = program.context("ask for the programs")?;
            if held.contains_key(&program.id()) {
                programs.insert(program.id(), program.name_as_str().unwrap_or_default().to_owned());
            }
        }
        let before = fs::read_to_string(SWITCH)?;
        fs::write(SWITCH, "1").context("count what programs take")?;
        Ok(Self { programs, process, before })
    }

    /// Since each was loaded.
    pub(crate) fn spent(&self) -> Result<Spent> {
        fd_fields(self.process)
    }

    /// Nanoseconds of one of `calls` since then, by program. Others on the machine run the programs too: whole runs a call are ours.
    pub(crate) fn since(&self, before: &Spent, calls: u32) -> Result<Vec<(String, f64)>> {
        let mut spent = Vec::new();
        for (id, (time, runs)) in self.spent()? {
            let (time_before, runs_before) = before.get(&id).copied().unwrap_or_default();
            let (time, runs) = (time - time_before, runs - runs_before);
            let ours = time / runs.max(1.0) * (runs / f64::from(calls)).round();
            if ours > 0.0 {
                spent.push((self.programs.get(&id).cloned().unwrap_or_default(), ours));
            }
        }
        Ok(spent)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Err(problem) = fs::write(SWITCH, &self.before) {
            eprintln!("what programs take is still counted: {problem}");
        }
    }
}

/// What the kernel says behind each descriptor of a program.
fn fd_fields(process: u32) -> Result<Spent> {
    let mut spent = Spent::new();
    for entry in fs::read_dir(format!("/proc/{process}/fdinfo"))? {
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        if let (Some(id), Some(time), Some(runs)) = (field("prog_id:"), field("run_time_ns:"), field("run_cnt:")) {
            spent.insert(u32::try_from(id)?, (time as f64, runs as f64));
        }
    }
    Ok(spent)
}

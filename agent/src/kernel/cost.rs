//! What each program costs: the verifier once, every run of it the machine. Takes the loaded programs; gives the kernel's own
//! numbers. Counts nothing itself.

use aya::Ebpf;
use aya::programs::ProgramError;

use super::gate::Gates;

/// The kernel's numbers of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// The program, as in the object.
    pub name: String,
    /// Instructions that the verifier looked at before it let the program in; `None` before Linux 5.16, which does not say.
    pub verified: Option<u32>,
    /// How often it ran, while `kernel.bpf_stats_enabled` was set.
    pub runs: u64,
    /// Nanoseconds that those runs took.
    pub nanoseconds: u128,
}

/// Of every program that is in the kernel, by name.
pub(super) fn costs(ebpf: &Ebpf, gates: Option<&Gates>) -> Result<Vec<ProgramCost>, ProgramError> {
    let mut costs = Vec::new();
    for (name, program) in ebpf.programs() {
        let info = match program.info() {
            Ok(info) => info,
            Err(ProgramError::NotLoaded) => continue,
            Err(error) => return Err(error),
        };
        let at_gates = gates.map(|gates| gates.runs(name)).transpose()?.unwrap_or_default();
        costs.push(ProgramCost {
            name: name.to_owned(),
            verified: info.verified_instruction_count(),
            runs: info.run_count() + at_gates.0,
            nanoseconds: (info.run_time() + at_gates.1).as_nanos(),
        });
    }
    costs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(costs)
}

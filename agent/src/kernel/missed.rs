//! Calls that a probe by breakpoint did not see: at the end of a function there is room for so many callers that wait in it, and who comes
//! when it is taken is not probed. Takes the loaded programs; gives the kernel's own count for each hook, from the description of the
//! attachment's descriptor, which has it since 6.17. A hook on probes of which the kernel says nothing is absent.
//! `bpf_perf_link_fdinfo_kprobe` in <https://github.com/torvalds/linux/blob/v6.18/kernel/bpf/syscall.c>

use std::collections::BTreeMap;
use std::fs;

use aya::Ebpf;
use ebpf_common::hook::{HOOKS, Tier};

use super::gate::Gates;
use super::hooks::HookState;

const DESCRIPTORS: &str = "/proc/self/fdinfo";

/// The counts. Looks at nothing where no hook is on probes. Behind a gate it is the gate that hangs.
pub(super) fn read(ebpf: &Ebpf, gates: Option<&Gates>, hooks: &[HookState]) -> BTreeMap<&'static str, u64> {
    let probed: Vec<&HookState> = hooks.iter().filter(|hook| hook.tier == Tier::Kprobe.name()).collect();
    if probed.is_empty() {
        return BTreeMap::new();
    }
    let attached = attached();
    let mut counts = BTreeMap::new();
    for row in HOOKS.iter().filter(|row| probed.iter().any(|hook| hook.name == row.name)) {
        let programs = row.ways.iter().filter(|way| way.tier == Tier::Kprobe).flat_map(|way| way.programs);
        let numbers = programs.flat_map(|program| {
            let own = ebpf.program(program.name).and_then(|program| Some(program.info().ok()?.id()));
            own.into_iter().chain(gates.into_iter().flat_map(|gates| gates.numbers(program.name)))
        });
        let told: Vec<u64> = numbers.filter_map(|number| attached.get(&number).copied()).collect();
        if !told.is_empty() {
            counts.insert(row.name, told.iter().sum());
        }
    }
    counts
}

/// What the kernel counted for each program, by the program's number.
fn attached() -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    let entries = fs::read_dir(DESCRIPTORS).into_iter().flatten().flatten();
    // A descriptor may be closed between the list and the look.
    for text in entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()) {
        if let Some((program, missed)) = count(&text) {
            *counts.entry(program).or_default() += missed;
        }
    }
    counts
}

/// The program's number and the count in the description of a descriptor; nothing where it is no such attachment.
fn count(text: &str) -> Option<(u32, u64)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("prog_id:")?.parse().ok()?, field("missed:")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_attachment_of_a_probe_has_a_count() {
        let probe = "pos:\t0\nflags:\t02000000\nmnt_id:\t16\nino:\t10\nlink_type:\tperf\nlink_id:\t33\n\
                     prog_tag:\tb9f0ebc3cc57f1d2\nprog_id:\t65\nname:\tinet_accept\noffset:\t0x0\nmissed:\t7\n\
                     addr:\t0xffffffff8b5d9c40\nevent_type:\tkretprobe\ncookie:\t0\n";
        assert_eq!(count(probe), Some((65, 7)));
        let older = probe.replace("missed:\t7\n", "");
        assert_eq!(count(&older), None);
        assert_eq!(count("pos:\t0\nflags:\t0100002\nmnt_id:\t16\nino:\t1\n"), None);
        assert_eq!(count(&probe.replace("\t7\n", "\tmany\n")), None);
    }
}

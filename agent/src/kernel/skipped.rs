//! Runs that the kernel left out: a program that would interrupt itself on the same CPU is not run again, and says nothing of it. Takes the
//! loaded programs; gives the kernel's own count for each hook (`recursion_misses` of the program's descriptor, since 5.12).
//! `bpf_prog_show_fdinfo` in <https://github.com/torvalds/linux/blob/v6.18/kernel/bpf/syscall.c>

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use aya::Ebpf;
use ebpf_common::hook::HOOKS;

use super::gate::Gates;

const FIELD: &str = "recursion_misses:";

/// The counts; a hook whose programs say nothing of it is absent. Behind a gate a program never starts by itself: its gate counts.
pub(super) fn read(ebpf: &Ebpf, gates: Option<&Gates>) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for hook in HOOKS {
        for program in hook.ways.iter().flat_map(|way| way.programs) {
            let own = ebpf.program(program.name).and_then(|program| program.fd().ok());
            for descriptor in own.into_iter().chain(gates.into_iter().flat_map(|gates| gates.programs(program.name))) {
                let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
                let Ok(text) = fs::read_to_string(path) else { continue };
                let count = text.lines().find_map(|line| line.strip_prefix(FIELD)?.trim().parse::<u64>().ok());
                *counts.entry(hook.name).or_default() += count.unwrap_or(0);
            }
        }
    }
    counts
}

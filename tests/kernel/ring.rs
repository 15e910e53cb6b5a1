//! Numbers and losses: every number is either read or counted as lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;

use agent::decode::decode;
use agent::kernel::{Budgets, Kernel, Rate, RingBytes, Rings};
use ebpf_common::Class;
use ebpf_common::loss::Outcome;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::watch::{allowed, config, folder, page};

type Seen = BTreeMap<(u16, u8), BTreeSet<u64>>;

fn drain(rings: &mut Rings, seen: &mut Seen) {
    while rings.drain(1000, |bytes| {
        let header = decode(bytes).expect("the kernel programs emit true records").header;
        // One without a number is no hole.
        let numbers = seen.entry((header.cpu, header.class)).or_default();
        let new = header.sequence == 0 || numbers.insert(header.sequence);
        assert!(new, "number {} of CPU {} twice", header.sequence, header.cpu);
    }) > 0
    {}
}

/// One record on every CPU, so that the last number of each is in the ring.
fn mark_every_cpu(folder: &std::path::Path) {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    for cpu in 0..cpus {
        let mut set = CpuSet::new();
        set.set(cpu).expect("a CPU that is there");
        sched_setaffinity(Pid::from_raw(0), &set).expect("move to it");
        File::create(folder.join("mark")).expect("make a file");
    }
}

#[test]
fn a_full_ring_loses_exactly_what_it_counts() {
    if !allowed() {
        println!("skipped: needs root and BPF");
        return;
    }
    let (_keep, folder) = folder();
    let mut config = config();
    config.rings = RingBytes { file: 4096, ..RingBytes::default() };
    // What is over the budget is no loss, and a large page takes more than the budget of a second to fill.
    config.budgets = Budgets { file: Rate(0), ..Budgets::default() };
    let kernel = Kernel::load(&config).expect("load the kernel programs");
    let mut rings = kernel.take_rings().expect("nobody took the rings before");
    let mut seen = Seen::new();
    let files = 500 * page() / 4096;
    for _ in 0..files {
        File::create(folder.join("flood")).expect("make a file");
    }
    drain(&mut rings, &mut seen);
    // What comes now is read as it comes, until nothing was lost between two marks.
    let lost = loop {
        let before = lost(&kernel);
        drain(&mut rings, &mut seen);
        mark_every_cpu(&folder);
        std::thread::sleep(Duration::from_millis(5));
        drain(&mut rings, &mut seen);
        if lost(&kernel) == before {
            break before;
        }
    };
    assert!(lost > files as u64 * 4 / 5, "one page cannot hold {files} records, {lost} were lost");
    let class = Class::File as u8;
    let missing: u64 = seen
        .iter()
        .filter(|((_, of), _)| *of == class)
        .map(|(_, numbers)| numbers.last().unwrap_or(&0) - numbers.len() as u64)
        .sum();
    assert_eq!(missing, lost);
    for (cpu_and_class, numbers) in seen.iter().filter(|((_, of), _)| *of != class) {
        assert_eq!(numbers.len() as u64, *numbers.last().unwrap_or(&0), "numbers of {cpu_and_class:?} are dense");
    }
    let reported: Vec<_> = kernel.losses().expect("read the counters");
    let of_file = reported.iter().find(|loss| loss.class == Class::File).expect("a loss of files");
    assert_eq!(of_file.reason, Outcome::RingFull);
    assert!(of_file.count >= lost);
}

fn lost(kernel: &Kernel) -> u64 {
    let counted = kernel.counted().expect("read the counters");
    counted
        .iter()
        .filter(|(what, _)| what.class == Class::File && Outcome::LOSSES.contains(&what.outcome))
        .map(|(_, count)| count)
        .sum()
}

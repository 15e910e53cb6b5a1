//! The agent's canary on whichever kernel this runs, by whichever ways it grants: each known call is told by its hook, and what the kernel counts
//! of its own misses is read where it says it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use agent::canary::{Rounds, Sighted, number};
use agent::coverage::Coverage;
use agent::decode::decode;
use agent::kernel::{Budgets, Kernel, KernelConfig, Rate};
use proto::v1::CanaryOutcome;
use tests::world::place::Place;

use crate::watch::{allowed, config};

/// A hook is missed after its second silent round.
const ROUNDS: u64 = 3;
/// As far apart as the coverage is told anew.
const APART_NS: u64 = 300 * 1_000_000_000;

#[test]
fn each_known_call_is_told_by_its_hook() {
    let place = Place::new("canary").expect("a folder for the canary");
    let program = place.program("mayfly-agent");
    if !allowed() || !program.exists() {
        println!("skipped: needs root, BPF, and {} (`cargo build -p agent`)", program.display());
        return;
    }
    // What others do on this machine must not use up the canary's budget.
    let budgets = Budgets { network: Rate(0), file: Rate(0) };
    let kernel = Kernel::load(&KernelConfig { budgets, ..config() }).expect("load the kernel programs");
    let (sighted, over) = (Sighted::default(), Arc::new(AtomicBool::new(false)));
    let (mut rings, eyes, end) = (kernel.take_rings().expect("nobody took them"), sighted.clone(), Arc::clone(&over));
    let reader = thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            rings.wait().expect("wait for records");
            let look = |bytes: &[u8]| {
                let record = decode(bytes).expect("the kernel programs emit true records");
                eyes.takes(&record.header, number(&record));
            };
            while rings.drain(1000, look) > 0 {}
        }
    });
    let (folder, cgroups) = (place.path("ground"), kernel.cgroup_root().to_owned());
    let mut rounds = Rounds::new(program, folder.clone(), cgroups, sighted, Arc::clone(&over));
    let mut coverage = Coverage::new(kernel.hooks());
    let mut told = None;
    for round in 1..=ROUNDS {
        let made = rounds.make();
        made.as_ref().expect("the canary makes its calls");
        told = coverage.judge(&made, &kernel.left_out(), round * APART_NS);
    }
    drop(rounds);
    over.store(true, Ordering::Relaxed);
    reader.join().expect("every record was true");
    assert!(!folder.exists(), "the canary leaves nothing behind");
    for covered in told.expect("it is told after so long").hooks {
        let hook = covered.hook.as_ref().expect("coverage is of a hook");
        println!("canary {} {} {:?} {}", hook.name, hook.tier, covered.canary(), covered.canary_why);
        assert_ne!(covered.canary(), CanaryOutcome::Missed, "{} by {}", hook.name, hook.tier);
        let seen = covered.canary() == CanaryOutcome::Seen;
        assert!(!hook.attached || seen || !covered.canary_why.is_empty(), "{}: nobody says why not", hook.name);
    }
}

#[test]
fn what_probes_missed_is_read_where_the_kernel_says_it() {
    /// From here on the count stands in the description of an attachment.
    const SAYS: (u32, u32) = (6, 17);
    if !allowed() {
        println!("skipped: needs root and BPF");
        return;
    }
    let highest_tier = ebpf_common::hook::Tier::Kprobe;
    let kernel = Kernel::load(&KernelConfig { highest_tier, ..config() }).expect("load the kernel programs");
    let probed: Vec<&str> = kernel.hooks().iter().filter(|hook| hook.tier == "kprobe").map(|hook| hook.name).collect();
    let missed = kernel.left_out().missed;
    println!("on probes: {probed:?}; missed: {missed:?}");
    let expected: Vec<&str> = if release() >= SAYS { probed } else { Vec::new() };
    assert!(expected.iter().all(|name| missed.contains_key(name)) && missed.len() == expected.len());
}

/// The running kernel's two first numbers.
fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel says which it is");
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

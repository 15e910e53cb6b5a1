//! Runs last, by its name: says which hooks the tests before it saw at work, and what each program cost. `cargo xtask kernels`
//! reads these lines.

use ebpf_common::hook::HOOKS;

use crate::watch::watch;

#[test]
fn each_attached_program_is_in_the_kernel_and_counted() {
    let Some(watch) = watch() else { return };
    let folder = tempfile::tempdir().expect("make a folder");
    watch.settle(folder.path());
    let costs = watch.kernel.costs().expect("ask the kernel about its programs");
    for cost in &costs {
        println!("program {} {} {} {}", cost.name, cost.verified.unwrap_or(0), cost.runs, cost.nanoseconds);
    }
    let kinds = watch.kinds();
    for (hook, state) in HOOKS.iter().zip(watch.kernel.hooks()) {
        let ran = || costs.iter().any(|cost| cost.runs > 0 && state.programs.contains(&cost.name.as_str()));
        // A hook that tells nothing can only be known by its programs.
        if hook.kinds.iter().all(|kind| kinds.contains(&(*kind as u16))) && (!hook.kinds.is_empty() || ran()) {
            println!("seen {}", hook.name);
        }
        for program in &state.programs {
            assert!(costs.iter().any(|cost| cost.name == *program), "{program} is attached and not in the kernel");
        }
    }
}

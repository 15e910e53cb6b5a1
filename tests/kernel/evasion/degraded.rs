//! A kernel that lets little in: what it refuses is said, hook by hook and way by way, and never left out.

use std::path::Path;

use agent::kernel::{HookState, Kernel, KernelConfig};
use ebpf_common::hook::{HOOKS, Tier};

use super::begin;

/// Every way that is better than the one that is taken, or every way where none is, stands there with the reason.
fn is_told_whole(state: &HookState) {
    let hook = HOOKS.iter().find(|hook| hook.name == state.name).expect("a hook of the table");
    for way in hook.ways.iter().take_while(|way| !state.attached || way.tier.name() != state.tier) {
        let tier = way.tier.name();
        let why = state.refusals.iter().find(|refusal| refusal.tier == tier);
        assert!(why.is_some_and(|refusal| !refusal.why.is_empty()), "{} by {tier} is silent: {state:?}", state.name);
    }
}

#[test]
fn each_hook_that_a_kernel_does_not_grant_by_its_best_way_says_why() {
    let Some((watch, _)) = begin(34) else { return };
    let told = watch.kernel.hooks();
    assert_eq!(told.len(), HOOKS.len(), "none is left out");
    told.iter().for_each(is_told_whole);
    let lsm = |hook: &&HookState| hook.tier == Tier::Lsm.name();
    let modules = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let grants = modules.split(',').any(|module| module.trim() == "bpf");
    assert!(grants || !told.iter().any(|hook| lsm(&hook)), "a module that is not active never runs a program");
}

#[test]
fn a_kernel_whose_types_are_not_known_is_not_watched_and_every_hook_says_so() {
    if begin(34).is_none() {
        return;
    }
    let types = Path::new("/nonexistent/types");
    let kernel = Kernel::load(&KernelConfig { types: types.to_owned(), ..KernelConfig::default() });
    let kernel = kernel.expect("a kernel without types is no reason to end");
    assert_eq!(kernel.hooks().len(), HOOKS.len());
    for hook in kernel.hooks() {
        is_told_whole(hook);
        let named = hook.refusals.iter().all(|refusal| refusal.why.contains("/nonexistent/types"));
        assert!(named && !hook.attached && hook.tier == "none" && hook.programs.is_empty(), "{hook:?}");
    }
    assert!(kernel.take_rings().is_some(), "there is a ring to wait at, in which nothing comes");
    assert!(kernel.losses().expect("the counters are there").is_empty());
}

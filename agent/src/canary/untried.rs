//! Hooks that the canary does not try, and why. Takes the name of a hook; gives the reason. A hook that is neither here nor among the calls
//! fails a test.

/// By hook.
const UNTRIED: &[(&str, &str)] = &[
    ("open_by_handle", NO_SAFE_CALL),
    ("map", NO_SAFE_CALL),
    ("executable", NO_SAFE_CALL),
    ("clone", "few filesystems share blocks, and none that a node surely has"),
    ("handle", NO_SAFE_CALL),
    ("userfault", NO_SAFE_CALL),
    ("key", NO_SAFE_CALL),
    ("kexec", NO_SAFE_CALL),
    ("uring_setup", NO_SAFE_CALL),
    ("uring_request", NO_SAFE_CALL),
    ("quarantine", "it tells nothing and only acts: each quarantine is tried when it is set up"),
];

const NO_SAFE_CALL: &str =
    "the call takes bare addresses or shares memory with the kernel, which the agent's language calls unsafe";

/// Why a hook is not tried; nothing where it is.
pub fn why(hook: &str) -> Option<&'static str> {
    UNTRIED.iter().find(|(name, _)| *name == hook).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ebpf_common::hook::HOOKS;

    use super::super::calls::CALLS;
    use super::*;

    #[test]
    fn every_hook_is_tried_or_has_a_reason_why_not() {
        let tried: BTreeSet<&str> = CALLS.iter().flat_map(|call| call.sights).map(|sight| sight.hook).collect();
        for hook in HOOKS {
            assert_ne!(tried.contains(hook.name), why(hook.name).is_some(), "{}", hook.name);
        }
        assert!(UNTRIED.iter().all(|(name, _)| HOOKS.iter().any(|hook| hook.name == *name)));
    }

    #[test]
    fn a_call_is_seen_by_kinds_that_its_hook_gives() {
        for sight in CALLS.iter().flat_map(|call| call.sights) {
            let hook = HOOKS.iter().find(|hook| hook.name == sight.hook).expect("a hook of the table");
            assert!(hook.kinds.contains(&sight.kind), "{sight:?}");
        }
    }
}

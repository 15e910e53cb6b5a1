//! What is covered, and how that is known: for each hook the tier that this kernel grants, what the canary saw of it, and how often the
//! kernel skipped its programs. Takes the hooks and each round of the canary; gives an event where something changed, and says whether
//! the node is ready. Never calls a hook covered that was only attached and then missed its canary.

use std::collections::BTreeMap;

use ebpf_common::hook::HOOKS;
use proto::v1::{CanaryOutcome, Coverage as Wire, Hook, HookCoverage, HookRefusal};

use crate::canary::{CanaryError, Round, Tried};
use crate::kernel::{HookState, Refusal};

/// Without a change it is told this often, so that a report has it near each of its moments.
const EVERY_NS: u64 = 300 * 1_000_000_000;

/// Nouns without which nobody can say who did what, or who tampered with whom: a node that lacks one of their hooks is not ready.
const NEEDED: [&str; 3] = ["process", "privilege", "kernel"];

/// A record may come late once on a node that is overloaded; twice in a row it does not come.
const MISSES_TO_FAIL: u32 = 2;

/// How often the kernel skipped a hook's programs, by the hook's name: they would have run inside themselves.
pub type Skipped = BTreeMap<&'static str, u64>;

/// All hooks.
#[derive(Debug)]
pub struct Coverage {
    hooks: Vec<Covered>,
    canary_error: String,
    told_ns: u64,
    told: Vec<(CanaryOutcome, u64)>,
}

#[derive(Debug)]
struct Covered {
    state: HookState,
    outcome: CanaryOutcome,
    /// Rounds in a row in which its records did not come.
    missed: u32,
    seen_ns: u64,
    skipped: u64,
}

impl Coverage {
    /// Of these hooks, before the first round.
    pub fn new(hooks: &[HookState]) -> Self {
        let covered = |state: &HookState| Covered {
            state: state.clone(),
            outcome: CanaryOutcome::Untried,
            missed: 0,
            seen_ns: 0,
            skipped: 0,
        };
        Self { hooks: hooks.iter().map(covered).collect(), canary_error: String::new(), told_ns: 0, told: Vec::new() }
    }

    /// Takes a round at this moment of the boot clock. Gives what is to be told, if something changed or it is time.
    pub fn judge(&mut self, round: &Result<Round, CanaryError>, skipped: &Skipped, now_ns: u64) -> Option<Wire> {
        let error = round.as_ref().err().map_or_else(String::new, |error| crate::deliver::chain(error));
        let changed = error != self.canary_error;
        self.canary_error = error;
        for hook in &mut self.hooks {
            hook.judge(round.as_deref().unwrap_or_default(), now_ns);
            hook.skipped = skipped.get(hook.state.name).copied().unwrap_or(0);
        }
        let now: Vec<_> = self.hooks.iter().map(|hook| (hook.outcome, hook.skipped)).collect();
        if !changed && now == self.told && now_ns.saturating_sub(self.told_ns) < EVERY_NS {
            return None;
        }
        (self.told, self.told_ns) = (now, now_ns);
        Some(self.wire())
    }

    /// Why the node is not ready; empty where it is.
    pub fn lacks(&self) -> Vec<String> {
        let needed = self.hooks.iter().filter(|hook| NEEDED.contains(&hook.state.noun));
        let lacks = needed.filter_map(|hook| {
            let state = &hook.state;
            match hook.outcome {
                _ if state.is_refused() => Some(format!("{} has no hook: {}", state.name, state.refusal())),
                CanaryOutcome::Missed => Some(format!("{} is attached and told nothing of a known call", state.name)),
                _ => None,
            }
        });
        let canary = (!self.canary_error.is_empty()).then(|| format!("no canary: {}", self.canary_error));
        lacks.chain(canary).collect()
    }

    fn wire(&self) -> Wire {
        let covered = |covered: &Covered| HookCoverage {
            // The refusals stand where the agent started: they do not change.
            hook: Some(Hook { refusals: Vec::new(), ..hook(&covered.state) }),
            canary: covered.outcome.into(),
            seen_ns: covered.seen_ns,
            skipped: covered.skipped,
        };
        let lacks = self.lacks();
        Wire { hooks: self.hooks.iter().map(covered).collect(), ready: lacks.is_empty(), lacks }
    }
}

/// A hook as it stands on the wire, with all that was not granted.
pub fn hook(state: &HookState) -> Hook {
    Hook {
        name: state.name.to_owned(),
        noun: state.noun.to_owned(),
        tier: state.tier.to_owned(),
        attached: state.attached,
        absent: state.absent.to_owned(),
        refusal: state.refusal(),
        programs: state.programs.iter().map(|&name| name.to_owned()).collect(),
        refusals: state.refusals.iter().map(refusal).collect(),
    }
}

fn refusal(refusal: &Refusal) -> HookRefusal {
    HookRefusal { tier: refusal.tier.to_owned(), program: refusal.program.to_owned(), why: refusal.why.clone() }
}

impl Covered {
    fn judge(&mut self, round: &[Tried], now_ns: u64) {
        let kinds = HOOKS.iter().find(|hook| hook.name == self.state.name).map_or(&[][..], |hook| hook.kinds);
        let mut tried = round.iter().filter(|it| kinds.iter().any(|kind| *kind as u16 == it.kind)).peekable();
        if !self.state.attached || tried.peek().is_none() {
            return;
        }
        let (mut came, mut refused) = (true, true);
        for one in tried {
            came &= one.came;
            refused &= !one.refusal.is_empty();
        }
        self.missed = if came || refused { 0 } else { self.missed + 1 };
        if came {
            (self.outcome, self.seen_ns) = (CanaryOutcome::Seen, now_ns);
        } else if refused {
            self.outcome = CanaryOutcome::Refused;
        } else if self.missed >= MISSES_TO_FAIL {
            self.outcome = CanaryOutcome::Missed;
        }
    }
}

#[cfg(test)]
mod tests {
    use ebpf_common::Kind;

    use super::*;

    fn state(name: &'static str, noun: &'static str, refusal_text: &str) -> HookState {
        let attached = refusal_text.is_empty();
        let refusal = |why: &str| Refusal { tier: "tracepoint", program: "", why: why.to_owned(), is_absent: false };
        let refusals = if attached { Vec::new() } else { vec![refusal(refusal_text)] };
        HookState {
            name,
            noun,
            tier: if attached { "tracepoint" } else { "none" },
            attached,
            absent: "",
            programs: Vec::new(),
            refusals,
        }
    }

    fn tried(kind: Kind, came: bool, refusal: &str) -> Tried {
        Tried { kind: kind as u16, came, refusal: refusal.to_owned() }
    }

    /// Two hooks through these rounds, a second apart: what was told of each round, and what is missing at the end.
    fn check(rounds: &[&[Tried]]) -> (Vec<String>, Vec<String>) {
        let mut coverage = Coverage::new(&[state("exec", "process", ""), state("unlink", "file", "not granted")]);
        let mut told = Vec::new();
        for (second, round) in (1..).zip(rounds) {
            let round = Ok(round.to_vec());
            let wire = coverage.judge(&round, &Skipped::new(), second * 1_000_000_000);
            let hook = |hook: &HookCoverage| format!("{:?} {}", hook.canary(), hook.seen_ns / 1_000_000_000);
            told.push(wire.map_or_else(|| "-".to_owned(), |wire| hook(&wire.hooks[0])));
        }
        (told, coverage.lacks())
    }

    #[test]
    fn what_does_not_change_is_told_once() {
        let seen = [tried(Kind::Exec, true, "")];
        assert_eq!(check(&[&seen, &seen, &seen]), (vec!["Seen 1".into(), "-".into(), "-".into()], Vec::new()));
    }

    #[test]
    fn one_late_record_is_no_silence_and_two_are() {
        let (seen, missed) = ([tried(Kind::Exec, true, "")], [tried(Kind::Exec, false, "")]);
        assert_eq!(check(&[&seen, &missed, &seen]).0, ["Seen 1", "-", "-"]);
        let (told, lacks) = check(&[&seen, &missed, &missed]);
        assert_eq!(told, ["Seen 1", "-", "Missed 1"]);
        assert_eq!(lacks, ["exec is attached and told nothing of a known call"]);
    }

    #[test]
    fn a_call_that_could_not_be_made_says_nothing_of_the_hook() {
        let refused = [tried(Kind::Exec, false, "not permitted")];
        assert_eq!(check(&[&refused, &refused]), (vec!["Refused 0".into(), "-".into()], Vec::new()));
    }

    #[test]
    fn what_this_kernel_cannot_do_is_not_missing() {
        let absent = HookState { absent: "this kernel cannot load modules", ..state("module", "kernel", "no such call") };
        let mut coverage = Coverage::new(&[absent]);
        assert_eq!(coverage.lacks(), Vec::<String>::new());
        let told = coverage.judge(&Ok(Vec::new()), &Skipped::new(), 1).expect("the first is told");
        let hook = told.hooks[0].hook.as_ref().expect("it is there");
        assert_eq!((hook.attached, hook.absent.as_str()), (false, "this kernel cannot load modules"));
        assert_eq!(hook.refusal, "");
    }

    #[test]
    fn a_needed_hook_that_was_refused_keeps_the_node_from_being_ready_and_a_canary_that_is_gone_too() {
        let mut coverage = Coverage::new(&[state("exec", "process", "no BTF"), state("unlink", "file", "not granted")]);
        assert_eq!(coverage.lacks(), ["exec has no hook: not by tracepoint: no BTF"]);
        let gone = Err(CanaryError::Word { line: "x".to_owned() });
        let told = coverage.judge(&gone, &Skipped::new(), 1).expect("it changed");
        assert!(!told.ready);
        assert_eq!(told.lacks[1], "no canary: the canary answered \"x\"");
    }
}

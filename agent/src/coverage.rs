//! What is covered, and how that is known: for each hook the tier that this kernel grants, what the canary saw of it, and how often the
//! kernel left out its programs. Takes the hooks and each round of the canary; gives an event where something changed, and says whether
//! the node is ready. Never calls a hook covered that was only attached and then missed its canary.

use std::collections::BTreeMap;

use proto::v1::{CanaryOutcome, Coverage as Wire, Hook, HookCoverage, HookRefusal};

use crate::canary::{self, CanaryError, Round, Tried};
use crate::kernel::{HookState, LeftOut, Refusal};

/// Without a change it is told this often, so that a report has it near each of its moments.
const EVERY_NS: u64 = 300 * 1_000_000_000;

/// Nouns without which nobody can say who did what, or who tampered with whom: a node that lacks one of their hooks is not ready.
const NEEDED: [&str; 3] = ["process", "privilege", "kernel"];

/// A record may come late once on a node that is overloaded; twice in a row it does not come.
const MISSES_TO_FAIL: u32 = 2;

/// Why a record did not come from a hook that works.
const OVER_BUDGET: &str = "the canary's cgroup was over its budget, so that its record was counted and not told";

/// All hooks.
#[derive(Debug)]
pub struct Coverage {
    hooks: Vec<Covered>,
    canary_error: String,
    told_ns: u64,
    told: Vec<Told>,
    /// By noun, as of the round before.
    throttled: BTreeMap<&'static str, u64>,
}

/// What is told anew where it changed.
type Told = (CanaryOutcome, String, u64, Option<u64>);

#[derive(Debug)]
struct Covered {
    state: HookState,
    outcome: CanaryOutcome,
    /// Why its call is never made, or was refused.
    why: String,
    /// Rounds in a row in which its records did not come.
    missed: u32,
    seen_ns: u64,
    skipped: u64,
    /// Nothing where the kernel does not say.
    missed_by_probe: Option<u64>,
}

impl Coverage {
    /// Of these hooks, before the first round.
    pub fn new(hooks: &[HookState]) -> Self {
        let covered = |state: &HookState| Covered {
            state: state.clone(),
            outcome: CanaryOutcome::Untried,
            why: canary::why(state.name).unwrap_or_default().to_owned(),
            missed: 0,
            seen_ns: 0,
            skipped: 0,
            missed_by_probe: None,
        };
        Self {
            hooks: hooks.iter().map(covered).collect(),
            canary_error: String::new(),
            told_ns: 0,
            told: Vec::new(),
            throttled: BTreeMap::new(),
        }
    }

    /// Takes a round at this moment of the boot clock. Gives what is to be told, if something changed or it is time.
    pub fn judge(&mut self, round: &Result<Round, CanaryError>, left_out: &LeftOut, now_ns: u64) -> Option<Wire> {
        let error = round.as_ref().err().map_or_else(String::new, |error| crate::deliver::chain(error));
        let changed = error != self.canary_error;
        self.canary_error = error;
        for hook in &mut self.hooks {
            let noun = hook.state.noun;
            let counted = |all: &BTreeMap<&str, u64>| all.get(noun).copied().unwrap_or(0);
            let is_throttled = counted(&left_out.throttled) > counted(&self.throttled);
            hook.judge(round.as_deref().unwrap_or_default(), is_throttled, now_ns);
            hook.skipped = left_out.skipped.get(hook.state.name).copied().unwrap_or(0);
            hook.missed_by_probe = left_out.missed.get(hook.state.name).copied();
        }
        self.throttled.clone_from(&left_out.throttled);
        let now: Vec<_> = self.hooks.iter().map(Covered::told).collect();
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
            canary_why: covered.why.clone(),
            seen_ns: covered.seen_ns,
            skipped: covered.skipped,
            missed: covered.missed_by_probe,
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
    fn told(&self) -> Told {
        (self.outcome, self.why.clone(), self.skipped, self.missed_by_probe)
    }

    /// Where the canary's cgroup was over its budget meanwhile, a record that did not come says nothing of the hook.
    fn judge(&mut self, round: &[Tried], is_throttled: bool, now_ns: u64) {
        let tried: Vec<&Tried> = round.iter().filter(|it| it.hook == self.state.name).collect();
        // Of a hook that is not there nothing can come.
        if !self.state.attached || tried.is_empty() {
            return;
        }
        let made: Vec<_> = tried.iter().filter(|it| it.refusal.is_empty()).collect();
        let came = made.iter().all(|it| it.came);
        if !came && is_throttled {
            OVER_BUDGET.clone_into(&mut self.why);
            return;
        }
        self.missed = if came { 0 } else { self.missed + 1 };
        self.why =
            tried.iter().map(|it| it.refusal.as_str()).find(|why| !why.is_empty()).unwrap_or_default().to_owned();
        if made.is_empty() {
            self.outcome = CanaryOutcome::Refused;
        } else if came {
            (self.outcome, self.seen_ns) = (CanaryOutcome::Seen, now_ns);
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
        Tried { hook: "exec".to_owned(), number: kind as u16, came, refusal: refusal.to_owned() }
    }

    /// Two hooks through these rounds, a second apart: what was told of each round, and what is missing at the end.
    fn check(rounds: &[&[Tried]]) -> (Vec<String>, Vec<String>) {
        let mut coverage = Coverage::new(&[state("exec", "process", ""), state("unlink", "file", "not granted")]);
        let mut told = Vec::new();
        for (second, round) in (1..).zip(rounds) {
            let round = Ok(round.to_vec());
            let wire = coverage.judge(&round, &LeftOut::default(), second * 1_000_000_000);
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
    fn of_two_calls_the_one_that_was_made_decides_and_the_others_refusal_is_said() {
        let mut coverage = Coverage::new(&[state("exec", "process", "")]);
        let round = vec![tried(Kind::Exec, true, ""), tried(Kind::Exec, false, "not permitted")];
        let told = coverage.judge(&Ok(round), &LeftOut::default(), 1).expect("the first is told");
        assert_eq!(told.hooks[0].canary(), CanaryOutcome::Seen);
        assert_eq!(told.hooks[0].canary_why, "not permitted");
    }

    #[test]
    fn a_record_that_was_over_the_budget_is_not_missed() {
        let mut coverage = Coverage::new(&[state("exec", "process", "")]);
        let missed = || Ok(vec![tried(Kind::Exec, false, "")]);
        for throttled in 1..4 {
            let left_out = LeftOut { throttled: BTreeMap::from([("process", throttled)]), ..LeftOut::default() };
            let _told = coverage.judge(&missed(), &left_out, throttled);
            assert_eq!((coverage.hooks[0].missed, coverage.hooks[0].why.as_str()), (0, OVER_BUDGET));
        }
        let quiet = LeftOut { throttled: BTreeMap::from([("process", 3)]), ..LeftOut::default() };
        let _told = coverage.judge(&missed(), &quiet, 5);
        assert_eq!(coverage.hooks[0].missed, 1, "nothing more was throttled");
    }

    #[test]
    fn a_hook_that_is_not_tried_says_why() {
        let mut coverage = Coverage::new(&[state("kexec", "kernel", "")]);
        let told = coverage.judge(&Ok(vec![tried(Kind::Exec, true, "")]), &LeftOut::default(), 1).expect("told");
        assert_eq!(told.hooks[0].canary(), CanaryOutcome::Untried);
        assert_eq!(told.hooks[0].canary_why, canary::why("kexec").expect("it has a reason"));
    }

    #[test]
    fn what_this_kernel_cannot_do_is_not_missing() {
        let absent =
            HookState { absent: "this kernel cannot load modules", ..state("module", "kernel", "no such call") };
        let mut coverage = Coverage::new(&[absent]);
        assert_eq!(coverage.lacks(), Vec::<String>::new());
        let told = coverage.judge(&Ok(Vec::new()), &LeftOut::default(), 1).expect("the first is told");
        let hook = told.hooks[0].hook.as_ref().expect("it is there");
        assert_eq!((hook.attached, hook.absent.as_str()), (false, "this kernel cannot load modules"));
        assert_eq!(hook.refusal, "");
    }

    #[test]
    fn a_needed_hook_that_was_refused_keeps_the_node_from_being_ready_and_a_canary_that_is_gone_too() {
        let mut coverage = Coverage::new(&[state("exec", "process", "no BTF"), state("unlink", "file", "not granted")]);
        assert_eq!(coverage.lacks(), ["exec has no hook: not by tracepoint: no BTF"]);
        let gone = Err(CanaryError::Word { line: "x".to_owned() });
        let told = coverage.judge(&gone, &LeftOut::default(), 1).expect("it changed");
        assert!(!told.ready);
        assert_eq!(told.lacks[1], "no canary: the canary answered \"x\"");
    }
}

//! The order of ATT&CK's tactics, and which of them a group shows. Takes findings; gives stages in the order of the chain. Knows the words
//! of ATT&CK v19 and, for rules that were written before, those of v18.

use std::collections::{BTreeMap, BTreeSet};

use crate::correlate::Group;
use crate::model::Finding;

/// In the order in which an attack usually goes. `defense-evasion` is v18's name for what v19 splits in two.
const CHAIN: &[&str] = &[
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "stealth",
    "defense-evasion",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
];

/// One tactic of a group, with the finding that shows it first.
pub(super) struct Stage<'g> {
    pub(super) name: &'static str,
    pub(super) first: &'g Finding,
}

/// The tactics that a group shows by findings of at least low level, in the order of the chain. One event is one step, however many
/// rules and tags name it: each adds at most one tactic, the first that is not shown yet.
pub(super) fn stages(group: &Group) -> Vec<Stage<'_>> {
    let mut found: BTreeMap<usize, &Finding> = BTreeMap::new();
    let mut steps = BTreeSet::new();
    for finding in group.findings.iter().filter(|finding| finding.level >= crate::model::Level::Low) {
        if steps.contains(finding.evidence.first()) {
            continue;
        }
        let places = finding.tactics.iter().filter_map(|tactic| CHAIN.iter().position(|name| name == tactic));
        if let Some(place) = places.filter(|place| !found.contains_key(place)).min() {
            found.insert(place, finding);
            steps.insert(finding.evidence.first());
        }
    }
    found.into_iter().filter_map(|(place, first)| Some(Stage { name: CHAIN.get(place)?, first })).collect()
}

/// Whether what comes later in the chain also came later in time, for most of its steps.
pub(super) fn in_order(stages: &[Stage<'_>]) -> bool {
    let steps = stages.windows(2).count();
    let forward = stages.windows(2).filter(|pair| match pair {
        [earlier, later] => earlier.first.time <= later.first.time,
        _ => false,
    });
    steps > 0 && forward.count() * 3 >= steps * 2
}

//! The statement of completeness: for a container or a node and a time, what was seen, what became of it, and whether that adds up. Takes
//! the accounts that nodes told and the count of what arrived; gives a [`Statement`]. Counts nothing itself, and never calls complete what
//! nobody accounted for.

mod say;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::event::{Account, Accounting};
use crate::model::{Body, EvidenceRef, Moment, NodeEvent};

/// What is under way for longer than this is on no way any more: a ring is read every few milliseconds.
const PATIENCE_NS: u64 = 5_000_000_000;

/// Of whom a statement speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum Subject {
    /// One container, with all that it made below itself.
    Container {
        /// Full id.
        id: String,
    },
    /// Everything on one node.
    Node {
        /// Its name.
        name: String,
    },
}

impl Subject {
    fn has(&self, account: &Account) -> bool {
        match self {
            Self::Container { id } => account.container_id == *id,
            Self::Node { .. } => true,
        }
    }
}

/// How a node watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Its name.
    pub node: String,
    /// Hooks that it did not have, each with the reason.
    pub refused_hooks: Vec<String>,
    /// Hooks that told nothing of a known call, at some moment of that time.
    pub silent_hooks: Vec<String>,
}

/// All that a statement is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Of whom.
    pub subject: Subject,
    /// From then.
    pub from: Moment,
    /// Until then.
    pub to: Moment,
    /// The accountings of that time, in the order of each node's log.
    pub accountings: Vec<NodeEvent>,
    /// Events of the subject that arrived and that those accountings told, by class.
    pub received: BTreeMap<String, u64>,
    /// Positions of those logs that never arrived, in that time.
    pub missing: u64,
    /// The nodes.
    pub watches: Vec<Watch>,
}

/// One class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `process`, `network`, `file`, `privilege`, `kernel`.
    pub class: String,
    /// What the kernel programs had to tell.
    pub seen: u64,
    /// Of that: sent to the agent.
    pub emitted: u64,
    /// Counted into an event that was told.
    pub aggregated: u64,
    /// Over the cgroup's budget.
    pub throttled: u64,
    /// Left out by the configuration.
    pub excluded: u64,
    /// Lost in the kernel, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Became an event of the node's log.
    pub told: u64,
    /// Read, and nothing that an event is made of.
    pub silent: u64,
    /// Begun, and neither read nor counted as anything else, at the end.
    pub under_way: u64,
    /// Events that arrived here.
    pub received: u64,
    /// Of those under way: so long that nobody waits for them any more.
    pub unaccounted: u64,
    /// By how much the accounts that follow on each other do not.
    pub off: u64,
}

impl Line {
    /// Records that were lost in the kernel.
    pub fn lost(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Whether everything that was seen is told here, or is counted with the reason why it is not.
    pub fn holds(&self) -> bool {
        self.told == self.received && self.unaccounted == 0 && self.off == 0
    }
}

/// What was seen, what became of it, and whether that adds up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Of whom.
    pub subject: Subject,
    /// Asked from then.
    pub from: Moment,
    /// Asked until then.
    pub to: Moment,
    /// The first and last moment of what was accounted for; absent where nothing was.
    pub accounted: Option<(Moment, Moment)>,
    /// Each class of which anything was seen.
    pub lines: Vec<Line>,
    /// Positions of the nodes' logs that never arrived.
    pub missing: u64,
    /// How the nodes watched.
    pub watches: Vec<Watch>,
    /// `seen = told + silent + aggregated + throttled + excluded + lost + under way` for each class, and all that was told is here.
    pub holds: bool,
    /// The last account of each node.
    pub evidence: Vec<EvidenceRef>,
}

/// The place of an account: node, log, cgroup, class.
type Place<'a> = (&'a str, &'a str, u64, &'a str);

/// Makes the statement.
pub fn state(facts: Facts) -> Statement {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let mut levels: BTreeMap<Place<'_>, (u64, u64)> = BTreeMap::new();
    let mut newest: BTreeMap<(&str, &str), (u64, EvidenceRef)> = BTreeMap::new();
    let mut first_ns = None;
    for event in &facts.accountings {
        let Body::Accounting(told) = &event.body else { continue };
        first_ns = Some(first_ns.map_or(told.from_ns, |first: u64| first.min(told.from_ns)));
        // An agent that began again counts from zero.
        if told.after_position == 0 {
            levels.retain(|(node, log, ..), _| (*node, *log) != (event.node.as_str(), event.log_id.as_str()));
        }
        for account in told.accounts.iter().filter(|account| facts.subject.has(account)) {
            let line = lines.entry(account.class.clone()).or_default();
            let place = (event.node.as_str(), event.log_id.as_str(), account.cgroup_id, account.class.as_str());
            let before = levels.insert(place, (account.under_way, told.to_ns));
            line.add(account, before.map(|(level, _)| level));
        }
        newest.insert((&event.node, &event.log_id), (told.to_ns, event.evidence()));
    }
    for ((node, log, _, class), (level, since_ns)) in levels {
        let Some(line) = lines.get_mut(class) else { continue };
        line.under_way += level;
        let last_ns = newest.get(&(node, log)).map_or(since_ns, |(last_ns, _)| *last_ns);
        line.unaccounted += if last_ns.saturating_sub(since_ns) >= PATIENCE_NS { level } else { 0 };
    }
    for (class, events) in &facts.received {
        lines.entry(class.clone()).or_default().received = *events;
    }
    for (class, line) in &mut lines {
        line.class.clone_from(class);
    }
    let lines: Vec<Line> = lines.into_values().collect();
    let last_ns = newest.values().map(|(last_ns, _)| *last_ns).max();
    let accounted = first_ns.zip(last_ns).map(|(first, last)| (Moment::exact(first), Moment::exact(last)));
    let holds = accounted.is_some() && facts.missing == 0 && lines.iter().all(Line::holds);
    let evidence = newest.into_values().map(|(_, evidence)| evidence).collect();
    let Facts { subject, from, to, missing, watches, .. } = facts;
    Statement { subject, from, to, accounted, lines, missing, watches, holds, evidence }
}

/// The positions that an accounting speaks of: the first and the last.
pub fn positions(event: &NodeEvent, told: &Accounting) -> (u64, u64) {
    (told.after_position.saturating_add(1), event.position)
}

impl Line {
    fn add(&mut self, account: &Account, before: Option<u64>) {
        self.seen += account.seen;
        self.emitted += account.emitted;
        self.aggregated += account.aggregated;
        self.throttled += account.throttled;
        self.excluded += account.excluded;
        self.told += account.told;
        self.silent += account.silent;
        for (reason, count) in &account.lost {
            *self.lost.entry(reason.clone()).or_default() += count;
        }
        let lost: u64 = account.lost.values().sum();
        let others = account.aggregated + account.throttled + account.excluded + lost;
        let after = account.told + account.silent + others + account.under_way;
        // What was under way before the first account of this time is not known; it is what makes that one add up.
        self.off += before.map_or(0, |before| (account.seen + before).abs_diff(after));
    }
}

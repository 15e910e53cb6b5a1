//! What became of everything that the kernel programs had to tell, by cgroup and class. Takes the kernel's accounts, and of each
//! record that was read whether it became an event; gives an `Accounting` event where anything happened. What is begun and not yet
//! anything else is under way, and stands in the event: so each event adds up, and whatever never arrives is seen to be missing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ebpf_common::Class;
use ebpf_common::account::{self, Account, SHARED};
use ebpf_common::header::Header;
use ebpf_common::loss::Outcome;
use proto::v1::event::Body;
use proto::v1::{self, Event};

use crate::clock::Clock;
use crate::kernel::{Standing, Told};
use crate::loss::agent_event;

/// Accounts of one event, so that no event is too long for its bound.
const ROWS: usize = 128;

/// The kernel's books at one moment, and who is on whose account.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// Every account.
    pub accounts: &'a [Standing],
    /// The container's cgroup that pays for a cgroup below it.
    pub payer: &'a dyn Fn(u64) -> Option<u64>,
}

impl Books<'_> {
    /// There is no kernel: the records come from a recording.
    pub const NONE: Self = Self { accounts: &[], payer: &|_| None };
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Read {
    told: u64,
    silent: u64,
}

type Reads = [Read; Class::COUNT];

/// An account as it was told last, and what was ever read of it.
#[derive(Debug)]
struct Known {
    account: Account,
    told: Reads,
    read: Reads,
    under_way: [u64; Class::COUNT],
}

impl Default for Known {
    fn default() -> Self {
        let (reads, under_way) = ([Read::default(); Class::COUNT], [0; Class::COUNT]);
        Self { account: account::EMPTY, told: reads, read: reads, under_way }
    }
}

/// Keeps what was told, so that the next event tells the rest.
#[derive(Debug)]
pub struct Accounting {
    since_ns: u64,
    after_position: u64,
    /// What was read since the last report, by the cgroup that the record names.
    read: HashMap<u64, Reads>,
    known: BTreeMap<u64, Known>,
    /// Accounts of which something changed that the next agent has to know.
    changed: BTreeSet<u64>,
    gone: Vec<u64>,
}

impl Accounting {
    /// Begins now: before the first record is read.
    pub fn new(clock: &Clock) -> Self {
        let (read, known) = (HashMap::new(), BTreeMap::new());
        let since_ns = clock.now().wall_ns;
        Self { since_ns, after_position: 0, read, known, changed: BTreeSet::new(), gone: Vec::new() }
    }

    /// Goes on where an agent before this one ended.
    pub fn resume(&mut self, told: Vec<(u64, Told)>) {
        self.known.extend(told.into_iter().map(|(id, told)| (id, Known::from(told))));
    }

    /// What changed since the last question, for [`Accounting::resume`]; `None`: the account is closed.
    pub fn take_changed(&mut self) -> Vec<(u64, Option<Told>)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|id| (id, self.known.get(&id).map(Told::from))).collect()
    }

    /// What was read until here is on no account that the kernel has.
    pub fn forget_reads(&mut self) {
        self.read.clear();
    }

    /// A record was read; `told`: an event was made of it.
    pub fn read(&mut self, header: &Header, told: bool) {
        let Some(class) = Class::from_number(header.class) else { return };
        let read = &mut self.read.entry(header.cgroup_id).or_default()[class as usize];
        *(if told { &mut read.told } else { &mut read.silent }) += 1;
    }

    /// A cgroup was removed.
    pub fn cgroup_gone(&mut self, cgroup_id: u64) {
        self.gone.push(cgroup_id);
    }

    /// Cgroups that were removed since the last question.
    pub fn take_gone(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.gone)
    }

    /// The last event of a report has this position: what comes behind it is of the next.
    pub fn reported_at(&mut self, position: u64) {
        self.after_position = position;
    }

    /// What happened since the last report; `container` names that of a cgroup.
    pub fn report<'a>(
        &mut self,
        books: Books<'_>,
        clock: &Clock,
        container: impl Fn(u64) -> Option<&'a str>,
    ) -> Vec<Event> {
        self.sort_reads(books);
        let mut rows = Vec::new();
        for Standing { cgroup_id, account, closed } in books.accounts {
            let known = self.known.entry(*cgroup_id).or_default();
            let container = container(*cgroup_id).unwrap_or_default();
            let before = rows.len();
            rows.extend(Class::ALL.into_iter().filter_map(|class| known.row(*cgroup_id, container, account, class)));
            if *closed {
                self.known.remove(cgroup_id);
            }
            if *closed || rows.len() > before {
                self.changed.insert(*cgroup_id);
            }
        }
        let to_ns = clock.now().wall_ns;
        let from_ns = std::mem::replace(&mut self.since_ns, to_ns).min(to_ns);
        let after_position = self.after_position;
        let part = |rows: &[v1::Account]| {
            let accounts = rows.to_vec();
            agent_event(clock, Body::Accounting(v1::Accounting { from_ns, to_ns, after_position, accounts }))
        };
        rows.chunks(ROWS).map(part).collect()
    }

    /// What was read goes to the account that the kernel counted it on.
    fn sort_reads(&mut self, books: Books<'_>) {
        let ids: HashSet<u64> = books.accounts.iter().map(|standing| standing.cgroup_id).collect();
        for (cgroup_id, reads) in self.read.drain() {
            let payer = (books.payer)(cgroup_id).unwrap_or(cgroup_id);
            let owner = if ids.contains(&payer) { payer } else { SHARED };
            self.changed.insert(owner);
            let known = self.known.entry(owner).or_default();
            for (sum, read) in known.read.iter_mut().zip(reads) {
                sum.told += read.told;
                sum.silent += read.silent;
            }
        }
    }
}

impl From<Told> for Known {
    fn from(Told { account, told, read, under_way }: Told) -> Self {
        let reads = |pairs: [[u64; 2]; Class::COUNT]| pairs.map(|[told, silent]| Read { told, silent });
        Self { account, told: reads(told), read: reads(read), under_way }
    }
}

impl From<&Known> for Told {
    fn from(known: &Known) -> Self {
        let pairs = |reads: Reads| reads.map(|Read { told, silent }| [told, silent]);
        Self { account: known.account, told: pairs(known.told), read: pairs(known.read), under_way: known.under_way }
    }
}

impl Known {
    /// What is new of one class; nothing where nothing is. What was only left out waits for the next that is not: the agent's own work
    /// would be told each second.
    fn row(&mut self, cgroup_id: u64, container: &str, now: &Account, class: Class) -> Option<v1::Account> {
        let of = class as usize;
        let new =
            |outcome: Outcome| now.ended[of][outcome as usize].saturating_sub(self.account.ended[of][outcome as usize]);
        let ended: u64 = Outcome::ALL
            .into_iter()
            .filter(|outcome| !matches!(outcome, Outcome::Sent | Outcome::Unowned))
            .map(|outcome| now.ended[of][outcome as usize])
            .sum();
        let read = self.read[of];
        let under_way = now.begun[of].saturating_sub(ended + read.told + read.silent);
        let row = v1::Account {
            cgroup_id,
            container_id: container.to_owned(),
            class: class.name().to_owned(),
            shared: cgroup_id == SHARED,
            seen: now.begun[of].saturating_sub(self.account.begun[of]),
            emitted: new(Outcome::Sent),
            aggregated: new(Outcome::Aggregated),
            throttled: new(Outcome::Throttled),
            excluded: new(Outcome::Excluded),
            ring_full: new(Outcome::RingFull),
            scratch_busy: new(Outcome::ScratchBusy),
            oversize: new(Outcome::Oversize),
            read_fault: new(Outcome::ReadFault),
            told: read.told - self.told[of].told,
            silent: read.silent - self.told[of].silent,
            under_way,
        };
        let happened = row.seen > row.excluded || row.told + row.silent > 0 || under_way != self.under_way[of];
        if !happened {
            return None;
        }
        self.account.begun[of] = now.begun[of];
        self.account.ended[of] = now.ended[of];
        self.told[of] = read;
        self.under_way[of] = under_way;
        Some(row)
    }
}

#[cfg(test)]
#[path = "accounting_tests.rs"]
mod tests;

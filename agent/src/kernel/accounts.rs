//! The kernel programs' books. Takes the accounts of all cgroups; gives each as it stands, sums over all, and what was lost since the
//! last look. Closes an account whose cgroup is gone, after it has read it: no count leaves the sums by that.

use std::collections::{BTreeMap, VecDeque};

use aya::maps::{HashMap, MapData, MapError};
use ebpf_common::Class;
use ebpf_common::account::{self, Account, MAX_ACCOUNTS};
use ebpf_common::loss::Outcome;
use zerocopy::{FromBytes, IntoBytes};

use super::absent_is_well;
use super::told::{Keeper, Sums, Told};

/// What is counted: the records of a class that had an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The records' class.
    pub class: Class,
    /// What became of them.
    pub outcome: Outcome,
}

/// Records of one class that were lost for one reason since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelLoss {
    /// The records' class.
    pub class: Class,
    /// Why.
    pub reason: Outcome,
    /// How many, never 0.
    pub count: u64,
}

/// An account at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is; [`account::SHARED`]: theirs for whom there was no room.
    pub cgroup_id: u64,
    /// What it says.
    pub account: Account,
    /// It was removed after this: what comes later begins at zero.
    pub closed: bool,
}

/// The sockets of a cgroup that is gone may still have something to tell.
const LATE_NS: u64 = 10_000_000_000;
/// An account in which nothing happened for so long is closed too, where the table is half full.
const IDLE_NS: u64 = 60_000_000_000;

type Bytes = [u8; size_of::<Account>()];

/// The tables, and what they said at the last look.
pub(super) struct Accounts {
    table: HashMap<MapData, u64, Bytes>,
    payers: HashMap<MapData, u64, u64>,
    /// Cgroups below containers that are gone, and when they went.
    gone: VecDeque<(u64, u64)>,
    /// Each account, and since when it says so.
    known: BTreeMap<u64, (Account, u64)>,
    closed: Sums,
    reported: Sums,
    /// What the next agent has to know of both; `None`: there is none that could.
    keeper: Option<Keeper>,
    kept: (Sums, Sums),
}

impl Accounts {
    /// Goes on where the agent before this one ended, if there is word of it.
    pub(super) fn new(
        table: HashMap<MapData, u64, Bytes>,
        payers: HashMap<MapData, u64, u64>,
        keeper: Option<Keeper>,
    ) -> Result<Self, MapError> {
        let (reported, closed) = keeper.as_ref().map(Keeper::sums).transpose()?.unwrap_or_default();
        let (known, kept) = (BTreeMap::new(), (reported.clone(), closed.clone()));
        Ok(Self { table, payers, gone: VecDeque::new(), known, closed, reported, keeper, kept })
    }

    pub(super) fn told(&self) -> Result<Vec<(u64, Told)>, MapError> {
        self.keeper.as_ref().map_or_else(|| Ok(Vec::new()), Keeper::all)
    }

    pub(super) fn keep_told(&mut self, changes: &[(u64, Option<Told>)]) -> Result<(), MapError> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        keeper.keep(changes)?;
        let lost = |sums: &Sums| -> Sums {
            sums.iter()
                .filter(|(what, _)| Outcome::LOSSES.contains(&what.outcome))
                .map(|(what, sum)| (*what, *sum))
                .collect()
        };
        // The other sums change all the time, and nobody asks for what was told of them.
        let now = (lost(&self.reported), self.closed.clone());
        if now != self.kept {
            keeper.keep_sums(&now.0, &now.1)?;
            self.kept = now;
        }
        Ok(())
    }

    /// Every account in which something ever happened.
    pub(super) fn standing(&mut self, now_ns: u64) -> Result<Vec<Standing>, MapError> {
        let mut all = self.read()?;
        let crowded = all.len() > MAX_ACCOUNTS as usize / 2;
        for standing in &mut all {
            let known = self.known.entry(standing.cgroup_id).or_insert((standing.account, now_ns));
            if counts(&known.0) != counts(&standing.account) {
                *known = (standing.account, now_ns);
                continue;
            }
            let silent_ns = now_ns.saturating_sub(known.1);
            let over = standing.account.gone_ns != 0 && silent_ns >= LATE_NS || crowded && silent_ns >= IDLE_NS;
            if over && standing.cgroup_id != account::SHARED {
                self.table.remove(&standing.cgroup_id)?;
                self.known.remove(&standing.cgroup_id);
                add(&mut self.closed, &standing.account);
                standing.closed = true;
            }
        }
        while self.gone.front().is_some_and(|(since_ns, _)| now_ns.saturating_sub(*since_ns) >= LATE_NS) {
            let Some((_, id)) = self.gone.pop_front() else { break };
            absent_is_well(self.payers.remove(&id))?;
        }
        Ok(all)
    }

    /// What a cgroup was over its budget with so far, by class: counted, and not told. Of one without an account nothing was.
    pub(super) fn throttled(&self, cgroup_id: u64) -> BTreeMap<&'static str, u64> {
        let payer = self.payer(cgroup_id).unwrap_or(cgroup_id);
        let Ok(bytes) = self.table.get(&payer, 0) else { return BTreeMap::new() };
        let account = account(&bytes);
        let throttled = |class: Class| account.ended[class as usize][Outcome::Throttled as usize];
        Class::ALL.into_iter().map(|class| (class.name(), throttled(class))).collect()
    }

    /// The container's cgroup that pays for one below it.
    pub(super) fn payer(&self, cgroup_id: u64) -> Option<u64> {
        self.payers.get(&cgroup_id, 0).ok()
    }

    /// A cgroup was made below a container's before the programs were there.
    pub(super) fn set_payer(&mut self, cgroup_id: u64, payer: u64) -> Result<(), MapError> {
        self.payers.insert(cgroup_id, payer, 0)
    }

    /// A cgroup is gone: nobody asks who pays for it when its last records are read.
    pub(super) fn cgroup_gone(&mut self, cgroup_id: u64, now_ns: u64) {
        if self.payer(cgroup_id).is_some() {
            self.gone.push_back((now_ns, cgroup_id));
        }
    }

    pub(super) fn totals(&self) -> Result<BTreeMap<Counted, u64>, MapError> {
        let mut totals: BTreeMap<Counted, u64> = BTreeMap::new();
        for class in Class::ALL {
            totals.extend(Outcome::ALL.map(|outcome| (Counted { class, outcome }, 0)));
        }
        for (what, count) in &self.closed {
            *totals.entry(*what).or_default() += count;
        }
        self.read()?.iter().for_each(|standing| add(&mut totals, &standing.account));
        Ok(totals)
    }

    pub(super) fn losses(&mut self) -> Result<Vec<KernelLoss>, MapError> {
        let mut losses = Vec::new();
        for (what, total) in self.totals()? {
            let before = self.reported.insert(what, total).unwrap_or(0);
            let count = total.saturating_sub(before);
            if count > 0 && Outcome::LOSSES.contains(&what.outcome) {
                losses.push(KernelLoss { class: what.class, reason: what.outcome, count });
            }
        }
        Ok(losses)
    }

    fn read(&self) -> Result<Vec<Standing>, MapError> {
        let mut all = Vec::new();
        for entry in &self.table {
            let (cgroup_id, bytes) = entry?;
            let account = account(&bytes);
            if cgroup_id != account::SHARED || counts(&account) != counts(&account::EMPTY) {
                all.push(Standing { cgroup_id, account, closed: false });
            }
        }
        Ok(all)
    }
}

fn account(bytes: &Bytes) -> Account {
    Account::read_from_bytes(bytes).expect("an entry is as large as its type")
}

/// Without what it may still send, which passes by itself.
fn counts(account: &Account) -> (&[u8], &[u8]) {
    (account.begun.as_bytes(), account.ended.as_bytes())
}

fn add(totals: &mut BTreeMap<Counted, u64>, account: &Account) {
    for class in Class::ALL {
        for outcome in Outcome::ALL {
            *totals.entry(Counted { class, outcome }).or_default() += account.ended[class as usize][outcome as usize];
        }
    }
}

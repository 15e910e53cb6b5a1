//! What became of the records that hooks began. Takes the counters of every CPU; gives their sums, and what was lost since the
//! last look.

use std::collections::BTreeMap;

use aya::maps::{MapData, MapError, PerCpuArray};
use ebpf_common::Class;
use ebpf_common::loss::{Outcome, counter};

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

/// The counters, and what they said at the last look.
pub(super) struct Counters {
    array: PerCpuArray<MapData, u64>,
    reported: BTreeMap<Counted, u64>,
}

impl Counters {
    pub(super) fn new(array: PerCpuArray<MapData, u64>) -> Self {
        Self { array, reported: BTreeMap::new() }
    }

    pub(super) fn totals(&self) -> Result<BTreeMap<Counted, u64>, MapError> {
        let mut totals = BTreeMap::new();
        for class in Class::ALL {
            for outcome in Outcome::ALL {
                totals.insert(Counted { class, outcome }, self.total(class, outcome)?);
            }
        }
        Ok(totals)
    }

    pub(super) fn losses(&mut self) -> Result<Vec<KernelLoss>, MapError> {
        let mut losses = Vec::new();
        for class in Class::ALL {
            for reason in Outcome::LOSSES {
                let total = self.total(class, reason)?;
                let before = self.reported.insert(Counted { class, outcome: reason }, total).unwrap_or(0);
                if let Some(count) = total.checked_sub(before).filter(|count| *count > 0) {
                    losses.push(KernelLoss { class, reason, count });
                }
            }
        }
        Ok(losses)
    }

    fn total(&self, class: Class, outcome: Outcome) -> Result<u64, MapError> {
        Ok(self.array.get(&counter(class, outcome), 0)?.iter().sum())
    }
}

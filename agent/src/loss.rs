//! The ledger of what was lost. Takes what the kernel counted, records that could not be decoded and holes in the per-CPU
//! sequences; gives `Loss` events, one per class and reason and period, for the log. Never forgets a count before the event
//! that carries it was made, and never counts one lost record twice: a hole in a sequence that the kernel's own counters
//! explain is taken off.

use std::collections::BTreeMap;

use proto::v1::{Event, Loss, LossReason, event::Body};

use crate::clock::Clock;

/// The class of a loss that no class can be named for.
pub const ALL: &str = "all";

/// Wraps a loss in an event of the agent itself, at this moment. The position is the log's to give.
pub fn event(clock: &Clock, loss: Loss) -> Event {
    agent_event(clock, Body::Loss(loss))
}

/// An event that the agent itself makes: no actor, no CPU, no kernel sequence.
pub fn agent_event(clock: &Clock, body: Body) -> Event {
    let now = clock.now();
    let (time_ns, uncertainty_us) = clock.wall_ns(now.boot_ns);
    Event { time_ns, boot_ns: now.boot_ns, uncertainty_us, body: Some(body), ..Event::default() }
}

/// Collects losses between two reports.
#[derive(Debug)]
pub struct Ledger {
    since_ns: u64,
    counts: BTreeMap<(&'static str, i32), u64>,
    sequences: BTreeMap<(&'static str, u32), u64>,
    /// Records missing in the sequences, by class, that no kernel counter has explained yet.
    holes: BTreeMap<&'static str, Hole>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Hole {
    missing: u64,
    /// Counted by the kernel ahead of the hole that will show it.
    explained: u64,
    /// Reports that this hole has waited for an explanation.
    waited: u8,
}

/// A hole waits for this many reports before it is called a loss of its own: the kernel's counters are read apart from the ring,
/// and a record that is only late (another CPU's ring position) closes its hole by itself.
const REPORTS_TO_WAIT: u8 = 2;

impl Ledger {
    /// An empty ledger that begins now.
    pub fn new(clock: &Clock) -> Self {
        Self {
            since_ns: clock.now().wall_ns,
            counts: BTreeMap::new(),
            sequences: BTreeMap::new(),
            holes: BTreeMap::new(),
        }
    }

    /// Adds records that the kernel counted as lost since the last call; each had a sequence number.
    pub fn kernel(&mut self, class: &'static str, reason: LossReason, count: u64) {
        if count == 0 {
            return;
        }
        self.add(class, reason, count);
        self.holes.entry(class).or_default().explained += count;
    }

    /// Adds records that the agent could not decode.
    pub fn malformed(&mut self, count: u64) {
        self.add(ALL, LossReason::Malformed, count);
    }

    /// Notes the sequence number of a record. Numbers count up by one for each CPU and class, and begin anywhere; 0 is none.
    pub fn sequence(&mut self, class: &'static str, cpu: u32, number: u64) {
        if number == 0 {
            return;
        }
        let last = self.sequences.entry((class, cpu)).or_insert(number);
        if number > *last + 1 {
            let hole = self.holes.entry(class).or_default();
            hole.missing += number - *last - 1;
            hole.waited = 0;
        } else if number < *last {
            // Reservation order and submission order differ where an interrupt comes between: the hole it left is closed.
            let hole = self.holes.entry(class).or_default();
            hole.missing = hole.missing.saturating_sub(1);
        }
        *last = number.max(*last);
    }

    /// The next number of each CPU and class is the first again.
    pub fn begin_anew(&mut self) {
        self.sequences.clear();
    }

    /// The losses since the last report, as events; empty where nothing was lost.
    pub fn report(&mut self, clock: &Clock) -> Vec<Event> {
        self.settle_holes();
        let now_ns = clock.now().wall_ns;
        let from_ns = std::mem::replace(&mut self.since_ns, now_ns).min(now_ns);
        std::mem::take(&mut self.counts)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|((class, reason), count)| {
                let class = class.to_owned();
                event(clock, Loss { class, reason, count, from_ns, to_ns: now_ns, ..Loss::default() })
            })
            .collect()
    }

    fn add(&mut self, class: &'static str, reason: LossReason, count: u64) {
        let total = self.counts.entry((class, i32::from(reason))).or_default();
        *total = total.saturating_add(count);
    }

    fn settle_holes(&mut self) {
        let mut unexplained = Vec::new();
        for (class, hole) in &mut self.holes {
            let both = hole.missing.min(hole.explained);
            hole.missing -= both;
            hole.explained -= both;
            if hole.missing == 0 {
                continue;
            }
            hole.waited += 1;
            if hole.waited >= REPORTS_TO_WAIT {
                unexplained.push((*class, hole.missing));
                *hole = Hole { explained: hole.explained, ..Hole::default() };
            }
        }
        for (class, missing) in unexplained {
            self.add(class, LossReason::SequenceGap, missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fill: impl FnOnce(&mut Ledger), reports: usize) -> String {
        let clock = Clock::standing(1_000, 10);
        let mut ledger = Ledger::new(&clock);
        fill(&mut ledger);
        let mut text = Vec::new();
        for _ in 0..reports {
            for event in ledger.report(&clock) {
                let Some(Body::Loss(loss)) = event.body else { continue };
                text.push(format!("{} {} {}", loss.class, loss.reason().as_str_name(), loss.count));
            }
        }
        text.join("\n")
    }

    #[test]
    fn what_the_kernel_counted_is_reported_once() {
        let text = check(|ledger| ledger.kernel("file", LossReason::RingFull, 7), 5);
        assert_eq!(text, "file LOSS_REASON_RING_FULL 7");
    }

    #[test]
    fn a_hole_that_the_kernel_explains_is_not_counted_twice() {
        let fill = |ledger: &mut Ledger| {
            ledger.sequence("file", 0, 10);
            ledger.sequence("file", 0, 18);
            ledger.kernel("file", LossReason::RingFull, 7);
        };
        assert_eq!(check(fill, 5), "file LOSS_REASON_RING_FULL 7");
    }

    #[test]
    fn a_hole_that_nothing_explains_is_a_loss_of_its_own() {
        let fill = |ledger: &mut Ledger| {
            ledger.sequence("process", 1, 1);
            ledger.sequence("process", 1, 5);
        };
        assert_eq!(check(fill, 5), "process LOSS_REASON_SEQUENCE_GAP 3");
    }

    #[test]
    fn a_record_that_was_overtaken_closes_its_hole() {
        let fill = |ledger: &mut Ledger| {
            ledger.sequence("process", 1, 1);
            ledger.sequence("process", 1, 3);
            ledger.sequence("process", 1, 2);
        };
        assert_eq!(check(fill, 5), "");
    }

    #[test]
    fn each_cpu_and_class_counts_for_itself() {
        let fill = |ledger: &mut Ledger| {
            ledger.sequence("process", 0, 1);
            ledger.sequence("process", 1, 900);
            ledger.sequence("file", 0, 50);
            ledger.sequence("process", 0, 2);
        };
        assert_eq!(check(fill, 5), "");
    }

    #[test]
    fn numbers_that_begin_anew_leave_no_hole() {
        let fill = |ledger: &mut Ledger| {
            ledger.sequence("process", 0, 900);
            ledger.begin_anew();
            ledger.sequence("process", 0, 1);
            ledger.sequence("process", 0, 3);
        };
        assert_eq!(check(fill, 5), "process LOSS_REASON_SEQUENCE_GAP 1");
    }

    #[test]
    fn malformed_records_are_a_loss() {
        assert_eq!(check(|ledger| ledger.malformed(2), 1), "all LOSS_REASON_MALFORMED 2");
    }
}

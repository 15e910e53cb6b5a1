//! Rules in their order: how long a chain of them the events of a group make.
//!
//! Takes events in order of time; gives, after each moment, the length of the longest chain that begins late enough. A
//! chain takes each event once. Events of one moment are in any order: their clocks cannot tell.

/// The best chains so far.
#[derive(Debug)]
pub(super) struct Chain {
    rules: usize,
    /// By length and by the rule that is last: the latest moment at which such a chain may have begun.
    best: Vec<Option<Link>>,
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Link {
    begun: i64,
    /// The event that is last.
    event: u64,
}

/// One event, as a chain sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) time: i64,
    pub(super) event: u64,
    pub(super) member: u16,
}

impl Chain {
    pub(super) fn new(rules: usize) -> Self {
        Self { rules, best: vec![None; rules * rules] }
    }

    /// Takes all events of one moment.
    pub(super) fn moment(&mut self, steps: &[Step]) {
        // Each pass makes chains longer by one at least; the last one finds nothing.
        for _ in 0..=steps.len().min(self.rules) {
            let mut longer = false;
            for step in steps {
                longer |= self.step(*step);
            }
            if !longer {
                return;
            }
        }
    }

    fn step(&mut self, step: Step) -> bool {
        let member = usize::from(step.member);
        let mut longer = self.improve(0, member, Link { begun: step.time, event: step.event });
        for length in 1..=member {
            let before = (0..member)
                .filter_map(|rule| self.best.get((length - 1) * self.rules + rule).copied().flatten())
                .filter(|link| link.event != step.event)
                .max_by_key(|link| link.begun);
            if let Some(link) = before {
                longer |= self.improve(length, member, Link { begun: link.begun, event: step.event });
            }
        }
        longer
    }

    fn improve(&mut self, length: usize, member: usize, link: Link) -> bool {
        let Some(best) = self.best.get_mut(length * self.rules + member) else { return false };
        let better = best.is_none_or(|best| link.begun > best.begun);
        if better {
            *best = Some(link);
        }
        better
    }

    /// The length of the longest chain that did not begin before `earliest`.
    pub(super) fn longest(&self, earliest: i64) -> usize {
        let reaches = |row: &[Option<Link>]| row.iter().flatten().any(|link| link.begun >= earliest);
        self.best.chunks(self.rules.max(1)).rposition(reaches).map_or(0, |length| length + 1)
    }
}

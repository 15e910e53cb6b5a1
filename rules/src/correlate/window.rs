//! What a correlation counts, over the events of one window.
//!
//! Takes events as they come into the window and go out of it; gives the count, the sum, the percentile at any moment.
//! It never looks at time: which events are in the window is the group's.

use super::Kind;
use super::group::Sample;

/// The events of one window, counted.
#[derive(Debug)]
pub(super) struct Window {
    kind: Kind,
    percentile: f64,
    events: usize,
    /// By value, or by rule, how many events have it.
    counts: Vec<u32>,
    different: usize,
    sum: f64,
    numbers: Vec<f64>,
}

impl Window {
    pub(super) fn new(kind: Kind, percentile: f64) -> Self {
        Self { kind, percentile, events: 0, counts: Vec::new(), different: 0, sum: 0.0, numbers: Vec::new() }
    }

    pub(super) fn add(&mut self, member: u16, sample: Sample) {
        self.events += 1;
        match (self.kind, sample) {
            (Kind::Temporal, _) => self.count(usize::from(member)),
            (Kind::ValueCount, Sample::Value(value)) => self.count(value as usize),
            (Kind::ValuePercentile | Kind::ValueMedian, Sample::Number(number)) => self.numbers.push(number),
            (_, Sample::Number(number)) => self.sum += number,
            _ => {}
        }
    }

    pub(super) fn remove(&mut self, member: u16, sample: Sample) {
        self.events -= 1;
        match (self.kind, sample) {
            (Kind::Temporal, _) => self.uncount(usize::from(member)),
            (Kind::ValueCount, Sample::Value(value)) => self.uncount(value as usize),
            (Kind::ValuePercentile | Kind::ValueMedian, Sample::Number(number)) => {
                let same = |other: &f64| other.total_cmp(&number).is_eq();
                if let Some(position) = self.numbers.iter().position(same) {
                    self.numbers.swap_remove(position);
                }
            }
            (_, Sample::Number(number)) => self.sum -= number,
            _ => {}
        }
    }

    /// What was counted; nothing where there is no value to speak of.
    pub(super) fn value(&self) -> Option<f64> {
        match self.kind {
            Kind::EventCount => Some(self.events as f64),
            Kind::ValueCount | Kind::Temporal | Kind::TemporalOrdered => Some(self.different as f64),
            Kind::ValueSum => Some(self.sum),
            Kind::ValueAvg => (self.events > 0).then(|| self.sum / self.events as f64),
            Kind::ValuePercentile | Kind::ValueMedian => percentile(&self.numbers, self.percentile),
        }
    }

    /// About how many bytes it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>() + self.numbers.capacity() * size_of::<f64>()
    }

    fn count(&mut self, slot: usize) {
        if self.counts.len() <= slot {
            self.counts.resize(slot + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(slot) {
            *count += 1;
            self.different += usize::from(*count == 1);
        }
    }

    fn uncount(&mut self, slot: usize) {
        if let Some(count) = self.counts.get_mut(slot).filter(|count| **count > 0) {
            *count -= 1;
            self.different -= usize::from(*count == 0);
        }
    }
}

/// The percentile by linear interpolation between the two numbers that it lies between.
fn percentile(numbers: &[f64], percentile: f64) -> Option<f64> {
    let last = numbers.len().checked_sub(1)?;
    let rank = percentile / 100.0 * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between 0 and the last position"
    )]
    let below = (rank.floor() as usize).min(last);
    let mut sorted = numbers.to_vec();
    let (_, low, above) = sorted.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (high - low) * (rank - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[f64], rank: f64, expected: Option<f64>) {
        assert_eq!(percentile(numbers, rank), expected, "{rank} of {numbers:?}");
    }

    #[test]
    fn a_percentile_lies_between_the_numbers_around_it() {
        check(&[], 50.0, None);
        check(&[7.0], 99.0, Some(7.0));
        check(&[3.0, 1.0, 2.0], 50.0, Some(2.0));
        check(&[4.0, 1.0, 2.0, 3.0], 50.0, Some(2.5));
        check(&[10.0, 0.0], 90.0, Some(9.0));
        check(&[5.0, 1.0], 0.0, Some(1.0));
        check(&[5.0, 1.0], 100.0, Some(5.0));
    }
}

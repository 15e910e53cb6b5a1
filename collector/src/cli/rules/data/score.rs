//! What rules found of what they should. Takes each labelled event with its hits; gives counts by source, attack, test and quiet file, and the place of
//! each miss and each false hit.

use std::collections::{BTreeMap, BTreeSet};

use rules::Level;

use super::read::{Label, Labelled};

/// From here on somebody is to look: what is below is for enrichment.
pub(super) const COUNTS: Level = Level::Medium;

/// A rule that matched.
pub(super) struct Hit {
    pub(super) level: Level,
    pub(super) title: String,
}

/// An event that stands for a miss or a false hit.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) name: String,
    /// Titles of the rules that matched.
    pub(super) rules: Vec<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Scores {
    /// Labelled events.
    pub(super) lines: usize,
    /// Of sources with verdicts.
    pub(super) verdicts: BTreeMap<String, Verdicts>,
    /// Of attacks and incidents, a file each.
    pub(super) attacks: BTreeMap<String, Attack>,
    /// Of tests by id.
    pub(super) tests: BTreeMap<String, Test>,
    /// Of files that should be quiet.
    pub(super) quiet: BTreeMap<String, Quiet>,
    /// Sources that no rule can be tried on: why, and how many events.
    pub(super) not_tried: BTreeMap<(String, &'static str), usize>,
    /// Lines that cannot be read.
    pub(super) problems: Vec<String>,
}

/// Events of a source with a verdict each.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// What rules call the source.
    pub(super) log_sources: BTreeSet<String>,
    pub(super) events: usize,
    /// Of them those that are worth an alert.
    pub(super) alerts: usize,
    /// Alerts that were hit.
    pub(super) found: usize,
    pub(super) misses: Vec<Place>,
    pub(super) falsely: Vec<Place>,
}

impl Verdicts {
    /// Found alerts of all alerts; nothing where there is none.
    pub(super) fn recall(&self) -> Option<f64> {
        share(self.found, self.alerts)
    }

    /// Found alerts of all hits; nothing where there is none.
    pub(super) fn precision(&self) -> Option<f64> {
        share(self.found, self.found + self.falsely.len())
    }
}

/// An attack or incident.
#[derive(Debug, Default)]
pub(super) struct Attack {
    /// Its own events.
    pub(super) events: usize,
    /// Those that were hit.
    pub(super) hit: usize,
    /// Titles of the rules that did.
    pub(super) rules: Vec<String>,
    /// What went on beside it.
    pub(super) background: usize,
    /// Of that what was hit.
    pub(super) background_hits: Vec<Place>,
}

/// A test, which is some events.
#[derive(Debug, Default)]
pub(super) struct Test {
    pub(super) name: String,
    /// Hit by any rule.
    pub(super) hit: bool,
    /// Hit at the level that counts.
    pub(super) counts: bool,
    pub(super) first: Option<Place>,
}

/// A file in which nothing should be found.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    pub(super) events: usize,
    /// Of them those that were hit at high or above.
    pub(super) high: usize,
    pub(super) hits: Vec<Place>,
}

impl Quiet {
    pub(super) fn rate(&self) -> f64 {
        share(self.hits.len(), self.events).unwrap_or_default()
    }
}

/// A part of a whole.
pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Scores {
    /// Counts events that were not tried.
    pub(super) fn not_tried(&mut self, source: &str, why: &'static str) {
        *self.not_tried.entry((source.to_owned(), why)).or_default() += 1;
    }

    /// Counts an event that was.
    pub(super) fn add(&mut self, line: Labelled, log_source: &str, hits: Vec<Hit>) {
        let any = !hits.is_empty();
        let high = hits.iter().any(|hit| hit.level >= Level::High);
        let rules: Vec<_> = hits.into_iter().filter(|hit| hit.level >= COUNTS).map(|hit| hit.title).collect();
        let counts = !rules.is_empty();
        let Labelled { file, line, name, source, label, .. } = line;
        let place = Place { file, line, name, rules };
        match label {
            Label::Verdict(alert) => {
                let verdicts = self.verdicts.entry(source).or_default();
                if !verdicts.log_sources.contains(log_source) {
                    verdicts.log_sources.insert(log_source.to_owned());
                }
                verdicts.add(alert, counts, place);
            }
            Label::Attack(part) => self.attacks.entry(place.file.clone()).or_default().add(part, counts, place),
            Label::Test(id) => {
                let test = self.tests.entry(id).or_default();
                place.name.clone_into(&mut test.name);
                test.hit |= any;
                test.counts |= counts;
                test.first.get_or_insert(place);
            }
            Label::Quiet => {
                let quiet = self.quiet.entry(place.file.clone()).or_default();
                quiet.events += 1;
                quiet.high += usize::from(high);
                quiet.hits.extend(counts.then_some(place));
            }
        }
    }
}

impl Verdicts {
    fn add(&mut self, alert: bool, hit: bool, place: Place) {
        self.events += 1;
        self.alerts += usize::from(alert);
        match (alert, hit) {
            (true, true) => self.found += 1,
            (true, false) => self.misses.push(place),
            (false, true) => self.falsely.push(place),
            (false, false) => {}
        }
    }
}

impl Attack {
    fn add(&mut self, part: bool, hit: bool, place: Place) {
        if !part {
            self.background += 1;
            return self.background_hits.extend(hit.then_some(place));
        }
        self.events += 1;
        self.hit += usize::from(hit);
        for rule in place.rules {
            if !self.rules.contains(&rule) {
                self.rules.push(rule);
            }
        }
    }
}

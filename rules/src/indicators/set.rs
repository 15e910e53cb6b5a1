//! Indicators, compiled so that an event is looked up at once. Takes files; gives the [`Set`], with an error for each entry that cannot be
//! used. Never changes after loading: who wants newer ones loads another set.

use std::fmt;

use ipnet::IpNet;

use super::error::Error;
use super::limits::SAME_VALUE;
use super::lookup::{Asked, Asks};
use super::reading::Reading;
use super::table::Table;
use super::{Indicator, Key, Kind};

/// No further indicator of the same value.
pub(super) const NONE: u32 = u32::MAX;

/// Loaded indicators. Shared between threads by reference.
pub struct Set {
    pub(super) indicators: Vec<Indicator>,
    /// As long as `indicators`: the next of the same value, or [`NONE`].
    pub(super) next: Vec<u32>,
    /// The first of each value.
    pub(super) table: Table,
    pub(super) shape: Shape,
    pub(super) asks: Asks,
}

/// How many there are of each kind: nothing is asked for that could not be found.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) hashes: usize,
    pub(super) addresses: usize,
    pub(super) domains: usize,
    pub(super) urls: usize,
    /// Components of the longest end of a path; 0: no file name is there.
    pub(super) components: usize,
    pub(super) whole_paths: usize,
    /// Lengths of the prefixes of networks, longest first.
    pub(super) prefixes_v4: Vec<u8>,
    pub(super) prefixes_v6: Vec<u8>,
}

impl Shape {
    fn add(&mut self, kind: &Kind) {
        match kind {
            Kind::Hash(_) => self.hashes += 1,
            Kind::Address(_) => self.addresses += 1,
            Kind::Network(network) => {
                let prefixes =
                    if matches!(network, IpNet::V4(_)) { &mut self.prefixes_v4 } else { &mut self.prefixes_v6 };
                let length = network.prefix_len();
                if let Err(place) = prefixes.binary_search_by(|other| length.cmp(other)) {
                    prefixes.insert(place, length);
                }
            }
            Kind::Domain(_) => self.domains += 1,
            Kind::Url(_) => self.urls += 1,
            Kind::FileName(name) if name.starts_with('/') => self.whole_paths += 1,
            Kind::FileName(name) => self.components = self.components.max(name.split('/').count()),
        }
    }

    pub(super) fn has_ends(&self) -> bool {
        self.addresses > 0 || !self.prefixes_v4.is_empty() || !self.prefixes_v6.is_empty()
    }
}

impl Set {
    /// Loads files, each in the form that its text shows: CSV, STIX or MISP. What cannot be used is an error each; all else is loaded.
    pub fn load<F, B>(files: impl IntoIterator<Item = (F, B)>) -> (Self, Vec<Error>)
    where
        F: AsRef<str>,
        B: AsRef<[u8]>,
    {
        let mut reading = Reading::default();
        for (file, bytes) in files {
            reading.file(file.as_ref(), bytes.as_ref());
        }
        let Reading { indicators, mut errors, .. } = reading;
        (Self::new(indicators, &mut errors), errors)
    }

    fn new(all: Vec<Indicator>, errors: &mut Vec<Error>) -> Self {
        let table = Table::new(all.len());
        let mut set =
            Self { indicators: Vec::new(), next: Vec::new(), table, shape: Shape::default(), asks: Asks::default() };
        let mut left_out = 0_usize;
        for indicator in all {
            left_out += usize::from(!set.add(indicator));
        }
        if left_out > 0 {
            let message = format!("{left_out} of a value that {SAME_VALUE} others give already are left out");
            errors.push(Error { file: "all indicators".to_owned(), message, ..Error::default() });
        }
        set.indicators.shrink_to_fit();
        set.next.shrink_to_fit();
        set.asks = Asked::all(&set.shape);
        set
    }

    /// Adds one; gives whether there was room for it beside others of its value.
    fn add(&mut self, indicator: Indicator) -> bool {
        let Ok(number) = u32::try_from(self.indicators.len()) else { return false };
        let mut last = NONE;
        if let Some(first) = self.find(&indicator.kind.key()) {
            let chain: Vec<u32> = self.numbers(first).collect();
            for other in &chain {
                if let Some(other) = self.indicators.get_mut(*other as usize)
                    && (&other.source, &other.why) == (&indicator.source, &indicator.why)
                {
                    merge(other, &indicator);
                    return true;
                }
            }
            if chain.len() >= SAME_VALUE {
                return false;
            }
            last = chain.last().copied().unwrap_or(NONE);
        } else {
            self.table.put(&indicator.kind.key(), number);
        }
        if let Some(next) = self.next.get_mut(last as usize) {
            *next = number;
        }
        self.shape.add(&indicator.kind);
        self.indicators.push(indicator);
        self.next.push(NONE);
        true
    }

    /// The first indicator of a value.
    pub(super) fn find(&self, key: &Key<'_>) -> Option<u32> {
        let is =
            |number: u32| self.indicators.get(number as usize).is_some_and(|indicator| indicator.kind.key() == *key);
        self.table.find(key, is)
    }

    /// An indicator and those of the same value behind it.
    pub(super) fn numbers(&self, first: u32) -> impl Iterator<Item = u32> {
        let follow = |number: &u32| self.next.get(*number as usize).copied().filter(|next| *next != NONE);
        std::iter::successors(Some(first), follow)
    }

    /// Indicators of the same value, from the first on.
    pub(super) fn same_value(&self, first: u32) -> impl Iterator<Item = &Indicator> {
        self.numbers(first).filter_map(|number| self.indicators.get(number as usize))
    }

    /// All of them, in the order of loading.
    pub fn indicators(&self) -> &[Indicator] {
        &self.indicators
    }

    /// Whether nothing can ever match.
    pub fn is_empty(&self) -> bool {
        self.indicators.is_empty()
    }

    /// Bytes that it takes, but for the words of sources and reasons, which many share.
    pub fn bytes(&self) -> usize {
        let own = |indicator: &Indicator| match &indicator.kind {
            Kind::Domain(text) | Kind::Url(text) | Kind::FileName(text) => text.len(),
            Kind::Hash(_) | Kind::Address(_) | Kind::Network(_) => 0,
        };
        let texts: usize = self.indicators.iter().map(own).sum();
        self.table.bytes() + self.indicators.len() * (size_of::<Indicator>() + size_of::<u32>()) + texts
    }
}

/// The same value for the same reason from the same source, again: what holds longer and is graver.
fn merge(known: &mut Indicator, again: &Indicator) {
    known.expires = known.expires.zip(again.expires).map(|(one, other)| one.max(other));
    known.level = known.level.max(again.level);
    known.confidence = known.confidence.max(again.confidence);
}

impl Default for Set {
    fn default() -> Self {
        Self::new(Vec::new(), &mut Vec::new())
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Set").field("indicators", &self.indicators.len()).finish_non_exhaustive()
    }
}

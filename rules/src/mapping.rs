//! Where events have the fields that rules name otherwise: one file for each log source that needs it.
//!
//! Takes mappings, those that come with Mayfly first; gives a rule's fields, with the paths that stand in for a name. Done
//! when rules are compiled: an event is asked for its own fields alone.

use crate::fields::Field;
use crate::rule::RuleSource;

/// The mappings that come with Mayfly, as (file, text).
pub(crate) const EMBEDDED: &[(&str, &str)] = &[("mappings/gcp.yml", include_str!("../mappings/gcp.yml"))];

/// All mappings, in the order of loading.
#[derive(Debug, Default)]
pub(crate) struct Mappings {
    all: Vec<(RuleSource, crate::syntax::mapping::Mapping)>,
}

impl Mappings {
    pub(crate) fn add(&mut self, source: RuleSource, mapping: crate::syntax::mapping::Mapping) {
        self.all.push((source, mapping));
    }

    /// The field that a rule of that source means by a name. A later mapping goes before an earlier one.
    pub(crate) fn field(&self, name: &str, source: &RuleSource) -> Field {
        let fits = |other: &RuleSource| other.applies_to(&source.as_log_source());
        let paths = (self.all.iter().rev())
            .filter(|(other, _)| fits(other))
            .find_map(|(_, mapping)| mapping.iter().find(|(from, _)| from == name));
        paths.map_or_else(|| Field::new(name), |(_, paths)| Field::mapped(name, paths))
    }
}

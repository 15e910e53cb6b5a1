//! STIX 2.1: the `indicator` objects of a bundle, or of what a TAXII server gives. Takes objects one by one; gives their values, with
//! the name of who made them. Objects of other types, revoked ones and those that say that something is harmless are passed over.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::SeqAccess;

use super::json::{Loose, Pick, Seed, Take};
use super::limits::{SOURCE_BYTES, WHY_BYTES};
use super::reading::{Place, Reading, Said};
use super::{pattern, time};
use crate::rule::Level;

const FIELDS: [&str; 12] = [
    "type",
    "id",
    "name",
    "description",
    "pattern",
    "pattern_type",
    "valid_until",
    "confidence",
    "revoked",
    "created_by_ref",
    "indicator_types",
    "labels",
];

/// The list of objects.
pub(super) struct Objects<'r>(pub(super) &'r mut Reading);

impl<'de> Take<'de> for Objects<'_> {
    type Out = ();

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self(reading) = self;
        reading.has_entries = true;
        let start = reading.indicators.len();
        let (mut names, mut number) = (HashMap::new(), 0_usize);
        let mut next = || list.next_element_seed(Seed(Pick(&FIELDS)));
        let outcome = loop {
            match next() {
                Ok(Some(fields)) => object(number, fields, &mut names, reading),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            number += 1;
        };
        // Identities may stand behind what they made.
        for indicator in reading.indicators.iter_mut().skip(start) {
            if let Some(name) = names.get(&indicator.source) {
                indicator.source = Arc::clone(name);
            }
        }
        outcome
    }
}

fn object(
    number: usize,
    fields: Option<[Loose; FIELDS.len()]>,
    names: &mut HashMap<Arc<str>, Arc<str>>,
    reading: &mut Reading,
) {
    let entry = format!("objects[{number}]");
    let Some(fields) = fields else {
        return reading.fault(Place { line: 0, entry: &entry }, "", "must be an object");
    };
    let [kind, id, name, description, pattern, pattern_type, until, confidence, revoked, made_by, types, labels] =
        fields;
    let place = Place { line: 0, entry: if id.text().is_empty() { &entry } else { id.text() } };
    if kind.text() == "identity" && !name.text().is_empty() && !id.text().is_empty() {
        let (id, name) = (reading.word(id.text(), SOURCE_BYTES), reading.word(name.text(), SOURCE_BYTES));
        names.insert(id, name);
    }
    if kind.text() != "indicator" || revoked == Loose::Bool(true) || says_harmless(&types) || says_harmless(&labels) {
        return;
    }
    if !matches!(pattern_type.text(), "" | "stix") {
        return reading.fault(place, "pattern_type", format!("`{}` is not allowed; `stix` is", pattern_type.text()));
    }
    let expires = match expires(&until) {
        Ok(expires) => expires,
        Err(why) => return reading.fault(place, "valid_until", why),
    };
    let confidence = match confidence {
        Loose::Missing => None,
        Loose::Whole(number) if (0..=100).contains(&number) => u8::try_from(number).ok(),
        _ => return reading.fault(place, "confidence", "must be a whole number from 0 to 100"),
    };
    let kinds = match pattern.must().and_then(pattern::kinds) {
        Ok(kinds) => kinds,
        Err(why) => return reading.fault(place, "pattern", why),
    };
    let why = if description.text().is_empty() { name.text() } else { description.text() };
    let source =
        if made_by.text().is_empty() { reading.own_source() } else { reading.word(made_by.text(), SOURCE_BYTES) };
    let why = reading.word(why, WHY_BYTES);
    let said = Said { source, why, expires, level: level(confidence), confidence };
    for kind in kinds {
        reading.value(place, "pattern", kind, &said);
    }
}

fn says_harmless(types: &Loose) -> bool {
    matches!(types, Loose::List(types) if types.iter().any(|word| word == "benign"))
}

fn expires(until: &Loose) -> Result<Option<i64>, String> {
    match until {
        Loose::Missing => Ok(None),
        Loose::Text(text) => time::parse(text).map(Some).ok_or_else(|| "must be as 2026-12-31T10:00:00Z".to_owned()),
        _ => Err("must be text".to_owned()),
    }
}

/// STIX has no severity: how sure the source is stands for it, on the standard's own scale of low, medium and high.
fn level(confidence: Option<u8>) -> Level {
    match confidence {
        Some(70..) => Level::High,
        Some(1..=29) => Level::Low,
        _ => Level::Medium,
    }
}

//! MISP events as JSON: the attributes of an event, those in its objects included, that are marked for detection (`to_ids`). Takes them one
//! by one; gives their values, with the organisation as the source, the event's own words as the reason, and its threat level as the level.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::json::{Among, Keep, Loose, Pick, Seed, Take};
use super::limits::{SOURCE_BYTES, WHY_BYTES};
use super::reading::{Place, Reading, Said};
use super::{Kind, kinds};
use crate::rule::Level;

const FIELDS: [&str; 6] = ["type", "value", "to_ids", "uuid", "comment", "deleted"];

/// The types that are known; of two values with `|` between the one that says most is taken.
const TYPES: &str = "md5, sha1, sha256, filename, filename|md5, filename|sha1, filename|sha256, malware-sample, ip-src, ip-dst, \
                     ip-src|port, ip-dst|port, domain, domain|ip, hostname, hostname|port, url";

/// One event.
pub(super) struct Event<'r>(pub(super) &'r mut Reading);

impl<'de> Take<'de> for Event<'_> {
    type Out = ();

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(reading) = self;
        let start = reading.indicators.len();
        let mut about = About::default();
        let outcome = loop {
            match about.field(&mut map, reading) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        about.say(start, reading);
        outcome
    }
}

/// What an event says of itself; it may stand behind its attributes.
#[derive(Default)]
struct About {
    info: Loose,
    threat: Loose,
    organisation: Loose,
    number: usize,
}

impl About {
    /// Takes one field; gives whether there was one.
    fn field<'de, A: MapAccess<'de>>(&mut self, map: &mut A, reading: &mut Reading) -> Result<bool, A::Error> {
        const KEYS: [&str; 5] = ["info", "threat_level_id", "Orgc", "Attribute", "Object"];
        let Some(key) = map.next_key_seed(Seed(Among(&KEYS)))? else { return Ok(false) };
        match key {
            Some(0) => self.info = map.next_value_seed(Seed(Keep))?,
            Some(1) => self.threat = map.next_value_seed(Seed(Keep))?,
            Some(2) => {
                let [name] = map.next_value_seed(Seed(Pick(&["name"])))?.unwrap_or_default();
                self.organisation = name;
            }
            Some(3) => map.next_value_seed(Seed(Attributes { number: &mut self.number, reading }))?,
            Some(_) => map.next_value_seed(Seed(Objects { number: &mut self.number, reading }))?,
            None => map.next_value::<IgnoredAny>().map(drop)?,
        }
        Ok(true)
    }

    /// Completes what was read of the event.
    fn say(&self, start: usize, reading: &mut Reading) {
        let level = match self.threat.text() {
            "1" => Level::High,
            "3" => Level::Low,
            _ => match self.threat {
                Loose::Whole(1) => Level::High,
                Loose::Whole(3) => Level::Low,
                _ => Level::Medium,
            },
        };
        let organisation = self.organisation.text();
        let source = match organisation {
            "" => reading.own_source(),
            name => reading.word(name, SOURCE_BYTES),
        };
        let mut indicators = std::mem::take(&mut reading.indicators);
        for indicator in indicators.iter_mut().skip(start) {
            let why = match (self.info.text(), indicator.why.as_ref()) {
                ("", comment) => comment.to_owned(),
                (info, "") => info.to_owned(),
                (info, comment) => format!("{info}: {comment}"),
            };
            indicator.why = reading.word(&why, WHY_BYTES);
            indicator.source = source.clone();
            indicator.level = level;
        }
        reading.indicators = indicators;
    }
}

/// The attributes of an event or of one of its objects, numbered through the whole event.
struct Attributes<'r> {
    number: &'r mut usize,
    reading: &'r mut Reading,
}

impl<'de> Take<'de> for Attributes<'_> {
    type Out = ();

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.reading.has_entries = true;
        while let Some(fields) = list.next_element_seed(Seed(Pick(&FIELDS)))? {
            attribute(*self.number, fields, self.reading);
            *self.number += 1;
        }
        Ok(())
    }
}

/// The objects of an event, each of which has attributes.
struct Objects<'r> {
    number: &'r mut usize,
    reading: &'r mut Reading,
}

impl<'de> Take<'de> for Objects<'_> {
    type Out = ();

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { number, reading } = self;
        while list.next_element_seed(Seed(Objects { number: &mut *number, reading: &mut *reading }))?.is_some() {}
        Ok(())
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { number, reading } = self;
        while let Some(key) = map.next_key_seed(Seed(Among(&["Attribute"])))? {
            match key {
                Some(_) => {
                    map.next_value_seed(Seed(Attributes { number: &mut *number, reading: &mut *reading }))?;
                }
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

fn attribute(number: usize, fields: Option<[Loose; FIELDS.len()]>, reading: &mut Reading) {
    let entry = format!("Attribute[{number}]");
    let Some([kind, value, to_ids, uuid, comment, deleted]) = fields else {
        return reading.fault(Place { line: 0, entry: &entry }, "", "must be an object");
    };
    let place = Place { line: 0, entry: if uuid.text().is_empty() { &entry } else { uuid.text() } };
    // Without the mark it is context: something that was seen, not something that is bad.
    if is_yes(&deleted) || !is_yes(&to_ids) {
        return;
    }
    let kind = match kind.must() {
        Ok(kind) => kind,
        Err(why) => return reading.fault(place, "type", why),
    };
    let value = match value.must() {
        Ok(value) => value.trim(),
        Err(why) => return reading.fault(place, "value", why),
    };
    let Some(found) = values(kind, value) else {
        let kind = super::reading::plain(kind, 40);
        return reading.fault(place, "type", format!("`{kind}` is not one of {TYPES}"));
    };
    let why = reading.word(comment.text(), WHY_BYTES);
    let source = reading.own_source();
    let said = Said { source, why, expires: None, level: Level::Medium, confidence: None };
    for kind in found.into_iter().flatten() {
        reading.value(place, "value", kind, &said);
    }
}

fn is_yes(mark: &Loose) -> bool {
    match mark {
        Loose::Bool(yes) => *yes,
        Loose::Whole(number) => *number == 1,
        Loose::Text(text) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    }
}

/// The values of an attribute; `None` where the type is not known.
fn values(kind: &str, value: &str) -> Option<[Option<Result<Kind, String>>; 2]> {
    let (first, second) = value.split_once('|').unwrap_or((value, ""));
    let one = |kind| Some([Some(kind), None]);
    match kind {
        "md5" => one(kinds::hash(value, 16)),
        "sha1" => one(kinds::hash(value, 20)),
        "sha256" => one(kinds::hash(value, 32)),
        "filename" => one(kinds::file_name(value)),
        "filename|md5" | "malware-sample" => one(kinds::hash(second, 16)),
        "filename|sha1" => one(kinds::hash(second, 20)),
        "filename|sha256" => one(kinds::hash(second, 32)),
        "ip-src" | "ip-dst" | "ip-src|port" | "ip-dst|port" => one(kinds::address_or_network(first)),
        "domain" | "hostname" | "hostname|port" => one(kinds::domain(first)),
        "domain|ip" => Some([Some(kinds::domain(first)), Some(kinds::address_or_network(second))]),
        "url" => one(kinds::url(value)),
        _ => None,
    }
}

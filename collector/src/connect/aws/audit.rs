//! `CloudTrail` as AWS writes it: `{"Records": […]}`, gzipped or not, and JSON lines. Takes an object's bytes; gives its entries with
//! the provider's JSON untouched, and says by file and record what could not be read. Pure, bounded before parsed, never panics.

use std::fmt;
use std::io::Read;

use collector_core::model::{AuditEntry, AuditSource, Moment};
use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::connect::audit::{Parsed, address};

/// One object as it lies in its folder. AWS cuts files at some 50 MB before compression.
pub const OBJECT_BYTES: u64 = 64 << 20;

/// The same, unpacked: refuses a gzip bomb before it fills the memory.
pub const UNPACKED_BYTES: u64 = 256 << 20;

/// Entries of one object; AWS writes some ten thousand at most.
pub const OBJECT_ENTRIES: usize = 250_000;

/// One entry. `CloudTrail`'s own limit is 256 KiB.
pub const ENTRY_BYTES: usize = 1 << 20;

/// Troubles that are told one by one; more are only counted.
const TROUBLES: usize = 20;

/// The entries of one object. `file` names it in what is said about trouble.
pub fn parse(file: &str, object: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    if object.len() as u64 > OBJECT_BYTES {
        parsed.troubles.push(format!("{file}: {} bytes, more than {OBJECT_BYTES}", object.len()));
        return parsed;
    }
    match unpack(object) {
        Ok(text) => read(file, &text, &address(object), &mut parsed),
        Err(why) => parsed.troubles.push(format!("{file}: {why}")),
    }
    if parsed.troubles.len() > TROUBLES {
        let more = parsed.troubles.len() - TROUBLES;
        parsed.troubles.truncate(TROUBLES);
        parsed.troubles.push(format!("{file}: {more} more"));
    }
    parsed
}

/// By content, not by name: a renamed file is still what it is.
fn unpack(object: &[u8]) -> Result<Vec<u8>, String> {
    if !object.starts_with(&[0x1f, 0x8b]) {
        return Ok(object.to_vec());
    }
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(object).take(UNPACKED_BYTES + 1).read_to_end(&mut text);
    if text.len() as u64 > UNPACKED_BYTES {
        return Err(format!("unpacks to more than {UNPACKED_BYTES} bytes"));
    }
    read.map(|_| text).map_err(|cause| format!("not whole gzip: {cause}"))
}

fn read(file: &str, text: &[u8], sha256: &str, parsed: &mut Parsed) {
    let mut records = Vec::new();
    if is_lines(text) {
        lines(file, text, &mut records, parsed);
    } else if let Err(cause) = document(text, &mut records) {
        parsed.troubles.push(format!("{file}, record {}: {cause}", records.len() + 1));
    }
    for (index, record) in records.into_iter().enumerate() {
        match entry(record, sha256) {
            Ok(entry) => parsed.entries.push(entry),
            Err(why) => parsed.troubles.push(format!("{file}, record {}: {why}", index + 1)),
        }
    }
}

/// JSON lines: the first line is a whole value, and more lines follow it or it is no `Records`.
fn is_lines(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = first.len() <= ENTRY_BYTES && serde_json::from_slice::<IgnoredAny>(first).is_ok();
    is_whole && !first.trim_ascii_start().get(1..).unwrap_or_default().trim_ascii_start().starts_with(b"\"Records\"")
}

fn lines(file: &str, text: &[u8], records: &mut Vec<Value>, parsed: &mut Parsed) {
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if line.len() > ENTRY_BYTES || records.len() >= OBJECT_ENTRIES {
            parsed.troubles.push(format!("{file}, line {}: longer than any entry, or one of too many", index + 1));
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(cause) => parsed.troubles.push(format!("{file}, line {}: {cause}", index + 1)),
        }
    }
}

/// `{"Records": […]}`: what was read before an error stays in `records`.
fn document(text: &[u8], records: &mut Vec<Value>) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    Document { records }.deserialize(&mut json).and_then(|()| json.end()).map_err(|cause| cause.to_string())
}

struct Document<'a> {
    records: &'a mut Vec<Value>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `Records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut is_there = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "Records" {
                is_there = true;
                map.next_value_seed(Records { records: self.records })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if is_there { Ok(()) } else { Err(serde::de::Error::custom("no `Records` in it")) }
    }
}

struct Records<'a> {
    records: &'a mut Vec<Value>,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(record) = list.next_element()? {
            if self.records.len() >= OBJECT_ENTRIES {
                return Err(serde::de::Error::custom(format!("more than {OBJECT_ENTRIES} records")));
            }
            self.records.push(record);
        }
        Ok(())
    }
}

/// One entry. Fields and versions that we do not know stay in `original`; only what makes it an entry must be there.
fn entry(record: Value, sha256: &str) -> Result<AuditEntry, String> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let needed = |key: &str| text(key).filter(|value| !value.is_empty()).ok_or_else(|| format!("no `{key}`"));
    let (id, action, time) = (needed("eventID")?.to_owned(), needed("eventName")?.to_owned(), needed("eventTime")?);
    let time: jiff::Timestamp = time.parse().map_err(|_| format!("`eventTime` {time:?} is no time"))?;
    let seconds = u64::try_from(time.as_second()).map_err(|_| "`eventTime` is before 1970".to_owned())?;
    let source_address = text("sourceIPAddress").and_then(|address| address.parse().ok());
    let denied = text("errorCode").is_some_and(is_denial);
    Ok(AuditEntry {
        source: AuditSource::Cloudtrail,
        id,
        time: Moment::of_second(seconds),
        action,
        source_address,
        denied,
        original: record,
        object_sha256: sha256.to_owned(),
    })
}

/// `AccessDenied`, `AccessDeniedException`, `Client.UnauthorizedOperation`, … : each service has its own word.
fn is_denial(code: &str) -> bool {
    ["AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden"].iter().any(|word| code.contains(word))
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;

//! By what events belong together: the values of fields, bounded, as one key of bytes.
//!
//! Takes an event and a field; gives its values as text, each of bounded length. A field that is missing is a value of
//! its own: it is never equal to an empty text.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::evaluate::{bool_text, each, written};
use crate::event::{Event, Value};
use crate::fields::Field;
use crate::limits;

/// One value of one field of a key; `None` where the event has no such field.
pub(super) type Part = Option<Box<[u8]>>;

/// The different values of a field, at most so many as an event may belong to groups, and whether there were more.
pub(super) fn values<E: Event + ?Sized>(event: &E, field: &Field) -> (Vec<Box<[u8]>>, bool) {
    let mut found: Vec<Box<[u8]>> = Vec::new();
    let more = each(event.field(field), &mut |value| {
        let digits = written(value);
        let text = match value {
            Value::Text(text) => text,
            Value::Bool(yes) => bool_text(yes),
            Value::Int(_) | Value::Float(_) | Value::Address(_) => digits.as_bytes(),
            Value::Missing | Value::Null | Value::Object | Value::Many(_) => return false,
        };
        let text = cut(text);
        if found.contains(&text) {
            return false;
        }
        if found.len() >= limits::EVENT_GROUPS {
            return true;
        }
        found.push(text);
        false
    });
    (found, more)
}

/// The first number that a field holds.
pub(super) fn number<E: Event + ?Sized>(event: &E, field: &Field) -> Option<f64> {
    let mut found = None;
    each(event.field(field), &mut |value| {
        let text = if let Value::Text(text) = value { text } else { &[] };
        found = crate::evaluate::numeric(value, text).filter(|number| number.is_finite());
        found.is_some()
    });
    found
}

/// A value of bounded length: a long one keeps its beginning and says by a hash which one it was.
fn cut(text: &[u8]) -> Box<[u8]> {
    match text.get(..limits::VALUE_BYTES) {
        Some(head) if text.len() > limits::VALUE_BYTES => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            let mut short = head.to_vec();
            short.extend_from_slice(format!("...{:016x}", hasher.finish()).as_bytes());
            short.into()
        }
        _ => text.into(),
    }
}

/// Every combination of one value from each list, at most so many as an event may belong to groups, and whether there
/// were more. A list without values stands for a field that is missing.
pub(super) fn combinations(lists: &[Vec<Box<[u8]>>]) -> (Vec<Vec<Part>>, bool) {
    let mut all: Vec<Vec<Part>> = vec![Vec::new()];
    let mut more = false;
    for list in lists {
        let choices: Vec<Part> =
            if list.is_empty() { vec![None] } else { list.iter().map(|value| Some(value.clone())).collect() };
        let mut next = Vec::new();
        for (start, choice) in all.iter().flat_map(|start| choices.iter().map(move |choice| (start, choice))) {
            if next.len() >= limits::EVENT_GROUPS {
                more = true;
                break;
            }
            let mut parts = start.clone();
            parts.push(choice.clone());
            next.push(parts);
        }
        all = next;
    }
    (all, more)
}

/// The parts as one key: before each its length, so that no two lists of parts are the same key.
pub(super) fn encode(parts: &[Part]) -> Arc<[u8]> {
    let mut key = Vec::new();
    for part in parts {
        match part {
            None => key.push(0),
            Some(value) => {
                key.push(1);
                key.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
                key.extend_from_slice(value);
            }
        }
    }
    key.into()
}

/// The parts of a key.
pub(super) fn decode(key: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = key;
    while let Some((mark, after)) = rest.split_first() {
        let length = after.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
        let value = if *mark == 1 { after.get(4..4 + length) } else { None };
        parts.push(value.map(Into::into));
        rest = value.map_or(after, |_| after.get(4 + length..).unwrap_or_default());
    }
    parts
}

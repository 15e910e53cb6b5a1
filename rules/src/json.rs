//! An event that is a JSON object: an audit entry of `CloudTrail`, of Kubernetes, or an example in a rule file.
//!
//! Takes a parsed `serde_json::Value` and the log source; gives an [`Event`]. A dotted field name is a path through
//! objects and arrays, or a key that itself contains dots, or any mixture. It never copies a value.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::evaluate::text::Digits;
use crate::event::{Event, LogSource, Value};
use crate::fields::Field;
use crate::limits::JSON_NESTING;

/// A JSON value with the log source it came from.
#[derive(Debug, Clone, Copy)]
pub struct JsonEvent<'a> {
    value: &'a Json,
    source: LogSource<'a>,
}

impl<'a> JsonEvent<'a> {
    /// Wraps a parsed entry.
    pub fn new(value: &'a Json, source: LogSource<'a>) -> Self {
        Self { value, source }
    }

    fn named<'b>(&'b self, name: &'b str) -> Value<'b> {
        let Json::Object(object) = self.value else { return Value::Missing };
        if let Some(value) = object.get(name) {
            // The whole name as a key is by far the commonest case and needs no path.
            return single(value).unwrap_or(Value::Many(Spread { value: self.value, rest: name }));
        }
        if name.contains('.') { path(self.value, name) } else { Value::Missing }
    }
}

impl Event for JsonEvent<'_> {
    fn log_source(&self) -> LogSource<'_> {
        self.source
    }

    fn field<'a>(&'a self, field: &'a Field) -> Value<'a> {
        let names = std::iter::once(field.name()).chain(field.paths());
        names.map(|name| self.named(name)).find(|value| !matches!(value, Value::Missing)).unwrap_or(Value::Missing)
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        every_text(self.value, visit, JSON_NESTING)
    }
}

/// Several values inside one JSON event: what a path finds from a value on.
#[derive(Debug, Clone, Copy)]
pub struct Spread<'a> {
    value: &'a Json,
    rest: &'a str,
}

impl<'a> Spread<'a> {
    /// Shows every value to `visit` until it answers true; gives whether it did.
    pub fn each(&self, visit: &mut dyn FnMut(Value<'a>) -> bool) -> bool {
        walk(self.value, self.rest, visit, JSON_NESTING)
    }
}

/// The value that a path leads to; a path that finds none is a missing field, not an empty list.
fn path<'a>(value: &'a Json, name: &'a str) -> Value<'a> {
    let spread = Spread { value, rest: name };
    let mut found = Value::Missing;
    let mut count = 0_usize;
    spread.each(&mut |value| {
        found = value;
        count += 1;
        count > 1
    });
    if count > 1 { Value::Many(spread) } else { found }
}

/// A value that needs no walking.
fn single(value: &Json) -> Option<Value<'_>> {
    Some(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.as_bytes()),
        Json::Object(_) => Value::Object,
        Json::Array(_) => return None,
    })
}

fn walk<'a>(value: &'a Json, rest: &str, visit: &mut dyn FnMut(Value<'a>) -> bool, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Json::Array(items) => items.iter().any(|item| walk(item, rest, visit, depth)),
        _ if rest.is_empty() => single(value).is_some_and(visit),
        Json::Object(object) => {
            object.get(rest).is_some_and(|value| walk(value, "", visit, depth))
                || rest.match_indices('.').any(|(dot, _)| {
                    let (key, rest) = (&rest[..dot], &rest[dot + 1..]);
                    !rest.is_empty() && object.get(key).is_some_and(|value| walk(value, rest, visit, depth))
                })
        }
        _ => false,
    }
}

fn every_text(value: &Json, visit: &mut dyn FnMut(&[u8]) -> bool, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Json::Null | Json::Bool(_) => false,
        Json::Number(number) => {
            let mut digits = Digits::default();
            write!(digits, "{number}").is_ok() && visit(digits.as_bytes())
        }
        Json::String(text) => visit(text.as_bytes()),
        Json::Array(items) => items.iter().any(|item| every_text(item, visit, depth)),
        Json::Object(object) => object.values().any(|item| every_text(item, visit, depth)),
    }
}

//! A compiled rule against one event.
//!
//! Takes a [`Program`] and an [`Event`]; gives whether it matches. It builds nothing, and allocates nothing but to look for
//! one long text of an event in another: values are asked for when they are needed, and the first answer that decides ends
//! the work.

pub(crate) mod explain;
pub(crate) mod text;
mod time;

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::compile::modifiers::{Order, Place};
use crate::compile::value::Pattern;
use crate::compile::{Expression, Item, Program, Test};
use crate::event::{Event, Value};
use crate::fields::Field;
use crate::limits;
use crate::syntax::condition::Condition;
use memchr::memmem;
use text::{Digits, head};

/// Whether the rule matches the event.
pub(crate) fn matches<E: Event + ?Sized>(program: &Program, event: &E) -> bool {
    condition(&program.condition, program, event)
}

fn condition<E: Event + ?Sized>(tree: &Condition, program: &Program, event: &E) -> bool {
    match tree {
        Condition::Part(part) => program.parts.get(*part).is_some_and(|part| expression(part, event)),
        Condition::All(all) => all.iter().all(|one| condition(one, program, event)),
        Condition::Any(any) => any.iter().any(|one| condition(one, program, event)),
        Condition::Not(inner) => !condition(inner, program, event),
    }
}

fn expression<E: Event + ?Sized>(tree: &Expression, event: &E) -> bool {
    match tree {
        Expression::All(all) => all.iter().all(|one| expression(one, event)),
        Expression::Any(any) => any.iter().any(|one| expression(one, event)),
        Expression::Item(one) => item(one, event),
    }
}

fn item<E: Event + ?Sized>(item: &Item, event: &E) -> bool {
    let found = match &item.field {
        Some(field) => of_field(&item.test, event.field(field), event),
        None => of_all_text(&item.test, event),
    };
    found != item.negated
}

fn of_field<E: Event + ?Sized>(test: &Test, value: Value<'_>, event: &E) -> bool {
    match test {
        Test::Exists(exists) => *exists != matches!(value, Value::Missing),
        Test::Any(patterns) => each(value, &mut |value| any(patterns, value, event)),
        Test::All(groups) => groups.iter().all(|group| each(value, &mut |value| any(group, value, event))),
    }
}

fn of_all_text<E: Event + ?Sized>(test: &Test, event: &E) -> bool {
    match test {
        Test::Exists(_) => false,
        Test::Any(patterns) => event.each_text(&mut |text| any(patterns, Value::Text(text), event)),
        Test::All(groups) => {
            groups.iter().all(|group| event.each_text(&mut |text| any(group, Value::Text(text), event)))
        }
    }
}

/// One of many values, or the only one.
pub(crate) fn each<'a>(value: Value<'a>, test: &mut dyn FnMut(Value<'a>) -> bool) -> bool {
    match value {
        Value::Many(spread) => spread.each(test),
        single => test(single),
    }
}

fn any<E: Event + ?Sized>(patterns: &[Pattern], value: Value<'_>, event: &E) -> bool {
    match value {
        // A number is written out once, not for each pattern.
        Value::Int(_) | Value::Float(_) | Value::Address(_) => {
            let digits = written(value);
            patterns.iter().any(|pattern| fits(pattern, value, digits.as_bytes(), event))
        }
        Value::Text(text) => patterns.iter().any(|pattern| fits(pattern, value, text, event)),
        Value::Bool(yes) => patterns.iter().any(|pattern| fits(pattern, value, bool_text(yes), event)),
        Value::Missing | Value::Null => patterns.iter().any(|pattern| match pattern {
            Pattern::Null => true,
            Pattern::FieldRef { .. } => fits(pattern, value, &[], event),
            _ => false,
        }),
        Value::Object | Value::Many(_) => false,
    }
}

/// Whether one value, with its text, fits one pattern.
fn fits<E: Event + ?Sized>(pattern: &Pattern, value: Value<'_>, text: &[u8], event: &E) -> bool {
    match pattern {
        Pattern::Null => false,
        Pattern::Bool(yes) => text.eq_ignore_ascii_case(bool_text(*yes)),
        Pattern::Int(number) => match value {
            Value::Int(value) => value == *number,
            other => numeric(other, text).is_some_and(|value| same(value, *number as f64)),
        },
        Pattern::Float(number) => numeric(value, text).is_some_and(|value| same(value, *number)),
        Pattern::Text(pattern) => pattern.matches(text),
        Pattern::Regex(expression) => expression.matches(text),
        Pattern::Cidr(network) => address(value, text).is_some_and(|address| network.contains(&address)),
        Pattern::Compare(order, bound) => numeric(value, text).is_some_and(|value| ordered(*order, value, *bound)),
        Pattern::Time(part, number) => time::part(text, *part) == Some(*number),
        Pattern::FieldRef { field, place, cased } => {
            !matches!(value, Value::Missing | Value::Null) && refers(field, *place, *cased, text, event)
        }
    }
}

#[expect(clippy::float_cmp, reason = "a rule that writes 1.5 means 1.5")]
fn same(left: f64, right: f64) -> bool {
    left == right
}

fn ordered(order: Order, value: f64, bound: f64) -> bool {
    match order {
        Order::Less => value < bound,
        Order::LessOrEqual => value <= bound,
        Order::Greater => value > bound,
        Order::GreaterOrEqual => value >= bound,
    }
}

/// A number, or text that is one.
pub(crate) fn numeric(value: Value<'_>, text: &[u8]) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        Value::Text(_) if text.first().is_some_and(|first| first.is_ascii_digit() || b"+-.".contains(first)) => {
            std::str::from_utf8(text).ok()?.parse().ok()
        }
        _ => None,
    }
}

fn address(value: Value<'_>, text: &[u8]) -> Option<IpAddr> {
    match value {
        Value::Address(address) => Some(address),
        Value::Text(_) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// Whether a text stands in the asked relation to another field of the event.
fn refers<E: Event + ?Sized>(field: &Field, place: Place, cased: bool, text: &[u8], event: &E) -> bool {
    each(event.field(field), &mut |other| {
        let digits = written(other);
        let other = match other {
            Value::Text(other) => other,
            Value::Bool(yes) => bool_text(yes),
            Value::Int(_) | Value::Float(_) | Value::Address(_) => digits.as_bytes(),
            Value::Missing | Value::Null | Value::Object | Value::Many(_) => return false,
        };
        let same = |part: &[u8]| if cased { part == other } else { part.eq_ignore_ascii_case(other) };
        match place {
            Place::Whole => same(text),
            Place::Start => text.get(..other.len()).is_some_and(same),
            Place::End => text.len().checked_sub(other.len()).is_some_and(|start| same(&text[start..])),
            Place::Anywhere => contains(text, other, cased),
        }
    })
}

/// Whether one text of an event stands in another. Both are as long as whoever sent the event wanted, so that comparing
/// place by place is for short ones alone.
fn contains(text: &[u8], other: &[u8], cased: bool) -> bool {
    let text = head(text, limits::TEXT_BYTES);
    if other.len() > text.len() {
        return false;
    }
    if cased {
        return memmem::find(text, other).is_some();
    }
    if other.len() <= limits::COMPARED_BYTES {
        return other.is_empty() || text.windows(other.len()).any(|part| part.eq_ignore_ascii_case(other));
    }
    memmem::find(&text.to_ascii_lowercase(), &other.to_ascii_lowercase()).is_some()
}

pub(crate) fn bool_text(yes: bool) -> &'static [u8] {
    if yes { b"true" } else { b"false" }
}

/// A number or an address as text; empty for anything else.
pub(crate) fn written(value: Value<'_>) -> Digits {
    let mut digits = Digits::default();
    let done = match value {
        Value::Int(number) => write!(digits, "{number}"),
        Value::Float(number) => write!(digits, "{number}"),
        Value::Address(address) => write!(digits, "{address}"),
        _ => Ok(()),
    };
    if done.is_err() {
        digits = Digits::default();
    }
    digits
}

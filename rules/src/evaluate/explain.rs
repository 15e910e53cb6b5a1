//! Why a rule matched: the fields, with their values, that decided.
//!
//! Takes a program and an event that it matches; gives the fields that the true branches looked at. Runs once for each
//! finding, so that it may allocate; it never decides anything itself.

use std::collections::BTreeMap;

use super::{condition, expression, item, written};
use crate::compile::{Expression, Program, Test};
use crate::event::{Event, Value};
use crate::syntax::condition::Condition;

/// A field that a rule looked at, with what it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The field as the rule names it; empty for a keyword.
    pub field: String,
    /// The value that fitted, as text: bytes an attacker may have chosen.
    pub value: Vec<u8>,
}

pub(crate) fn explain<E: Event + ?Sized>(program: &Program, event: &E) -> Vec<Matched> {
    let mut found = BTreeMap::new();
    of_condition(&program.condition, program, event, &mut found);
    in_order(found)
}

/// What one part of a detection rests on.
pub(super) fn of_part<E: Event + ?Sized>(part: &Expression, event: &E) -> Vec<Matched> {
    let mut found = BTreeMap::new();
    of_expression(part, event, &mut found);
    in_order(found)
}

fn in_order(found: Found) -> Vec<Matched> {
    let mut matched: Vec<_> = found.into_values().collect();
    matched.sort_by_key(|(order, _)| *order);
    matched.into_iter().map(|(_, matched)| matched).collect()
}

/// By field and value, with the order in which they were found.
type Found = BTreeMap<(String, Vec<u8>), (usize, Matched)>;

fn of_condition<E: Event + ?Sized>(tree: &Condition, program: &Program, event: &E, found: &mut Found) {
    match tree {
        Condition::Part(part) => {
            if let Some(part) = program.parts.get(*part) {
                of_expression(part, event, found);
            }
        }
        Condition::All(branches) | Condition::Any(branches) => {
            for branch in branches.iter().filter(|branch| condition(branch, program, event)) {
                of_condition(branch, program, event, found);
            }
        }
        // What was not there is no evidence for what was.
        Condition::Not(_) => {}
    }
}

fn of_expression<E: Event + ?Sized>(tree: &Expression, event: &E, found: &mut Found) {
    match tree {
        Expression::All(branches) | Expression::Any(branches) => {
            for branch in branches.iter().filter(|branch| expression(branch, event)) {
                of_expression(branch, event, found);
            }
        }
        Expression::Item(one) if item(one, event) => match &one.field {
            Some(field) => {
                super::each(event.field(field), &mut |value| {
                    if one.negated || super::of_field(&one.test, value, event) {
                        add(field.name(), value, found);
                    }
                    false
                });
            }
            None => keywords(&one.test, event, found),
        },
        Expression::Item(_) => {}
    }
}

fn keywords<E: Event + ?Sized>(test: &Test, event: &E, found: &mut Found) {
    let groups: Vec<_> = match test {
        Test::Exists(_) => return,
        Test::Any(patterns) => vec![patterns],
        Test::All(groups) => groups.iter().collect(),
    };
    for group in groups {
        event.each_text(&mut |text| {
            let fits = super::any(group, Value::Text(text), event);
            if fits {
                add("", Value::Text(text), found);
            }
            fits
        });
    }
}

/// A single value as text; nothing where it holds none.
pub(super) fn shown(value: Value<'_>) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => Some(text.to_vec()),
        Value::Bool(yes) => Some(super::bool_text(yes).to_vec()),
        Value::Int(_) | Value::Float(_) | Value::Address(_) => Some(written(value).as_bytes().to_vec()),
        Value::Missing | Value::Null | Value::Object | Value::Many(_) => None,
    }
}

fn add(field: &str, value: Value<'_>, found: &mut Found) {
    let Some(text) = shown(value) else { return };
    let order = found.len();
    found.entry((field.to_owned(), text.clone())).or_insert((order, Matched { field: field.to_owned(), value: text }));
}

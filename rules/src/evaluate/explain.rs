//! Why a rule matched: the fields, with their values, that decided.
//!
//! Takes a program and an event; gives the fields that the true branches looked at, and what each part of the rule made
//! of the event. Runs once for each
//! finding, so that it may allocate; it never decides anything itself.

use std::collections::BTreeMap;

use super::{condition, expression, item, written};
use crate::compile::{Expression, Item, Program, Test};
use crate::event::{Event, Value};
use crate::fields::Field;
use crate::syntax::condition::Condition;

/// A field that a rule looked at, with what it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The field as the rule names it; empty for a keyword.
    pub field: String,
    /// The value that fitted, as text: bytes an attacker may have chosen.
    pub value: Vec<u8>,
}

/// A named part of a rule, and what it makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What the rule calls it; behind `filter`, what a filter does.
    pub name: String,
    /// Whether it fits the event.
    pub matches: bool,
    /// The fields that fit, with their values: all that the part rests on where it matches, as far as it came where not.
    pub fitting: Vec<Matched>,
    /// The fields that do not fit.
    pub unfitting: Vec<Unfitting>,
    /// Whether the condition wants that it does not match: a filter.
    pub excludes: bool,
}

/// A field that is not as a part asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfitting {
    /// The field as the rule names it; empty for a keyword.
    pub field: String,
    /// What it holds, as text: of many values the first few. Empty where it holds none.
    pub values: Vec<Vec<u8>>,
}

/// Of a field with many values no more are shown.
const SHOWN: usize = 4;

/// Every part of a rule, whether the rule matches or not.
pub(crate) fn parts<E: Event + ?Sized>(program: &Program, event: &E) -> Vec<Part> {
    let part = |(position, (part, name)): (usize, (&Expression, &String))| {
        let mut found = BTreeMap::new();
        let mut unfitting = Vec::new();
        each_item(part, &mut |one| {
            if item(one, event) {
                of_item(one, event, &mut found);
            } else {
                let unfit = unfit(one, event);
                if !unfitting.contains(&unfit) {
                    unfitting.push(unfit);
                }
            }
        });
        Part {
            name: name.clone(),
            matches: expression(part, event),
            fitting: in_order(found),
            unfitting,
            excludes: excludes(&program.condition, position, false) == Some(true),
        }
    };
    program.parts.iter().zip(&program.names).enumerate().map(part).collect()
}

fn unfit<E: Event + ?Sized>(one: &Item, event: &E) -> Unfitting {
    let mut values = Vec::new();
    if let Some(field) = &one.field {
        super::each(event.field(field), &mut |value| {
            values.extend(shown(value));
            values.len() >= SHOWN
        });
    }
    Unfitting { field: one.field.as_ref().map_or("", Field::name).to_owned(), values }
}

/// Whether a part stands below an odd number of `not`; nothing where the condition does not name it. One that stands both
/// ways is asked for.
fn excludes(tree: &Condition, part: usize, negated: bool) -> Option<bool> {
    match tree {
        Condition::Part(position) => (*position == part).then_some(negated),
        Condition::All(branches) | Condition::Any(branches) => {
            branches.iter().filter_map(|branch| excludes(branch, part, negated)).reduce(|all, one| all && one)
        }
        Condition::Not(inner) => excludes(inner, part, !negated),
    }
}

fn each_item<'a>(tree: &'a Expression, visit: &mut impl FnMut(&'a Item)) {
    match tree {
        Expression::All(branches) | Expression::Any(branches) => {
            for branch in branches {
                each_item(branch, visit);
            }
        }
        Expression::Item(one) => visit(one),
    }
}

pub(crate) fn explain<E: Event + ?Sized>(program: &Program, event: &E) -> Vec<Matched> {
    let mut found = BTreeMap::new();
    of_condition(&program.condition, program, event, &mut found);
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
        Expression::Item(one) if item(one, event) => of_item(one, event, found),
        Expression::Item(_) => {}
    }
}

/// The values by which an item fits.
fn of_item<E: Event + ?Sized>(one: &Item, event: &E, found: &mut Found) {
    match &one.field {
        Some(field) => {
            super::each(event.field(field), &mut |value| {
                if one.negated || super::of_field(&one.test, value, event) {
                    add(field.name(), value, found);
                }
                false
            });
        }
        None => keywords(&one.test, event, found),
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
fn shown(value: Value<'_>) -> Option<Vec<u8>> {
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

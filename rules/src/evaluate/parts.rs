//! A detection part by part: which hold on an event and which do not, for those who ask why a rule did not match.
//!
//! Takes a program and an event; gives a [`Part`] for each named part. It never decides whether the rule matches, and is asked
//! by people, so that it may allocate.

use super::explain::{Matched, of_part, shown};
use super::{each, expression, item};
use crate::compile::{Expression, Program};
use crate::event::Event;
use crate::syntax::condition::Condition;

/// A part of a rule's detection, on one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What the rule calls it.
    pub name: String,
    /// Whether the event is as the part asks.
    pub holds: bool,
    /// Whether the condition wants that it does not hold: a filter.
    pub excludes: bool,
    /// Where it holds: the fields that decided.
    pub matched: Vec<Matched>,
    /// Where it does not hold: what was not as asked.
    pub unmet: Vec<Unmet>,
}

/// A field that was not as a part asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The field as the rule names it; empty for a keyword.
    pub field: String,
    /// What the event holds there as text, of several values the first few: bytes an attacker may have chosen. Empty where it holds nothing.
    pub values: Vec<Vec<u8>>,
}

/// Of a field with many values no more are shown.
const SHOWN: usize = 4;

pub(crate) fn parts<E: Event + ?Sized>(program: &Program, event: &E) -> Vec<Part> {
    let part = |(position, part): (usize, &Expression)| {
        let holds = expression(part, event);
        let mut unmet = Vec::new();
        if !holds {
            of_unmet(part, event, &mut unmet);
        }
        Part {
            name: program.names.get(position).map(ToString::to_string).unwrap_or_default(),
            holds,
            excludes: excludes(&program.condition, position, false) == Some(true),
            matched: if holds { of_part(part, event) } else { Vec::new() },
            unmet,
        }
    };
    program.parts.iter().enumerate().map(part).collect()
}

/// Whether a part stands below an odd number of `not`; nothing where the condition does not name it. One that stands both ways is asked for.
fn excludes(tree: &Condition, part: usize, negated: bool) -> Option<bool> {
    match tree {
        Condition::Part(position) => (*position == part).then_some(negated),
        Condition::All(branches) | Condition::Any(branches) => {
            branches.iter().filter_map(|branch| excludes(branch, part, negated)).reduce(|all, one| all && one)
        }
        Condition::Not(inner) => excludes(inner, part, !negated),
    }
}

fn of_unmet<E: Event + ?Sized>(tree: &Expression, event: &E, unmet: &mut Vec<Unmet>) {
    match tree {
        Expression::All(branches) | Expression::Any(branches) => {
            for branch in branches.iter().filter(|branch| !expression(branch, event)) {
                of_unmet(branch, event, unmet);
            }
        }
        Expression::Item(one) if item(one, event) => {}
        Expression::Item(one) => {
            let mut found = Unmet { field: String::new(), values: Vec::new() };
            if let Some(field) = &one.field {
                field.name().clone_into(&mut found.field);
                each(event.field(field), &mut |value| {
                    found.values.extend(shown(value));
                    found.values.len() >= SHOWN
                });
            }
            if !unmet.contains(&found) {
                unmet.push(found);
            }
        }
    }
}

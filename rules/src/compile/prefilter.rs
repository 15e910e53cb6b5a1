//! Which literals a rule cannot match without.
//!
//! Takes a compiled [`Program`]; gives its witnesses: a set of (field, literal) of which at least one must stand in the
//! event, or nothing when there is no such set. It never changes what a rule means: a witness only says that a rule is
//! worth evaluating.

use super::value::Pattern;
use super::{Expression, Item, Program, Test};
use crate::fields::Field;
use crate::syntax::condition::Condition;

/// A literal, in lower case, that the text of a field must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    /// `None`: any text of the event.
    pub(crate) field: Option<Field>,
    pub(crate) literal: Vec<u8>,
}

/// At least one of these must be there. `None`: nothing can be said.
pub(crate) type Witnesses = Option<Vec<Witness>>;

/// The best set of witnesses of a rule.
pub(crate) fn witnesses(program: &Program) -> Witnesses {
    of_condition(&program.condition, program)
}

fn of_condition(tree: &Condition, program: &Program) -> Witnesses {
    match tree {
        Condition::Part(part) => of_expression(program.parts.get(*part)?),
        Condition::All(all) => all.iter().filter_map(|one| of_condition(one, program)).max_by_key(|set| worth(set)),
        Condition::Any(any) => together(any.iter().map(|one| of_condition(one, program))),
        Condition::Not(_) => None,
    }
}

fn of_expression(tree: &Expression) -> Witnesses {
    match tree {
        Expression::All(all) => all.iter().filter_map(of_expression).max_by_key(|set| worth(set)),
        Expression::Any(any) => together(any.iter().map(of_expression)),
        Expression::Item(item) => of_item(item),
    }
}

fn of_item(item: &Item) -> Witnesses {
    if item.negated {
        return None;
    }
    let field = item.field.as_ref();
    match &item.test {
        Test::Exists(_) => None,
        Test::Any(patterns) => of_patterns(field, patterns),
        Test::All(groups) => groups.iter().filter_map(|group| of_patterns(field, group)).max_by_key(|set| worth(set)),
    }
}

fn of_patterns(field: Option<&Field>, patterns: &[Pattern]) -> Witnesses {
    let literals = patterns.iter().map(|pattern| match pattern {
        Pattern::Text(text) => text.literal().map(|literal| vec![Witness { field: field.cloned(), literal }]),
        Pattern::Regex(expression) => {
            let required = &expression.required;
            let literals = required.iter().map(|literal| Witness { field: field.cloned(), literal: literal.clone() });
            (!required.is_empty()).then(|| literals.collect())
        }
        _ => None,
    });
    together(literals)
}

/// The union, when each branch has witnesses of its own.
fn together(branches: impl Iterator<Item = Witnesses>) -> Witnesses {
    let mut union = Vec::new();
    for branch in branches {
        union.extend(branch?);
    }
    (!union.is_empty()).then_some(union)
}

/// How much a set saves: its shortest literal says how often it is there by chance, its size how many chances it has.
fn worth(set: &[Witness]) -> (usize, std::cmp::Reverse<usize>) {
    // Beyond eight bytes chance plays no part.
    (set.iter().map(|witness| witness.literal.len().min(8)).min().unwrap_or_default(), std::cmp::Reverse(set.len()))
}

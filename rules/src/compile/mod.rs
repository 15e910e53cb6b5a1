//! Syntax to what is evaluated: fields interned, patterns built, limits held.
//!
//! Takes a [`Detection`]; gives a [`Program`]. Done once at loading, so that evaluation neither allocates nor fails.

pub(crate) mod index;
pub(crate) mod modifiers;
pub(crate) mod prefilter;
pub(crate) mod value;

use crate::error::Fault;
use crate::fields::Field;
use crate::limits;
use crate::syntax::condition::Condition;
use crate::syntax::detection::{self, Detection, Search};
use crate::syntax::yaml::Typed;
use modifiers::{Kind, Place};
use value::Pattern;

/// A rule's detection, compiled.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) parts: Vec<Expression>,
    /// Of each part, what its file calls it.
    pub(crate) names: Vec<Box<str>>,
    pub(crate) condition: Condition,
}

/// A part of a detection, compiled.
#[derive(Debug)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Item(Item),
}

/// One field (or, without one, all text) against patterns.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) field: Option<Field>,
    pub(crate) test: Test,
    pub(crate) negated: bool,
}

#[derive(Debug)]
pub(crate) enum Test {
    Exists(bool),
    /// One pattern fits one of the field's values.
    Any(Vec<Pattern>),
    /// Of each group (the forms of one value under its encodings) one pattern fits.
    All(Vec<Vec<Pattern>>),
}

/// Compiles a detection.
pub(crate) fn compile(detection: Detection) -> Result<Program, Fault> {
    let mut compiler = Compiler { patterns: 0, expressions: 0 };
    let parts = detection.parts.iter().map(|part| compiler.search(part)).collect::<Result<_, _>>()?;
    Ok(Program { parts, names: detection.names, condition: detection.condition })
}

struct Compiler {
    patterns: usize,
    expressions: usize,
}

impl Compiler {
    fn search(&mut self, search: &Search) -> Result<Expression, Fault> {
        Ok(match search {
            Search::All(all) => Expression::All(all.iter().map(|one| self.search(one)).collect::<Result<_, _>>()?),
            Search::Any(any) => Expression::Any(any.iter().map(|one| self.search(one)).collect::<Result<_, _>>()?),
            Search::Item(item) => Expression::Item(self.item(item)?),
        })
    }

    fn item(&mut self, item: &detection::Item) -> Result<Item, Fault> {
        let fault = |line, message| Fault::new(line, item.key.clone(), message);
        let (name, mut modifiers) = modifiers::parse(&item.field).map_err(|message| fault(item.line, message))?;
        let field = (!name.is_empty()).then(|| Field::new(name));
        if modifiers.kind == Kind::Exists {
            let [(line, value)] = item.values.as_slice() else {
                return Err(fault(item.line, "`exists` takes one value, true or false".into()));
            };
            let Typed::Bool(exists) = value.typed() else {
                return Err(fault(*line, "`exists` takes true or false".into()));
            };
            if field.is_none() {
                return Err(fault(*line, "`exists` needs the name of a field".into()));
            }
            return Ok(Item { field, test: Test::Exists(exists), negated: modifiers.negated });
        }
        if field.is_none() && modifiers.kind == Kind::Plain && modifiers.place == Place::Whole {
            // A keyword stands anywhere in a text of the event.
            modifiers.place = Place::Anywhere;
        }
        let mut groups = Vec::new();
        for (line, value) in &item.values {
            let group = value::patterns(value, &modifiers).map_err(|message| fault(*line, message))?;
            self.patterns += group.len();
            if self.patterns > limits::PATTERNS {
                return Err(fault(*line, format!("the rule has more than {} values", limits::PATTERNS)));
            }
            self.expressions += group.iter().filter(|pattern| matches!(pattern, Pattern::Regex(..))).count();
            if self.expressions > limits::EXPRESSIONS {
                return Err(fault(*line, format!("the rule has more than {} expressions", limits::EXPRESSIONS)));
            }
            groups.push(group);
        }
        let test = if modifiers.all { Test::All(groups) } else { Test::Any(groups.into_iter().flatten().collect()) };
        Ok(Item { field, test, negated: modifiers.negated })
    }
}

//! Syntax to what is evaluated: fields interned, patterns built, limits held.
//!
//! Takes a [`Detection`]; gives a [`Program`]. Done once at loading, so that evaluation neither allocates nor fails.

pub(crate) mod expression;
pub(crate) mod index;
pub(crate) mod modifiers;
pub(crate) mod prefilter;
pub(crate) mod value;

use crate::error::Fault;
use crate::fields::Field;
use crate::limits;
use crate::mapping::Mappings;
use crate::placeholders::Placeholders;
use crate::rule::RuleSource;
use crate::syntax::condition::Condition;
use crate::syntax::detection::{self, Detection, Search};
use crate::syntax::yaml::{Scalar, Typed};
use modifiers::{Kind, Modifiers, Place};
use value::Pattern;

/// A rule's detection, compiled.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) parts: Vec<Expression>,
    /// What the file calls each part.
    pub(crate) names: Vec<String>,
    pub(crate) condition: Condition,
}

/// A part of a detection, compiled.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Item(Item),
}

/// One field (or, without one, all text) against patterns.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) field: Option<Field>,
    pub(crate) test: Test,
    pub(crate) negated: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    Exists(bool),
    /// One pattern fits one of the field's values.
    Any(Vec<Pattern>),
    /// Of each group (the forms of one value under its encodings) one pattern fits.
    All(Vec<Vec<Pattern>>),
}

/// What all rules together have taken of what they may.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pattern_bytes: usize,
    expression_bytes: usize,
}

/// Compiles a detection.
pub(crate) fn compile(
    detection: &Detection,
    source: &RuleSource,
    surroundings: &Surroundings,
    spent: &mut Spent,
) -> Result<Program, Fault> {
    let mut compiler = Compiler { source, surroundings, spent: *spent, patterns: 0, expressions: 0 };
    let parts = detection.parts.iter().map(|part| compiler.search(part)).collect::<Result<_, _>>()?;
    *spent = compiler.spent;
    Ok(Program { parts, names: detection.names.clone(), condition: detection.condition.clone() })
}

impl Program {
    /// The same program where the other does not match.
    pub(crate) fn without(&mut self, other: &Program) {
        let suppressed = other.condition.clone().moved(self.parts.len());
        self.parts.extend(other.parts.iter().cloned());
        self.names.extend(other.names.iter().map(|name| format!("filter {name}")));
        let own = std::mem::replace(&mut self.condition, Condition::All(Vec::new()));
        self.condition = Condition::All(vec![own, Condition::Not(Box::new(suppressed))]);
    }
}

impl Spent {
    fn take(&mut self, patterns: &[Pattern]) -> Result<(), String> {
        for pattern in patterns {
            self.pattern_bytes += pattern.bytes();
            if let Pattern::Regex(expression) = pattern {
                self.expression_bytes += expression.bytes;
            }
        }
        if self.pattern_bytes > limits::ALL_PATTERN_BYTES {
            return Err(format!("the values of all rules take more than {} bytes", limits::ALL_PATTERN_BYTES));
        }
        Ok(())
    }
}

/// What other documents have to say on a rule.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) placeholders: Placeholders,
    pub(crate) mappings: Mappings,
}

struct Compiler<'a> {
    source: &'a RuleSource,
    surroundings: &'a Surroundings,
    spent: Spent,
    patterns: usize,
    expressions: usize,
}

impl Compiler<'_> {
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
        if name.len() > limits::FIELD_BYTES || name.matches('.').count() > limits::NESTING {
            let message =
                format!("a field's name has at most {} bytes and {} dots", limits::FIELD_BYTES, limits::NESTING);
            return Err(fault(item.line, message));
        }
        let field = (!name.is_empty()).then(|| self.surroundings.mappings.field(name, self.source));
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
            let group = self.patterns(value, &modifiers).map_err(|message| fault(*line, message))?;
            self.patterns += group.len();
            if self.patterns > limits::PATTERNS {
                return Err(fault(*line, format!("the rule has more than {} values", limits::PATTERNS)));
            }
            self.expressions += group.iter().filter(|pattern| matches!(pattern, Pattern::Regex(_))).count();
            if self.expressions > limits::EXPRESSIONS {
                return Err(fault(*line, format!("the rule has more than {} expressions", limits::EXPRESSIONS)));
            }
            self.spent.take(&group).map_err(|message| fault(*line, message))?;
            groups.push(group);
        }
        let test = if modifiers.all { Test::All(groups) } else { Test::Any(groups.into_iter().flatten().collect()) };
        Ok(Item { field, test, negated: modifiers.negated })
    }

    /// The patterns of one value: of all that it stands for, where it holds placeholders.
    fn patterns(&self, value: &Scalar, modifiers: &Modifiers) -> Result<Vec<Pattern>, String> {
        // Building one is dear, and there may be thousands that come too late.
        if matches!(modifiers.kind, Kind::Regex(_)) && self.spent.expression_bytes >= limits::ALL_REGEX_BYTES {
            return Err(format!("the expressions of all rules take more than {} bytes", limits::ALL_REGEX_BYTES));
        }
        if !modifiers.expand {
            return self.forms(value, modifiers);
        }
        let mut all = Vec::new();
        for raw in self.surroundings.placeholders.expand(&value.raw)? {
            all.extend(self.forms(&Scalar { raw, plain: false }, modifiers)?);
        }
        Ok(all)
    }

    /// The patterns of one value without placeholders.
    fn forms(&self, value: &Scalar, modifiers: &Modifiers) -> Result<Vec<Pattern>, String> {
        let mut patterns = value::patterns(value, modifiers)?;
        for pattern in &mut patterns {
            if let Pattern::FieldRef { field, .. } = pattern {
                *field = self.surroundings.mappings.field(&value.raw, self.source);
            }
        }
        Ok(patterns)
    }
}

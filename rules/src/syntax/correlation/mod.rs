//! The `correlation` map: which rules, how they are counted, by what they belong together, within which span.
//!
//! Takes the node under `correlation`; gives [`Correlation`] as written. It never looks for the rules that it names: that
//! is the loader's.

pub(crate) mod extension;

use super::yaml::{Kind as Shape, Node, Typed};
use super::{text, texts, unknown};
use crate::correlate::{Bound, Condition, Kind};
use crate::error::{Fault, allowed};
use crate::limits;

/// A correlation as written.
#[derive(Debug)]
pub(crate) struct Correlation {
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    pub(crate) rules: Vec<Reference>,
    pub(crate) group_by: Vec<String>,
    /// In nanoseconds.
    pub(crate) span: i64,
    pub(crate) condition: Option<Condition>,
    /// The fields whose values are counted or summed.
    pub(crate) fields: Vec<String>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) generate: bool,
}

/// A word that means a rule: its id, name or title.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) line: u32,
    pub(crate) word: String,
}

/// One name for fields that rules call differently.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) fields: Vec<(Reference, String)>,
}

const KEYS: &[&str] = &["type", "rules", "group-by", "timespan", "condition", "aliases", "generate"];

/// What is written under each key, before it is known whether all that is needed is there.
#[derive(Default)]
struct Parts {
    kind: Option<Kind>,
    rules: Vec<Reference>,
    group_by: Vec<String>,
    span: Option<i64>,
    condition: Option<(Condition, Vec<String>)>,
    aliases: Vec<Alias>,
    generate: bool,
}

pub(crate) fn parse(node: &Node) -> Result<Correlation, Fault> {
    let Shape::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "correlation", format!("must be a map, not {}", node.what())));
    };
    let mut parts = Parts::default();
    for (key, value) in entries {
        let path = format!("correlation.{}", key.text);
        match key.text.as_str() {
            "type" => parts.kind = Some(kind(value, &path)?),
            "rules" => parts.rules = references(value, &path)?,
            "group-by" => parts.group_by = texts(value, &path)?,
            "timespan" => parts.span = Some(span(value, &path)?),
            "condition" => parts.condition = Some(condition(value, &path)?),
            "aliases" => parts.aliases = aliases(value, &path)?,
            "generate" => parts.generate = yes(value, &path)?,
            _ => return Err(unknown(key.line, &path, KEYS)),
        }
    }
    whole(node.line, parts)
}

fn whole(line: u32, parts: Parts) -> Result<Correlation, Fault> {
    let missing = |key: &str| Fault::new(line, format!("correlation.{key}"), "is missing");
    let kind = parts.kind.ok_or_else(|| missing("type"))?;
    let span = parts.span.ok_or_else(|| missing("timespan"))?;
    if parts.rules.is_empty() {
        return Err(missing("rules"));
    }
    if parts.rules.len() > limits::CORRELATED {
        let message = format!("names more than {} rules", limits::CORRELATED);
        return Err(Fault::new(line, "correlation.rules", message));
    }
    if parts.group_by.len() > limits::GROUP_BY {
        let message = format!("names more than {} fields", limits::GROUP_BY);
        return Err(Fault::new(line, "correlation.group-by", message));
    }
    let (condition, fields) = match parts.condition {
        Some((condition, fields)) => (Some(condition), fields),
        None if kind.counts_rules() => (None, Vec::new()),
        None => return Err(missing("condition")),
    };
    let fault = |message: &str| Err(Fault::new(line, "correlation.condition.field", message));
    match (kind.reads_field(), fields.len()) {
        (true, 0) => return fault("is missing: it names the field whose values are looked at"),
        (false, 1..) => return fault("is allowed for value_count, value_sum and the other types that look at values"),
        (true, 2..) if kind != Kind::ValueCount => return fault("takes one field: only value_count takes several"),
        _ => {}
    }
    let Parts { rules, group_by, aliases, generate, .. } = parts;
    Ok(Correlation { line, kind, rules, group_by, span, condition, fields, aliases, generate })
}

fn kind(node: &Node, key: &str) -> Result<Kind, Fault> {
    let word = text(node, key)?;
    Kind::ALL.iter().copied().find(|kind| kind.name() == word).ok_or_else(|| {
        let known = allowed(Kind::ALL.iter().map(|kind| kind.name()));
        Fault::new(node.line, key, format!("`{}` is not known; allowed are {known}", word.escape_default()))
    })
}

pub(in crate::syntax) fn yes(node: &Node, key: &str) -> Result<bool, Fault> {
    match node.scalar().map(super::yaml::Scalar::typed) {
        Some(Typed::Bool(yes)) => Ok(yes),
        _ => Err(Fault::new(node.line, key, "must be true or false")),
    }
}

/// A list of words that mean rules, each once.
pub(super) fn references(node: &Node, key: &str) -> Result<Vec<Reference>, Fault> {
    let items = match &node.kind {
        Shape::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut found: Vec<Reference> = Vec::new();
    for item in items {
        let word = text(item, key)?;
        if found.iter().any(|other| other.word == word) {
            return Err(Fault::new(item.line, key, format!("names `{}` twice", word.escape_default())));
        }
        found.push(Reference { line: item.line, word });
    }
    Ok(found)
}

/// A span of time in nanoseconds: a number and a unit, as `90m`.
pub(super) fn span(node: &Node, key: &str) -> Result<i64, Fault> {
    const SECOND: i64 = 1_000_000_000;
    const UNITS: [(char, i64); 5] =
        [('s', SECOND), ('m', 60 * SECOND), ('h', 3600 * SECOND), ('d', 86_400 * SECOND), ('w', 604_800 * SECOND)];
    let raw = text(node, key)?;
    let number = raw.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = UNITS.iter().find(|(unit, _)| raw.get(number.len()..) == Some(unit.encode_utf8(&mut [0; 4])));
    let nanoseconds =
        unit.and_then(|(_, unit)| number.parse::<u32>().ok().map(|number| i64::from(number).saturating_mul(*unit)));
    match nanoseconds {
        Some(span) if span > 0 && span <= limits::SPAN => Ok(span),
        Some(_) => Err(Fault::new(node.line, key, "must be longer than nothing and not longer than 366 days")),
        None => {
            let message = format!("`{}` is no span: write a number and one of s, m, h, d, w", raw.escape_default());
            Err(Fault::new(node.line, key, message))
        }
    }
}

fn condition(node: &Node, key: &str) -> Result<(Condition, Vec<String>), Fault> {
    let Shape::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, key, format!("must be a map, as `gte: 10`, not {}", node.what())));
    };
    let mut condition = Condition::default();
    let mut fields = Vec::new();
    for (entry, value) in entries {
        let path = format!("{key}.{}", entry.text);
        match entry.text.as_str() {
            "field" => fields = texts(value, &path)?,
            "percentile" => match number(value, &path)? {
                percentile if (0.0..=100.0).contains(&percentile) => condition.percentile = percentile,
                _ => return Err(Fault::new(value.line, path, "must be from 0 to 100")),
            },
            word => {
                let bound = Bound::ALL.iter().find(|bound| bound.name() == word);
                let known =
                    || Bound::ALL.iter().map(|bound| bound.name()).chain(["field", "percentile"]).collect::<Vec<_>>();
                let bound = bound.ok_or_else(|| unknown(entry.line, &path, &known()))?;
                condition.bounds.push((*bound, number(value, &path)?));
            }
        }
    }
    if condition.bounds.is_empty() {
        return Err(Fault::new(node.line, key, "needs at least one of gt, gte, lt, lte, eq, neq"));
    }
    Ok((condition, fields))
}

fn number(node: &Node, key: &str) -> Result<f64, Fault> {
    match node.scalar().map(super::yaml::Scalar::typed) {
        Some(Typed::Int(number)) => Ok(number as f64),
        Some(Typed::Float(number)) if number.is_finite() => Ok(number),
        _ => Err(Fault::new(node.line, key, "must be a number")),
    }
}

fn aliases(node: &Node, key: &str) -> Result<Vec<Alias>, Fault> {
    let Shape::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, key, format!("must be a map, not {}", node.what())));
    };
    entries.iter().map(|(name, node)| alias(&name.text, node, &format!("{key}.{}", name.text))).collect()
}

fn alias(name: &str, node: &Node, key: &str) -> Result<Alias, Fault> {
    Ok(Alias { name: name.to_owned(), fields: fields_by_rule(node, key)? })
}

/// A map of fields by the rule whose events have them.
pub(super) fn fields_by_rule(node: &Node, key: &str) -> Result<Vec<(Reference, String)>, Fault> {
    let Shape::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, key, format!("must be a map of fields by rule, not {}", node.what())));
    };
    let field = |(rule, node): &(super::yaml::Key, Node)| {
        let reference = Reference { line: rule.line, word: rule.text.clone() };
        Ok((reference, text(node, &format!("{key}.{}", rule.text))?))
    };
    entries.iter().map(field).collect()
}

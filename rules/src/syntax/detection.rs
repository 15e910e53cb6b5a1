//! The `detection` map to a tree of items: named parts, and the conditions over them.
//!
//! Takes the node under `detection`; gives [`Detection`]. It never looks into values: that is the compiler's.

use super::condition::{self, Condition};
use super::yaml::{Kind, Node, Scalar};
use crate::error::Fault;

/// All of a rule that decides whether it matches.
#[derive(Debug, PartialEq)]
pub(crate) struct Detection {
    /// In the order of the file; conditions name them by position.
    pub(crate) parts: Vec<Search>,
    /// What the file calls each part.
    pub(crate) names: Vec<String>,
    /// Several conditions are alternatives.
    pub(crate) condition: Condition,
}

/// A part of a detection, or a piece of one.
#[derive(Debug, PartialEq)]
pub(crate) enum Search {
    All(Vec<Search>),
    Any(Vec<Search>),
    Item(Item),
}

/// One `field|modifier: values`, or a keyword list (a field without name).
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) line: u32,
    /// The path of keys, for messages.
    pub(crate) key: String,
    /// As written, modifiers included; empty for keywords.
    pub(crate) field: String,
    pub(crate) values: Vec<(u32, Scalar)>,
}

/// Two items are equal when they ask for the same; where they stand in their files counts for nothing.
impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        let values = |item: &Self| item.values.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>();
        self.field == other.field && values(self) == values(other)
    }
}

/// Reads the map under `place`, the key that stands before each path in messages.
pub(crate) fn parse(node: &Node, place: &str) -> Result<Detection, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, place, format!("must be a map, not {}", node.what())));
    };
    let mut names = Vec::new();
    let mut parts = Vec::new();
    let mut conditions = None;
    for (key, node) in entries {
        let path = format!("{place}.{}", key.text);
        match key.text.as_str() {
            "condition" => conditions = Some(node),
            "timeframe" => {
                return Err(Fault::new(key.line, path, "not supported: a span of time belongs to a correlation"));
            }
            name => {
                names.push(name);
                parts.push(part(node, &path)?);
            }
        }
    }
    let key = format!("{place}.condition");
    let conditions =
        conditions.ok_or_else(|| Fault::new(node.line, key.as_str(), "is missing: it says which parts must match"))?;
    let condition = all_conditions(conditions, &names, &key)?;
    Ok(Detection { parts, names: names.into_iter().map(str::to_owned).collect(), condition })
}

fn all_conditions(node: &Node, names: &[&str], key: &str) -> Result<Condition, Fault> {
    let texts = values(node, key)?;
    let mut parsed = Vec::new();
    for (line, text) in &texts {
        let condition = condition::parse(&text.raw, names);
        parsed.push(condition.map_err(|message| Fault::new(*line, key, message))?);
    }
    Ok(Condition::Any(parsed))
}

fn part(node: &Node, key: &str) -> Result<Search, Fault> {
    match &node.kind {
        Kind::Map(entries) if entries.is_empty() => Err(empty(node, key)),
        Kind::Map(entries) => {
            let items = entries.iter().map(|(name, node)| {
                let key = format!("{key}.{}", name.text);
                let values = values(node, &key)?;
                Ok(Search::Item(Item { line: name.line, key, field: name.text.clone(), values }))
            });
            Ok(Search::All(items.collect::<Result<_, _>>()?))
        }
        Kind::List(items) if items.is_empty() => Err(empty(node, key)),
        Kind::List(items) => list(items, key),
        Kind::Scalar(word) => Ok(keywords(vec![(node.line, word.clone())], key)),
    }
}

/// A list is one of its maps or one of its keywords.
fn list(items: &[Node], key: &str) -> Result<Search, Fault> {
    let mut words = Vec::new();
    let mut any = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Scalar(word) => words.push((item.line, word.clone())),
            Kind::Map(_) => any.push(part(item, key)?),
            Kind::List(_) => {
                return Err(Fault::new(item.line, key, "a list in a list is not allowed: maps or keywords are"));
            }
        }
    }
    if !words.is_empty() {
        any.push(keywords(words, key));
    }
    Ok(Search::Any(any))
}

fn keywords(values: Vec<(u32, Scalar)>, key: &str) -> Search {
    let line = values.first().map_or(0, |(line, _)| *line);
    Search::Item(Item { line, key: key.to_owned(), field: String::new(), values })
}

pub(super) fn values(node: &Node, key: &str) -> Result<Vec<(u32, Scalar)>, Fault> {
    match &node.kind {
        Kind::Scalar(value) => Ok(vec![(node.line, value.clone())]),
        Kind::List(items) if items.is_empty() => Err(empty(node, key)),
        Kind::List(items) => (items.iter())
            .map(|item| match item.scalar() {
                Some(value) => Ok((item.line, value.clone())),
                None => Err(Fault::new(item.line, key, format!("must be a value, not {}", item.what()))),
            })
            .collect(),
        Kind::Map(_) => {
            Err(Fault::new(node.line, key, "must be a value or a list of values: write paths with dots, as `a.b: c`"))
        }
    }
}

fn empty(node: &Node, key: &str) -> Fault {
    Fault::new(node.line, key, "is empty: it would match everything or nothing")
}

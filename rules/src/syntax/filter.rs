//! The `filter` map of a Sigma filter: rules, and what is not to be told when they match.
//!
//! Takes the node under `filter`; gives [`Filter`]. It never looks for the rules that it names: that is the loader's.

use super::condition::Condition;
use super::detection::{self, Detection};
use super::yaml::{Kind, Node};
use super::{text, texts};
use crate::error::Fault;

/// What is taken away from which rules.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) rules: Filtered,
    /// A rule matches an event only where this does not.
    pub(crate) suppressed: Detection,
}

/// Which rules a filter is for.
#[derive(Debug)]
pub(crate) enum Filtered {
    /// Every rule of the filter's log source.
    Every,
    /// These, by id, name or title, each with its line.
    Named(Vec<(u32, String)>),
}

pub(crate) fn parse(node: &Node) -> Result<Filter, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "filter", format!("must be a map, not {}", node.what())));
    };
    let Some((_, rules)) = entries.iter().find(|(key, _)| key.text == "rules") else {
        return Err(Fault::new(node.line, "filter.rules", "is missing: it names the rules, or says `any`"));
    };
    let parts = entries.iter().filter(|(key, _)| key.text != "rules").cloned().collect();
    let parts = Node { line: node.line, kind: Kind::Map(parts) };
    let mut suppressed = detection::parse(&parts, "filter")?;
    suppressed.condition = suppression(suppressed.condition);
    Ok(Filter { rules: filtered(rules)?, suppressed })
}

fn filtered(node: &Node) -> Result<Filtered, Fault> {
    if let Kind::List(items) = &node.kind {
        let named: Vec<_> =
            (items.iter()).map(|item| Ok((item.line, text(item, "filter.rules")?))).collect::<Result<_, Fault>>()?;
        return Ok(if named.is_empty() { Filtered::Every } else { Filtered::Named(named) });
    }
    let named = texts(node, "filter.rules")?;
    let every = named.iter().all(|name| name.eq_ignore_ascii_case("any") || name.eq_ignore_ascii_case("all"));
    Ok(if every { Filtered::Every } else { Filtered::Named(named.into_iter().map(|name| (node.line, name)).collect()) })
}

/// What a condition suppresses. The specification writes what is suppressed (`condition: selection`), common practice
/// what is let through (`condition: not selection`); both mean that the selection is not to be told.
fn suppression(condition: Condition) -> Condition {
    match condition {
        Condition::Not(inner) => *inner,
        // A list of one condition.
        Condition::Any(mut only) if only.len() == 1 => {
            only.pop().map_or_else(|| Condition::Any(Vec::new()), suppression)
        }
        Condition::All(many) if many.iter().all(negative) => Condition::Not(Box::new(Condition::All(many))),
        Condition::Any(many) if many.iter().all(negative) => Condition::Not(Box::new(Condition::Any(many))),
        other => other,
    }
}

fn negative(condition: &Condition) -> bool {
    matches!(condition, Condition::Not(_))
}

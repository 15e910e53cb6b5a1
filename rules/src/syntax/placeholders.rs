//! The `placeholders` map of a document: lists of values for rules with `expand`, by the name between percent signs.
//!
//! Takes the node under `placeholders`; gives the lists. It never puts them into rules: that is the compiler's.

use super::detection::values;
use super::yaml::{Kind, Node};
use crate::error::Fault;

pub(crate) fn parse(node: &Node) -> Result<Vec<(String, Vec<String>)>, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "placeholders", format!("must be a map of lists, not {}", node.what())));
    };
    let list = |name: &str, node: &Node| {
        let values = values(node, &format!("placeholders.{name}"))?;
        Ok((name.to_owned(), values.into_iter().map(|(_, value)| value.raw).collect()))
    };
    entries.iter().map(|(key, node)| list(&key.text, node)).collect()
}

//! The `mapping` of a document: what rules of a log source call fields, and where its events have them.
//!
//! Takes the node under `mapping`; gives names with paths. It never looks for rules that use them.

use super::detection::values;
use super::yaml::{Kind, Node};
use crate::error::Fault;
use crate::limits;

/// By name, the paths that are tried in turn where an event has no field of that name.
pub(crate) type Mapping = Vec<(String, Vec<String>)>;

pub(crate) fn parse(node: &Node) -> Result<Mapping, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "mapping", format!("must be a map of paths, not {}", node.what())));
    };
    let mut mapping = Vec::new();
    for (key, node) in entries {
        let path = format!("mapping.{}", key.text);
        let paths: Vec<_> = values(node, &path)?.into_iter().map(|(_, value)| value.raw).collect();
        if paths.len() > limits::MAPPED || paths.iter().any(|path| path.len() > limits::FIELD_BYTES) {
            let message = format!("takes at most {} paths of at most {} bytes", limits::MAPPED, limits::FIELD_BYTES);
            return Err(Fault::new(key.line, path, message));
        }
        mapping.push((key.text.clone(), paths));
    }
    Ok(mapping)
}

//! The `mayfly` key: why a rule is bad news, what the node does about it, and events that prove it.
//!
//! Takes the node under `mayfly`; gives [`Mayfly`]. It never evaluates the examples.

use serde_json::{Map, Number, Value as Json};

use super::yaml::{Kind, Node, Scalar, Typed};
use super::{text, unknown};
use crate::error::Fault;
use crate::example::Example;

/// What the response key says; whether the kernel can do it is decided once the detection is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asked {
    #[default]
    Observe,
    Capture,
    Stop,
}

#[derive(Debug, Default)]
pub(crate) struct Mayfly {
    pub(crate) line: u32,
    pub(crate) why: String,
    pub(crate) response: Asked,
    /// The line of `stop_in_kernel: true`.
    pub(crate) in_kernel: Option<u32>,
    pub(crate) examples: Vec<Example>,
}

const KEYS: &[&str] = &["why", "response", "stop_in_kernel", "match", "near_miss"];

pub(crate) fn parse(node: &Node) -> Result<Mayfly, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "mayfly", format!("must be a map, not {}", node.what())));
    };
    let mut mayfly = Mayfly { line: node.line, ..Mayfly::default() };
    for (key, value) in entries {
        let path = format!("mayfly.{}", key.text);
        match key.text.as_str() {
            "why" => text(value, &path)?.trim().clone_into(&mut mayfly.why),
            "response" => mayfly.response = response(value, &path)?,
            "stop_in_kernel" => mayfly.in_kernel = yes(value, &path)?.then_some(value.line),
            "match" => examples(value, &path, true, &mut mayfly.examples)?,
            "near_miss" => examples(value, &path, false, &mut mayfly.examples)?,
            _ => return Err(unknown(key.line, &path, KEYS)),
        }
    }
    if mayfly.why.is_empty() {
        return Err(Fault::new(node.line, "mayfly.why", "is missing: the report says it to people"));
    }
    for (matches, key) in [(true, "mayfly.match"), (false, "mayfly.near_miss")] {
        if !mayfly.examples.iter().any(|example| example.matches == matches) {
            return Err(Fault::new(node.line, key, "needs at least one event"));
        }
    }
    Ok(mayfly)
}

fn response(node: &Node, key: &str) -> Result<Asked, Fault> {
    match text(node, key)?.as_str() {
        "observe" => Ok(Asked::Observe),
        "capture" => Ok(Asked::Capture),
        "stop" => Ok(Asked::Stop),
        other => Err(Fault::new(node.line, key, format!("`{other}` is not known; allowed are observe, capture, stop"))),
    }
}

fn yes(node: &Node, key: &str) -> Result<bool, Fault> {
    match node.scalar().map(Scalar::typed) {
        Some(Typed::Bool(yes)) => Ok(yes),
        _ => Err(Fault::new(node.line, key, "must be true or false")),
    }
}

fn examples(node: &Node, key: &str, matches: bool, examples: &mut Vec<Example>) -> Result<(), Fault> {
    let Kind::List(items) = &node.kind else {
        return Err(Fault::new(node.line, key, format!("must be a list, not {}", node.what())));
    };
    for item in items {
        examples.push(example(item, key, matches)?);
    }
    Ok(())
}

fn example(node: &Node, key: &str, matches: bool) -> Result<Example, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, key, format!("must be a map, not {}", node.what())));
    };
    let mut name = None;
    let mut event = None;
    for (entry, value) in entries {
        let path = format!("{key}.{}", entry.text);
        match entry.text.as_str() {
            "name" => name = Some(text(value, &path)?),
            "event" => event = Some(json(value)),
            _ => return Err(unknown(entry.line, &path, &["name", "event"])),
        }
    }
    match (name, event) {
        (Some(name), Some(event @ Json::Object(_))) => Ok(Example { name, line: node.line, event, matches }),
        _ => Err(Fault::new(node.line, key, "needs `name` and `event`, a map of fields")),
    }
}

/// YAML as JSON. Its depth is that of the document, which is bounded.
pub(super) fn json(node: &Node) -> Json {
    match &node.kind {
        Kind::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.text.clone(), json(value))).collect::<Map<_, _>>())
        }
        Kind::List(items) => Json::Array(items.iter().map(json).collect()),
        Kind::Scalar(scalar) => match scalar.typed() {
            Typed::Null => Json::Null,
            Typed::Bool(value) => Json::Bool(value),
            Typed::Int(value) => Json::from(value),
            Typed::Float(value) => Number::from_f64(value).map_or(Json::Null, Json::Number),
            Typed::Text(text) => Json::from(text),
        },
    }
}

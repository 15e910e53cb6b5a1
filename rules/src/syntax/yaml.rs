//! YAML to a tree that remembers lines.
//!
//! Takes the text of a file; gives one [`Node`] for each document. Bounded in depth and size while it is built, not
//! after. It never resolves anchors: an alias multiplies what it names, and no rule needs one.

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use crate::error::Fault;
use crate::limits;

/// A value and the line where it starts.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) line: u32,
    pub(crate) text: String,
}

/// A scalar as written; only a plain one can be anything but text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) raw: String,
    pub(crate) plain: bool,
}

/// What a scalar means under YAML's core schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Typed<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
}

impl Scalar {
    pub(crate) fn typed(&self) -> Typed<'_> {
        let raw = self.raw.as_str();
        if !self.plain {
            return Typed::Text(raw);
        }
        match raw {
            "" | "~" | "null" | "Null" | "NULL" => Typed::Null,
            "true" | "True" | "TRUE" => Typed::Bool(true),
            "false" | "False" | "FALSE" => Typed::Bool(false),
            _ => number(raw).unwrap_or(Typed::Text(raw)),
        }
    }
}

fn number(raw: &str) -> Option<Typed<'_>> {
    let digits = raw.strip_prefix(['-', '+']).unwrap_or(raw);
    if let Some(hex) = raw.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Typed::Int);
    }
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return raw.parse().ok().map(Typed::Int);
    }
    let float = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    float.then(|| raw.parse().ok().map(Typed::Float)).flatten()
}

impl Node {
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// What the node is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.typed() == Typed::Null => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// A collection that is being filled, with the key that waits for its value.
struct Open {
    node: Node,
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    nodes: usize,
    documents: Vec<Node>,
}

/// Reads all documents of a file.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Fault> {
    let mut builder = Builder::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next
            .map_err(|error| Fault::new(line(error.marker().line()), "file", format!("not YAML: {}", error.info())))?;
        builder.event(event, line(span.start.line()))?;
    }
    Ok(builder.documents)
}

fn line(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

impl Builder {
    fn event(&mut self, event: Event<'_>, line: u32) -> Result<(), Fault> {
        match event {
            Event::Scalar(raw, style, anchor, tag) => {
                plain_node(anchor, tag.is_some(), line)?;
                self.scalar(raw.into_owned(), style == ScalarStyle::Plain, line)
            }
            Event::SequenceStart(_, anchor, tag) => {
                plain_node(anchor, tag.is_some(), line)?;
                self.start(Kind::List(Vec::new()), line)
            }
            Event::MappingStart(_, anchor, tag) => {
                plain_node(anchor, tag.is_some(), line)?;
                self.start(Kind::Map(Vec::new()), line)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node),
                None => Ok(()),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) | Event::Anchor(..) => Err(anchors(line)),
            _ => Ok(()),
        }
    }

    fn start(&mut self, kind: Kind, line: u32) -> Result<(), Fault> {
        if self.open.len() >= limits::NESTING {
            return Err(Fault::new(line, "file", format!("nested more than {} deep", limits::NESTING)));
        }
        if self.awaits_key() {
            return Err(Fault::new(line, "file", "a list or map cannot be a key: allowed is text"));
        }
        self.count(line)?;
        self.open.push(Open { node: Node { line, kind }, key: None });
        Ok(())
    }

    fn scalar(&mut self, raw: String, plain: bool, line: u32) -> Result<(), Fault> {
        self.count(line)?;
        if self.awaits_key() {
            return self.key(Key { line, text: raw });
        }
        self.add(Node { line, kind: Kind::Scalar(Scalar { raw, plain }) })
    }

    fn awaits_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.key.is_none() && matches!(open.node.kind, Kind::Map(_)))
    }

    fn key(&mut self, key: Key) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if let Kind::Map(entries) = &open.node.kind {
            if entries.iter().any(|(other, _)| other.text == key.text) {
                return Err(Fault::new(key.line, key.text, "this key stands twice in one map"));
            }
            if entries.len() >= limits::KEYS {
                return Err(Fault::new(key.line, key.text, format!("more than {} keys in one map", limits::KEYS)));
            }
        }
        open.key = Some(key);
        Ok(())
    }

    fn add(&mut self, node: Node) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            if self.documents.len() >= limits::DOCUMENTS {
                return Err(Fault::new(node.line, "file", format!("more than {} documents", limits::DOCUMENTS)));
            }
            self.documents.push(node);
            return Ok(());
        };
        match (&mut open.node.kind, open.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(entries), Some(key)) => entries.push((key, node)),
            (Kind::Map(_) | Kind::Scalar(_), _) => {}
        }
        Ok(())
    }

    fn count(&mut self, line: u32) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > limits::NODES {
            return Err(Fault::new(line, "file", format!("more than {} keys and values", limits::NODES)));
        }
        Ok(())
    }
}

fn anchors(line: u32) -> Fault {
    Fault::new(line, "file", "anchors and aliases are not allowed: write the value where it is used")
}

fn plain_node(anchor: usize, tagged: bool, line: u32) -> Result<(), Fault> {
    if anchor != 0 {
        return Err(anchors(line));
    }
    if tagged {
        return Err(Fault::new(line, "file", "tags (`!…`) are not allowed: quote what is text"));
    }
    Ok(())
}

//! Rule text to syntax: the keys of a document, checked one by one, each value with its line.
//!
//! Takes the text of a file; gives a [`Document`] or a [`Fault`] for each YAML document in it. A key that is not known
//! is an error that lists the known ones. It never interprets patterns: that is [`crate::compile`].

pub(crate) mod condition;
pub(crate) mod detection;
pub(crate) mod mayfly;
pub(crate) mod yaml;

use crate::error::{Fault, allowed};
use crate::limits;
use crate::rule::{Level, RuleSource};
use detection::Detection;
use mayfly::Mayfly;
use yaml::{Kind, Node};

/// One rule as written.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) line: u32,
    pub(crate) id: Option<(u32, String)>,
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    pub(crate) level: Option<Level>,
    pub(crate) tags: Vec<String>,
    pub(crate) false_positives: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) source: Option<RuleSource>,
    pub(crate) detection: Option<Detection>,
    pub(crate) mayfly: Option<Mayfly>,
}

/// The keys of Sigma's specification, those that public collections carry, and ours.
const KEYS: &[&str] = &[
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "scope",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "simulation",
    "regression_tests_path",
    "mayfly",
];

/// Reads a file. The outer error means the file as a whole; the inner ones one document each.
pub(crate) fn parse(text: &str) -> Result<Vec<Result<Document, Fault>>, Fault> {
    if text.len() > limits::FILE_BYTES {
        let message = format!("{} bytes: allowed are {}", text.len(), limits::FILE_BYTES);
        return Err(Fault::new(0, "file", message));
    }
    Ok(yaml::parse(text)?.iter().map(document).collect())
}

fn document(node: &Node) -> Result<Document, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "file", format!("a rule is a map of keys, not {}", node.what())));
    };
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.text == "correlation") {
        return Err(Fault::new(
            key.line,
            "correlation",
            "correlation rules are not supported: allowed are rules with a `detection`",
        ));
    }
    let mut document = Document { line: node.line, ..Document::default() };
    for (key, value) in entries {
        entry(&mut document, &key.text, key.line, value)?;
    }
    Ok(document)
}

fn entry(document: &mut Document, key: &str, line: u32, value: &Node) -> Result<(), Fault> {
    match key {
        "title" => document.title = Some(text(value, key)?),
        "id" => document.id = Some((value.line, text(value, key)?)),
        "description" => document.description = text(value, key)?,
        "level" => document.level = Some(level(value)?),
        "tags" => document.tags = texts(value, key)?,
        "falsepositives" => document.false_positives = texts(value, key)?,
        "references" => document.references = texts(value, key)?,
        "logsource" => document.source = Some(source(value)?),
        "detection" => document.detection = Some(detection::parse(value)?),
        "mayfly" => document.mayfly = Some(mayfly::parse(value)?),
        _ if KEYS.contains(&key) => {}
        _ => return Err(unknown(line, key, KEYS)),
    }
    Ok(())
}

/// The error for a key that is not in the list.
fn unknown(line: u32, key: &str, known: &[&str]) -> Fault {
    let message = format!("unknown key; allowed are {}", allowed(known.iter().copied()));
    Fault::new(line, key, message)
}

fn text(node: &Node, key: &str) -> Result<String, Fault> {
    match node.scalar() {
        Some(scalar) => Ok(scalar.raw.clone()),
        None => Err(Fault::new(node.line, key, format!("must be text, not {}", node.what()))),
    }
}

/// A list of texts, or a single one.
fn texts(node: &Node, key: &str) -> Result<Vec<String>, Fault> {
    match &node.kind {
        Kind::List(items) => items.iter().map(|item| text(item, key)).collect(),
        Kind::Scalar(scalar) if scalar.plain && scalar.raw.is_empty() => Ok(Vec::new()),
        _ => Ok(vec![text(node, key)?]),
    }
}

fn level(node: &Node) -> Result<Level, Fault> {
    let word = text(node, "level")?;
    Level::from_name(&word).ok_or_else(|| {
        let message = format!("`{word}` is not known; allowed are {}", allowed(Level::ALL.map(Level::name)));
        Fault::new(node.line, "level", message)
    })
}

fn source(node: &Node) -> Result<RuleSource, Fault> {
    let Kind::Map(entries) = &node.kind else {
        return Err(Fault::new(node.line, "logsource", format!("must be a map, not {}", node.what())));
    };
    let mut source = RuleSource::default();
    for (key, value) in entries {
        let path = format!("logsource.{}", key.text);
        let word = text(value, &path)?;
        match key.text.as_str() {
            "category" => source.category = Some(word),
            "product" => source.product = Some(word),
            "service" => source.service = Some(word),
            "definition" => {}
            _ => return Err(unknown(key.line, &path, &["category", "product", "service", "definition"])),
        }
    }
    if source == RuleSource::default() {
        return Err(Fault::new(node.line, "logsource", "needs at least one of category, product, service"));
    }
    Ok(source)
}

//! Rule text to syntax: the keys of a document, checked one by one, each value with its line.
//!
//! Takes the text of a file; gives a [`Document`] or a [`Fault`] for each YAML document in it: a rule, a
//! correlation, a filter, lists of values, or a mapping of fields. A key that is not known
//! is an error that lists the known ones. It never interprets patterns: that is [`crate::compile`].

pub(crate) mod condition;
pub(crate) mod correlation;
pub(crate) mod detection;
pub(crate) mod filter;
pub(crate) mod mapping;
pub(crate) mod mayfly;
pub(crate) mod placeholders;
pub(crate) mod yaml;

use crate::error::{Fault, allowed};
use crate::limits;
use crate::rule::{Level, RuleSource};
use correlation::Correlation;
use correlation::extension::{self, Extension};
use detection::Detection;
use filter::Filter;
use mapping::Mapping;
use mayfly::Mayfly;
use yaml::{Key, Kind, Node};

/// One document as written.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) header: Header,
    pub(crate) body: Body,
}

/// What every kind of document may say of itself.
#[derive(Debug, Default, Clone)]
pub(crate) struct Header {
    pub(crate) line: u32,
    pub(crate) id: Option<(u32, String)>,
    pub(crate) name: Option<(u32, String)>,
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    pub(crate) level: Option<Level>,
    pub(crate) tags: Vec<String>,
    pub(crate) false_positives: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) source: Option<RuleSource>,
}

/// What makes a document the kind that it is.
#[derive(Debug)]
pub(crate) enum Body {
    Rule {
        detection: Option<Detection>,
        mayfly: Option<Mayfly>,
    },
    Correlation(Box<(Correlation, Extension)>),
    Filter(Filter),
    Mapping(RuleSource, Mapping),
    /// Lists of values by the name of a placeholder.
    Placeholders(Vec<(String, Vec<String>)>),
}

/// The keys of Sigma's specification that say something of a document, and those that public collections carry.
const HEADER: &[&str] = &[
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
    "fields",
    "falsepositives",
    "level",
    "simulation",
    "regression_tests_path",
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
    let mut header = Header { line: node.line, ..Header::default() };
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.text == "action") {
        let message = "documents with an `action` are of a form before Sigma 2.0: write a `correlation` of its own";
        return Err(Fault::new(key.line, "action", message));
    }
    let has = |name: &str| entries.iter().any(|(key, _)| key.text == name);
    let body = if has("correlation") {
        correlation_body(entries, &mut header)?
    } else if has("filter") {
        filter_body(entries, &mut header)?
    } else if has("mapping") {
        mapping_body(entries, &mut header)?
    } else if has("placeholders") {
        placeholders_body(entries, &mut header)?
    } else {
        rule_body(entries, &mut header)?
    };
    Ok(Document { header, body })
}

fn rule_body(entries: &[(Key, Node)], header: &mut Header) -> Result<Body, Fault> {
    let mut detection = None;
    let mut own = None;
    for (key, value) in entries {
        match key.text.as_str() {
            "detection" => detection = Some(detection::parse(value, "detection")?),
            "mayfly" => own = Some(mayfly::parse(value)?),
            _ => header_entry(header, key, value, &["detection", "mayfly"])?,
        }
    }
    Ok(Body::Rule { detection, mayfly: own })
}

fn correlation_body(entries: &[(Key, Node)], header: &mut Header) -> Result<Body, Fault> {
    let mut correlation = None;
    let mut extension = Extension::default();
    let mut generate = None;
    for (key, value) in entries {
        match key.text.as_str() {
            "correlation" => correlation = Some(correlation::parse(value)?),
            "mayfly" => extension = extension::parse(value)?,
            // The specification lists it beside the correlation; public rules have it inside.
            "generate" => generate = Some(correlation::yes(value, "generate")?),
            _ => header_entry(header, key, value, &["correlation", "generate", "mayfly"])?,
        }
    }
    let mut correlation = correlation.ok_or_else(|| Fault::new(header.line, "correlation", "is missing"))?;
    correlation.generate = generate.unwrap_or(correlation.generate);
    Ok(Body::Correlation(Box::new((correlation, extension))))
}

fn filter_body(entries: &[(Key, Node)], header: &mut Header) -> Result<Body, Fault> {
    let mut filter = None;
    for (key, value) in entries {
        match key.text.as_str() {
            "filter" => filter = Some(filter::parse(value)?),
            _ => header_entry(header, key, value, &["filter"])?,
        }
    }
    filter.map(Body::Filter).ok_or_else(|| Fault::new(header.line, "filter", "is missing"))
}

fn mapping_body(entries: &[(Key, Node)], header: &mut Header) -> Result<Body, Fault> {
    let mut mapping = Mapping::new();
    for (key, value) in entries {
        match key.text.as_str() {
            "mapping" => mapping = mapping::parse(value)?,
            _ => header_entry(header, key, value, &["mapping"])?,
        }
    }
    let source = header.source.clone().ok_or_else(|| Fault::new(header.line, "logsource", "is missing"))?;
    Ok(Body::Mapping(source, mapping))
}

fn placeholders_body(entries: &[(Key, Node)], header: &mut Header) -> Result<Body, Fault> {
    let mut lists = Vec::new();
    for (key, value) in entries {
        match key.text.as_str() {
            "placeholders" => lists = placeholders::parse(value)?,
            _ => header_entry(header, key, value, &["placeholders"])?,
        }
    }
    Ok(Body::Placeholders(lists))
}

/// One key of the header; `own` are the keys that this kind of document has beside it.
fn header_entry(header: &mut Header, key: &Key, value: &Node, own: &[&str]) -> Result<(), Fault> {
    let name = key.text.as_str();
    match name {
        "title" => header.title = Some(text(value, name)?),
        "id" => header.id = Some((value.line, text(value, name)?)),
        "name" => header.name = Some((value.line, text(value, name)?)),
        "description" => header.description = text(value, name)?,
        "level" => header.level = Some(level(value)?),
        "tags" => header.tags = texts(value, name)?,
        "falsepositives" => header.false_positives = texts(value, name)?,
        "references" => header.references = texts(value, name)?,
        "logsource" => header.source = Some(source(value)?),
        _ if HEADER.contains(&name) => {}
        _ => return Err(unknown(key.line, name, &[HEADER, own].concat())),
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

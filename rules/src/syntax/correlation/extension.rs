//! The `mayfly` key of a correlation: two things that Sigma cannot say, and what proves the correlation.
//!
//! Takes the node under `mayfly`; gives [`Extension`]: events that must be absent, identities that events give away, why
//! a match is bad, and timelines that must match or must not. It never plays the timelines.

use serde_json::Value as Json;

use super::{Reference, fields_by_rule, references, span};
use crate::correlate::When;
use crate::error::{Fault, allowed};
use crate::syntax::mayfly::json;
use crate::syntax::yaml::{Kind, Node};
use crate::syntax::{text, unknown};

/// What stands under `mayfly`.
#[derive(Debug, Default)]
pub(crate) struct Extension {
    pub(crate) why: String,
    pub(crate) absent: Option<Absent>,
    pub(crate) derive: Option<Derive>,
    pub(crate) timelines: Vec<Timeline>,
}

/// Rules that must not have matched.
#[derive(Debug)]
pub(crate) struct Absent {
    pub(crate) rules: Vec<Reference>,
    pub(crate) when: When,
}

/// Events that give an identity to whoever they are of.
#[derive(Debug)]
pub(crate) struct Derive {
    pub(crate) line: u32,
    /// For how long, in nanoseconds; the timespan where it is not said.
    pub(crate) lasts: Option<i64>,
    /// By rule, the field that holds the new identity.
    pub(crate) from: Vec<(Reference, String)>,
}

/// Events in a row.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) line: u32,
    pub(crate) name: String,
    pub(crate) matches: bool,
    pub(crate) events: Vec<Step>,
}

/// One event of a timeline.
#[derive(Debug)]
pub(crate) struct Step {
    /// Nanoseconds since the beginning.
    pub(crate) at: i64,
    /// The rule whose log source the event has.
    pub(crate) rule: Reference,
    pub(crate) event: Json,
}

const KEYS: &[&str] = &["why", "absent", "derive", "match", "near_miss"];

pub(crate) fn parse(node: &Node) -> Result<Extension, Fault> {
    let mut extension = Extension::default();
    for (key, value) in map(node, "mayfly")? {
        let path = format!("mayfly.{}", key.text);
        match key.text.as_str() {
            "why" => text(value, &path)?.trim().clone_into(&mut extension.why),
            "absent" => extension.absent = Some(absent(value, &path)?),
            "derive" => extension.derive = Some(derive(value, &path)?),
            "match" => timelines(value, &path, true, &mut extension.timelines)?,
            "near_miss" => timelines(value, &path, false, &mut extension.timelines)?,
            _ => return Err(unknown(key.line, &path, KEYS)),
        }
    }
    if extension.why.is_empty() && !extension.timelines.is_empty() {
        return Err(Fault::new(node.line, "mayfly.why", "is missing: the report says it to people"));
    }
    let unproven = |matches| extension.timelines.iter().all(|timeline| timeline.matches != matches);
    if !extension.why.is_empty() && (unproven(true) || unproven(false)) {
        return Err(Fault::new(node.line, "mayfly", "needs at least one timeline under `match` and under `near_miss`"));
    }
    Ok(extension)
}

fn map<'a>(node: &'a Node, key: &str) -> Result<&'a [(super::super::yaml::Key, Node)], Fault> {
    match &node.kind {
        Kind::Map(entries) => Ok(entries),
        _ => Err(Fault::new(node.line, key, format!("must be a map, not {}", node.what()))),
    }
}

fn absent(node: &Node, key: &str) -> Result<Absent, Fault> {
    let mut absent = Absent { rules: Vec::new(), when: When::After };
    for (entry, value) in map(node, key)? {
        let path = format!("{key}.{}", entry.text);
        match entry.text.as_str() {
            "rules" => absent.rules = references(value, &path)?,
            "when" => absent.when = when(value, &path)?,
            _ => return Err(unknown(entry.line, &path, &["rules", "when"])),
        }
    }
    if absent.rules.is_empty() {
        return Err(Fault::new(node.line, format!("{key}.rules"), "is missing: it names what must not happen"));
    }
    Ok(absent)
}

fn when(node: &Node, key: &str) -> Result<When, Fault> {
    let word = text(node, key)?;
    When::ALL.iter().copied().find(|when| when.name() == word).ok_or_else(|| {
        let known = allowed(When::ALL.iter().map(|when| when.name()));
        Fault::new(node.line, key, format!("`{}` is not known; allowed are {known}", word.escape_default()))
    })
}

fn derive(node: &Node, key: &str) -> Result<Derive, Fault> {
    let mut derive = Derive { line: node.line, lasts: None, from: Vec::new() };
    for (entry, value) in map(node, key)? {
        let path = format!("{key}.{}", entry.text);
        match entry.text.as_str() {
            "lasts" => derive.lasts = Some(span(value, &path)?),
            "from" => derive.from = fields_by_rule(value, &path)?,
            _ => return Err(unknown(entry.line, &path, &["lasts", "from"])),
        }
    }
    if derive.from.is_empty() {
        let message = "is missing: it names rules, and the field of each that holds the new identity";
        return Err(Fault::new(node.line, format!("{key}.from"), message));
    }
    Ok(derive)
}

fn timelines(node: &Node, key: &str, matches: bool, all: &mut Vec<Timeline>) -> Result<(), Fault> {
    let Kind::List(items) = &node.kind else {
        return Err(Fault::new(node.line, key, format!("must be a list, not {}", node.what())));
    };
    for item in items {
        let mut timeline = Timeline { line: item.line, name: String::new(), matches, events: Vec::new() };
        for (entry, value) in map(item, key)? {
            let path = format!("{key}.{}", entry.text);
            match (entry.text.as_str(), &value.kind) {
                ("name", _) => timeline.name = text(value, &path)?,
                ("events", Kind::List(steps)) => {
                    timeline.events = steps.iter().map(|node| step(node, &path)).collect::<Result<_, _>>()?;
                }
                ("events", _) => return Err(Fault::new(value.line, path, "must be a list")),
                _ => return Err(unknown(entry.line, &path, &["name", "events"])),
            }
        }
        if timeline.name.is_empty() || timeline.events.is_empty() {
            return Err(Fault::new(item.line, key, "needs `name` and `events`"));
        }
        all.push(timeline);
    }
    Ok(())
}

fn step(node: &Node, key: &str) -> Result<Step, Fault> {
    let (mut at, mut rule, mut event) = (0, None, None);
    for (entry, value) in map(node, key)? {
        let path = format!("{key}.{}", entry.text);
        match entry.text.as_str() {
            "at" if text(value, &path)? == "0s" => at = 0,
            "at" => at = span(value, &path)?,
            "rule" => rule = Some(Reference { line: value.line, word: text(value, &path)? }),
            "event" => event = Some(json(value)),
            _ => return Err(unknown(entry.line, &path, &["at", "rule", "event"])),
        }
    }
    match (rule, event) {
        (Some(rule), Some(event @ Json::Object(_))) => Ok(Step { at, rule, event }),
        _ => Err(Fault::new(
            node.line,
            key,
            "needs `rule`, whose log source the event has, and `event`, a map of fields",
        )),
    }
}

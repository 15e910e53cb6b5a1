//! Labelled events of files. Takes a folder; gives each line that has a source and an event, with what is expected of it. Other lines are other
//! data and are passed by. Bounded in files, depth and the length of a line; follows no link.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rules::{LogSource, RuleSource};
use serde_json::Value;

/// Files below the folder.
const FILES: usize = 10_000;
/// Folders in folders.
const DEPTH: usize = 16;
/// Of one line. Audit entries have some kilobytes.
const LINE_BYTES: usize = 16 << 20;

/// One event with what is expected of it.
pub(super) struct Labelled {
    /// The file, from the folder on.
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
    /// Who wrote the event, as the file calls it.
    pub(super) source: String,
    pub(super) event: Value,
    /// The event's own words for its log source.
    words: Option<RuleSource>,
    pub(super) label: Label,
    /// What it is, for people.
    pub(super) name: String,
}

/// What is expected of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Whether somebody called it worth an alert.
    Verdict(bool),
    /// Of an attack or incident, which is a file: whether the event is a part of it.
    Attack(bool),
    /// It belongs to a test of this id, of which something should be found.
    Test(String),
    /// Nothing: it should be quiet.
    Quiet,
}

impl Labelled {
    /// What the line itself says of its log source.
    pub(super) fn log_source(&self) -> Option<LogSource<'_>> {
        self.words.as_ref().map(RuleSource::as_log_source)
    }
}

/// The files below a folder whose name ends in `.jsonl`, with their names from the folder on; or the file itself.
pub(super) fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    if folder.is_file() {
        found.push((folder.to_owned(), folder.display().to_string()));
    } else {
        find(folder, "", DEPTH, &mut found)?;
    }
    Ok(found)
}

fn find(folder: &Path, before: &str, depth: usize, found: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let list = || format!("list {}", folder.display());
    let entries = fs::read_dir(folder).with_context(list)?.collect::<Result<Vec<_>, _>>().with_context(list)?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let kind = fs::symlink_metadata(&path).with_context(|| format!("look at {}", path.display()))?.file_type();
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            let Some(depth) = depth.checked_sub(1) else {
                bail!("{}: folders are deeper than {DEPTH}", path.display());
            };
            find(&path, &format!("{before}{name}/"), depth, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "jsonl") {
            if found.len() >= FILES {
                bail!("more than {FILES} files below the folder");
            }
            found.push((path, format!("{before}{name}")));
        }
    }
    Ok(())
}

/// Shows each labelled line, and what of a line cannot be read.
pub(super) fn lines(path: &Path, name: &str, mut show: impl FnMut(Result<Labelled, String>)) -> Result<()> {
    let read = || format!("read {}", path.display());
    let mut file = BufReader::new(File::open(path).with_context(read)?);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let length = file.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut bytes).with_context(read)?;
        if length == 0 {
            break;
        }
        if length > LINE_BYTES {
            show(Err(format!(
                "{name}:{number}: longer than {} MiB; the rest of the file is left out",
                LINE_BYTES >> 20
            )));
            break;
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => {
                if let Some(labelled) = labelled(value, name, number) {
                    show(Ok(labelled));
                }
            }
            Err(cause) => show(Err(format!("{name}:{number}: {cause}"))),
        }
    }
    Ok(())
}

/// A line with a source and an event; nothing where it is something else.
fn labelled(mut line: Value, file: &str, number: usize) -> Option<Labelled> {
    let source = line.get("source")?.as_str()?.to_owned();
    let event = line.get_mut("event").filter(|event| event.is_object())?.take();
    let word = |key: &str| line.pointer(&format!("/logsource/{key}")).and_then(Value::as_str).map(str::to_owned);
    let words = RuleSource { category: word("category"), product: word("product"), service: word("service") };
    let words = (words != RuleSource::default()).then_some(words);
    let expect = line.get("expect").unwrap_or(&Value::Null);
    let (label, name) = (label(expect), name(expect, &event));
    Some(Labelled { file: file.to_owned(), line: number, source, event, words, label, name })
}

fn label(expect: &Value) -> Label {
    if let Some(alert) = expect.get("alert").and_then(Value::as_bool) {
        return Label::Verdict(alert);
    }
    if let Some(action) = expect.get("action").and_then(Value::as_bool) {
        return Label::Attack(action);
    }
    if let Some(test) = expect.get("test").and_then(Value::as_str) {
        return Label::Test(test.to_owned());
    }
    if let Some(actor) = expect.get("actor").and_then(Value::as_str) {
        return Label::Attack(actor == "attacker");
    }
    match expect.get("incident") {
        None => Label::Quiet,
        Some(incident) => Label::Attack(!incident.is_null()),
    }
}

/// What the label calls it, or what the event says that happened.
fn name(expect: &Value, event: &Value) -> String {
    let said = |key: &str| expect.get(key).and_then(Value::as_str);
    let words: Vec<_> = [said("rule"), said("case").or(said("name"))].into_iter().flatten().collect();
    if !words.is_empty() {
        return words.join(": ");
    }
    let keys = ["/eventName", "/eventType", "/CommandLine", "/TargetFilename", "/verb", "/DestinationIp"];
    keys.iter().find_map(|key| event.pointer(key).and_then(Value::as_str)).unwrap_or_default().to_owned()
}

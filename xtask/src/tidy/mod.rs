//! `cargo xtask tidy`: holds the architecture and the style that no compiler holds. Takes the checkout's files; gives violations as
//! `path:line: what, and what to do`. The checks are pure functions over texts; only this file reads the disk.

mod imports;
mod lexer;
mod links;
mod places;
mod size;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::evasion;
use lexer::Parted;

/// Folders that hold nothing written by a person.
const SKIPPED: &[&str] = &["target", ".git", "node_modules", "corpus", "artifacts"];

/// Text files that are checked for words; golden files and content of other kinds are not prose of ours.
const TEXTS: &[&str] = &["md", "toml", "yml", "yaml", "proto", "html", "sql", "sh"];

/// A Rust file.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    parted: Parted,
}

impl<'a> Source<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        Self { path, text, parted: lexer::part(text) }
    }

    fn violation(&self, line: usize, what: String) -> Violation {
        Violation::new(self.path, line, what)
    }
}

/// Something that breaks a promise of the architecture or of the style.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    line: usize,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: String) -> Self {
        Self { path: path.to_owned(), line, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Checks the checkout; gives the number of files that were read.
pub(crate) fn check(root: &Path) -> Result<usize> {
    let mut paths = Vec::new();
    collect(root, "", &mut paths)?;
    paths.sort();
    let mut found = evasions(root, &paths)?;
    for path in &paths {
        let bytes = fs::read(root.join(path)).with_context(|| format!("read {path}"))?;
        found.extend(check_file(root, path, &String::from_utf8_lossy(&bytes)));
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Ok(paths.len());
    }
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    bail!("{}\n{} violations", lines.join("\n"), lines.len())
}

/// The table of evasions stands in the README as it is, and each of its cases has a test.
fn evasions(root: &Path, paths: &[String]) -> Result<Vec<Violation>> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("read {path}"));
    let (table, readme) = (read(evasion::TABLE)?, read(evasion::README)?);
    let tests = paths.iter().filter(|path| path.starts_with("tests/") && extension(path) == "rs");
    let sources = tests.map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let without = evasion::without_test(&table, &sources)?.into_iter().map(|number| {
        Violation::new(evasion::TABLE, 1, format!("no test begins case {number}: write it with `begin({number})`"))
    });
    let differs = (evasion::readme(&readme, &table)? != readme).then(|| {
        Violation::new(evasion::README, 1, "the table of evasions is old: run `cargo xtask readme`".to_owned())
    });
    Ok(without.chain(differs).collect())
}

fn check_file(root: &Path, path: &str, text: &str) -> Vec<Violation> {
    let extension = extension(path);
    let mut found = Vec::new();
    if extension == "rs" {
        let source = Source::new(path, text);
        found.extend(size::check(&source));
        found.extend(places::check(&source));
        found.extend(words::check_rust(&source));
    } else {
        found.extend(words::check_text(path, text));
    }
    if path.ends_with("Cargo.toml") {
        found.extend(imports::check(path, text));
    }
    if extension == "md" {
        found.extend(links::check(path, text, |target| root.join(target).exists()));
    }
    found
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn collect(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(root.join(folder)).with_context(|| format!("list {folder}"))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {folder}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().with_context(|| format!("look at {path}"))?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            collect(root, &path, paths)?;
        } else if kind.is_file() && read_by_tidy(&name) {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_by_tidy(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extension == "rs" || TEXTS.contains(&extension))
}

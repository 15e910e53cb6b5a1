//! What leaves the house: one folder that can be checked without us. Takes named bytes; gives the index that lists them all, and checks a bundle
//! against its index, its nodes' signatures and its two kinds of hash chain. Never reads a disk: the caller does, through [`Files`].
//!
//! A bundle holds `manifest.json` (the index), `custody.jsonl` ([`super::slice::Line`] each), `nodes/NODE.json` ([`Signer`]),
//! `captures/ID/manifest.dsse.json` and the capture's artifacts beside it, `blocks/*.jsonl` ([`Block`] each), `events.jsonl`,
//! `audit/SHA256` (objects as the provider wrote them), `report.html`, `report.md`, `report.json` and `README.txt`.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::manifest::{self, Statement};
use super::node_log::{self, Block};
use super::record::Kind;
use super::slice::{self, Line};
use crate::canonical;

/// Name of the index.
pub const INDEX: &str = "manifest.json";
/// Name of the custody log.
pub const CUSTODY: &str = "custody.jsonl";
/// What the index says that it is.
pub const FORMAT: &str = "mayfly-bundle/1";
/// A changed byte is located within a part of this size.
pub const PART_BYTES: usize = 64 * 1024;

/// Named bytes, wherever they lie.
pub trait Files {
    /// Every name, with `/` between folders.
    fn names(&self) -> Vec<String>;
    /// The bytes of one, or `None` where it cannot be read.
    fn read(&self, name: &str) -> Option<Vec<u8>>;
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name).cloned()
    }
}

/// One file of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// sha256, hex.
    pub sha256: String,
    /// sha256, hex, of each [`PART_BYTES`] of it, so that a change is located.
    pub parts: Vec<String>,
}

/// The list of all files but itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// [`FORMAT`].
    pub format: String,
    /// The case.
    pub case_id: crate::model::CaseId,
    /// Made then.
    pub created: crate::model::Moment,
    /// Sorted by path.
    pub files: Vec<Entry>,
}

/// Whose signature a node's manifests carry; `nodes/NODE.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// Name of the node.
    pub node: String,
    /// Hex of its ed25519 public key.
    pub signing_key: String,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub artifact: String,
    /// What is wrong, and where, as closely as the hashes can say.
    pub what: String,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// sha256, hex, of the index: the one number to compare with what was said when the bundle was handed over.
    pub index_sha256: String,
    /// Files whose hash was computed.
    pub files: u64,
    /// Journal records whose chain was computed.
    pub records: u64,
    /// Manifests whose signature was checked.
    pub manifests: u64,
    /// Blocks of node logs whose chain was computed.
    pub blocks: u64,
    /// Empty: everything fits.
    pub problems: Vec<Problem>,
    /// What a node sealed, and what is not here, where the custody chain tells of no arrival: it had not been delivered when the bundle
    /// was made. Nothing is wrong with what is here, but the bundle is not complete.
    #[serde(default)]
    pub absent: Vec<Problem>,
}

impl Verification {
    /// Whether everything fits that is here.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, artifact: &str, what: impl Into<String>) {
        self.problems.push(Problem { artifact: artifact.to_owned(), what: what.into() });
    }
}

/// The index over `files`, without an index that is already among them.
pub fn index(case_id: crate::model::CaseId, created: crate::model::Moment, files: &dyn Files) -> Index {
    let mut names = files.names();
    names.sort();
    names.dedup();
    let entry = |path: String| files.read(&path).map(|bytes| describe(path, &bytes));
    let files = names.into_iter().filter(|name| name != INDEX).filter_map(entry).collect();
    Index { format: FORMAT.to_owned(), case_id, created, files }
}

/// The entry of one file.
pub fn describe(path: String, bytes: &[u8]) -> Entry {
    let parts = bytes.chunks(PART_BYTES).map(canonical::sha256).collect();
    Entry { path, size: bytes.len() as u64, sha256: canonical::sha256(bytes), parts }
}

/// Checks everything that can be checked offline.
pub fn verify_bundle(files: &dyn Files) -> Verification {
    let mut done = Verification::default();
    let Some(bytes) = files.read(INDEX) else {
        done.problem(INDEX, "the index is missing: nothing can be said about the rest");
        return done;
    };
    done.index_sha256 = canonical::sha256(&bytes);
    let index: Index = match serde_json::from_slice(&bytes) {
        Ok(index) => index,
        Err(error) => {
            done.problem(INDEX, format!("the index is not readable: {error}"));
            return done;
        }
    };
    if index.format != FORMAT {
        done.problem(INDEX, format!("format {:?}, this program reads {FORMAT}", index.format));
        return done;
    }
    verify_files(files, &index, &mut done);
    let custody = verify_custody(files, &mut done);
    verify_captures(files, &index, &arrived(&custody), &mut done);
    verify_logs(files, &mut done);
    done
}

fn verify_files(files: &dyn Files, index: &Index, done: &mut Verification) {
    let listed: BTreeSet<&str> = index.files.iter().map(|entry| entry.path.as_str()).collect();
    for name in files.names() {
        if name != INDEX && !listed.contains(name.as_str()) {
            done.problem(&name, "it is not in the index: it was added afterwards");
        }
    }
    for entry in &index.files {
        let Some(bytes) = files.read(&entry.path) else {
            done.problem(&entry.path, "it is missing");
            continue;
        };
        done.files += 1;
        if canonical::sha256(&bytes) != entry.sha256 {
            done.problem(&entry.path, located(entry, &bytes));
        }
    }
}

fn located(entry: &Entry, bytes: &[u8]) -> String {
    if bytes.len() as u64 != entry.size {
        return format!("it has {} bytes, the index says {}", bytes.len(), entry.size);
    }
    let changed = bytes.chunks(PART_BYTES).zip(&entry.parts).position(|(part, hash)| canonical::sha256(part) != *hash);
    match changed {
        Some(part) => {
            let from = part * PART_BYTES;
            let to = (from + PART_BYTES).min(bytes.len());
            format!(
                "its bytes were changed, first between offset {from} and {to}: the sha256 is not the one of the index"
            )
        }
        None => "the sha256 is not the one of the index, though each of its parts is: the index was changed".to_owned(),
    }
}

/// Gives the lines, as far as they are readable.
fn verify_custody(files: &dyn Files, done: &mut Verification) -> Vec<Line> {
    let Some(bytes) = files.read(CUSTODY) else {
        done.problem(CUSTODY, "it is missing");
        return Vec::new();
    };
    let lines: Vec<Line> = lines(&bytes).unwrap_or_else(|what| {
        done.problem(CUSTODY, what);
        Vec::new()
    });
    done.records = lines.len() as u64;
    if let Err(broken) = slice::verify(&lines) {
        done.problem(CUSTODY, broken.to_string());
    }
    lines
}

/// sha256, hex, of every artifact that the custody chain says arrived.
fn arrived(custody: &[Line]) -> BTreeSet<String> {
    let hash = |line: &Line| match line {
        Line::Record(record) if record.kind == Kind::Received => Some(record.body.get("sha256")?.as_str()?.to_owned()),
        _ => None,
    };
    custody.iter().filter_map(hash).collect()
}

fn verify_captures(files: &dyn Files, index: &Index, arrived: &BTreeSet<String>, done: &mut Verification) {
    let names = files.names();
    let keys: Vec<Signer> = names
        .iter()
        .filter(|name| name.starts_with("nodes/"))
        .filter_map(|name| serde_json::from_slice(&files.read(name)?).ok())
        .collect();
    for name in names.iter().filter(|name| name.starts_with("captures/") && name.ends_with("/manifest.dsse.json")) {
        let Some(bytes) = files.read(name) else { continue };
        done.manifests += 1;
        let believed: Option<Statement> = keys
            .iter()
            .filter_map(|signer| hex::decode(&signer.signing_key).ok())
            .find_map(|key| manifest::verify_manifest(&bytes, &key).ok());
        let Some(statement) = believed else {
            done.problem(name, "it carries no good signature of a node of this bundle");
            continue;
        };
        let folder = name.trim_end_matches("manifest.dsse.json");
        let held = verify_capture(files, index, folder, &statement, done);
        verify_complete(folder, &statement, &held, arrived, done);
    }
}

/// Each artifact of a capture's folder is in its manifest with this hash. Gives the hashes, as they are and as the index says.
fn verify_capture(
    files: &dyn Files,
    index: &Index,
    folder: &str,
    statement: &Statement,
    done: &mut Verification,
) -> BTreeSet<String> {
    let sealed: BTreeSet<&str> = statement.subject.iter().map(|subject| subject.digest.sha256.as_str()).collect();
    let mut held = BTreeSet::new();
    let is_artifact = |path: &str| path.starts_with(folder) && !path.ends_with("/manifest.dsse.json");
    for entry in index.files.iter().filter(|entry| is_artifact(&entry.path)) {
        let Some(bytes) = files.read(&entry.path) else { continue };
        let hash = canonical::sha256(&bytes);
        if !sealed.contains(hash.as_str()) && hash == entry.sha256 {
            done.problem(&entry.path, "the node's signed manifest does not list these bytes");
        }
        held.insert(entry.sha256.clone());
        held.insert(hash);
    }
    held
}

/// Each artifact of a manifest is held, or never arrived.
fn verify_complete(
    folder: &str,
    statement: &Statement,
    held: &BTreeSet<String>,
    arrived: &BTreeSet<String>,
    done: &mut Verification,
) {
    for subject in statement.subject.iter().filter(|subject| !held.contains(&subject.digest.sha256)) {
        let artifact = format!("{folder}{}", subject.name);
        if arrived.contains(&subject.digest.sha256) {
            let what = format!("the node sealed {:?}, it arrived, and no file here has its hash", subject.name);
            done.problem(&artifact, what);
        } else {
            let what = format!(
                "the node sealed {:?}, and the custody chain tells of no arrival before the export",
                subject.name
            );
            done.absent.push(Problem { artifact, what });
        }
    }
}

fn verify_logs(files: &dyn Files, done: &mut Verification) {
    let names = files.names();
    for name in names.iter().filter(|name| name.starts_with("blocks/") && name.strip_suffix(".jsonl").is_some()) {
        let Some(bytes) = files.read(name) else { continue };
        match lines::<Block>(&bytes) {
            Ok(blocks) => {
                done.blocks += blocks.len() as u64;
                if let Err((position, why)) = node_log::verify_blocks(&blocks) {
                    done.problem(name, format!("the block of position {position}: {why}"));
                }
            }
            Err(what) => done.problem(name, what),
        }
    }
}

fn lines<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, String> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_slice(line).map_err(|error| format!("line {} is not readable: {error}", number + 1))
        })
        .collect()
}

/// One line a value, as `custody.jsonl` and `blocks/*.jsonl` are written.
pub fn to_lines<T: Serialize>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        bytes.extend(canonical::bytes(value));
        bytes.push(b'\n');
    }
    bytes
}

/// `README.txt`: what this is and how it is checked, for somebody who has never heard of us.
pub fn readme(index: &Index, custody: &[Line]) -> String {
    let collected =
        custody.iter().filter(|line| matches!(line, Line::Record(record) if record.kind == Kind::Collected));
    format!(
        "Evidence of case {case}, exported {created}\n\n\
         What this is. A copy of everything that the case rests on: {files} files, listed in manifest.json with their SHA-256\n\
         fingerprints. If one byte of one file changes, its fingerprint changes.\n\n\
         Where it comes from. Programs on the machines concerned recorded what happened as it happened and chained each block of\n\
         their log to the one before (blocks/). Captured files were fingerprinted and signed on the machine itself before they\n\
         left it (captures/*/manifest.dsse.json; the machines' public keys are in nodes/). Provider logs are kept byte for byte as\n\
         the provider wrote them (audit/).\n\n\
         Who touched it. custody.jsonl has one line for each thing that was done: who, when, what ({records} lines, {collected} of\n\
         them collections). Each line contains the fingerprint of the line before; a line that was removed or changed is found.\n\
         Lines of other cases show only their fingerprints.\n\n\
         How to check it. On any machine, without a network: mayfly verify FOLDER (or the zip file)\n\
         By hand: compute the SHA-256 of a file (sha256sum FILE) and compare it with manifest.json.\n\n\
         What cannot be shown. What was not seen or was lost stands in the report under \"Completeness\". What a machine had\n\
         sealed and not yet delivered is named by mayfly verify.\n",
        case = index.case_id,
        created = index.created,
        files = index.files.len(),
        records = custody.len(),
        collected = collected.count(),
    )
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;

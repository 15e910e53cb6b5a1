//! The journal on disk: one line of JSON per record, each hanging on the one before. Takes drafts; gives records after they are synced,
//! so that what a record announces happens only afterwards. Append-only; a damaged chain is refused at start, never mended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use collector_core::custody::{Broken, Chain, Draft, Kind, Record};
use collector_core::model::CaseId;
use serde_json::Value;

use crate::clock::Clock;

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk says no.
    #[error("journal {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        cause: io::Error,
    },
    /// A line is no record.
    #[error("journal {path}, line {line}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
    /// The records do not hang together: somebody changed the file.
    #[error("journal {path} was changed")]
    Changed {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        cause: Broken,
    },
}

/// The journal. Cheap to clone; writers wait for each other.
#[derive(Clone, Debug)]
pub struct Journal {
    file: Arc<Mutex<Open>>,
    path: PathBuf,
    clock: Clock,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
    records: Vec<Record>,
}

impl Journal {
    /// Opens the journal, cuts a line that a crash left half-written, and checks the whole chain.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, JournalError> {
        let disk = |cause| JournalError::Disk { path: path.to_owned(), cause };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(disk)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes).map_err(disk)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            tracing::warn!(path = %path.display(), bytes = bytes.len() - whole, "cut a half-written line");
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(disk)?;
        }
        let mut records = Vec::new();
        for (index, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let record = serde_json::from_slice(line).map_err(|cause| JournalError::Line {
                path: path.to_owned(),
                line: index + 1,
                cause,
            })?;
            records.push(record);
        }
        Chain::verify(&records).map_err(|cause| JournalError::Changed { path: path.to_owned(), cause })?;
        let open = Open { file, length: whole as u64, records };
        Ok(Self { file: Arc::new(Mutex::new(open)), path: path.to_owned(), clock })
    }

    /// Writes one record and syncs it. After an error nothing of it is left.
    pub fn append(&self, draft: Draft) -> Result<Record, JournalError> {
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let record = Chain::append(open.records.last(), draft);
        let mut line = serde_json::to_vec(&record).expect("a record holds only JSON");
        line.push(b'\n');
        if let Err(cause) = open.file.write_all(&line).and_then(|()| open.file.sync_data()) {
            let length = open.length;
            if let Err(cause) = open.file.set_len(length) {
                tracing::error!(%cause, "a half-written journal line stays behind; it is cut at the next start");
            }
            return Err(JournalError::Disk { path: self.path.clone(), cause });
        }
        open.length += line.len() as u64;
        open.records.push(record.clone());
        Ok(record)
    }

    /// Writes one record of now.
    pub fn note(&self, actor: &str, kind: Kind, case_id: Option<CaseId>, body: Value) -> Result<Record, JournalError> {
        self.append(Draft { time: self.clock.now(), actor: actor.to_owned(), kind, case_id, body })
    }

    /// All records.
    pub fn records(&self) -> Vec<Record> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }

    /// The records of one case.
    pub fn of_case(&self, case_id: &CaseId) -> Vec<Record> {
        let open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        open.records.iter().filter(|record| record.case_id.as_ref() == Some(case_id)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn journal(folder: &Path) -> Result<Journal, JournalError> {
        Journal::open(&folder.join("journal.jsonl"), Clock::system())
    }

    #[test]
    fn a_journal_goes_on_where_it_ended_and_forgets_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = journal(folder.path()).expect("new").note("test", Kind::Started, None, json!({})).expect("written");
        let mut file = OpenOptions::new().append(true).open(folder.path().join("journal.jsonl")).expect("it is there");
        file.write_all(br#"{"sequence": 2, "ti"#).expect("written");
        let second =
            journal(folder.path()).expect("again").note("test", Kind::Started, None, json!({})).expect("written");
        assert_eq!((second.sequence, &second.previous), (2, &first.hash));
    }

    #[test]
    fn a_changed_journal_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = journal(folder.path()).expect("new");
        open.note("alice", Kind::Started, None, json!({})).expect("written");
        let path = folder.path().join("journal.jsonl");
        let text = std::fs::read_to_string(&path).expect("read").replace("alice", "mallory");
        std::fs::write(&path, text).expect("written");
        assert!(matches!(journal(folder.path()), Err(JournalError::Changed { .. })));
    }
}

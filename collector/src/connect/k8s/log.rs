//! The API server's audit log file, followed as it grows and is rotated. Takes a path; gives whole lines to [`super::audit`] and what comes
//! of them to the store. Goes on where it was after a restart, also when the file was renamed meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use collector_core::model::AuditSource;
use futures::future::{BoxFuture, FutureExt};

use super::audit::{self, EVENT_BYTES};
use crate::connect::audit::{Audit, AuditError, Intake};
use crate::store::state::AuditFile;

/// Bytes that are taken at once: one object of evidence.
const CHUNK_BYTES: usize = 8 << 20;

/// One followed file.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    intake: Intake,
    /// How far it was read; absent until the first look.
    at: Option<AuditFile>,
}

impl Log {
    /// This file.
    pub fn new(path: PathBuf, intake: Intake) -> Self {
        Self { path, intake, at: None }
    }

    async fn follow(&mut self) -> Result<usize, AuditError> {
        let name = self.path.display().to_string();
        let mut at = match self.at.take() {
            Some(at) => at,
            None => self.intake.store().state.audit_file(AuditSource::Kubernetes, &name).await?.unwrap_or_default(),
        };
        at.path.clone_from(&name);
        let outcome = self.catch_up(&mut at).await;
        self.at = Some(at);
        outcome
    }

    async fn catch_up(&self, at: &mut AuditFile) -> Result<usize, AuditError> {
        let failed = |cause| AuditError::Source { path: self.path.clone(), cause };
        let now = match File::open(&self.path) {
            Ok(file) => Some(file),
            // Between two files, or before the first.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(failed(cause)),
        };
        let inode = now.as_ref().map(File::metadata).transpose().map_err(failed)?.map(|file| (file.ino(), file.len()));
        let mut new = 0;
        let is_another = inode.is_some_and(|(inode, length)| inode != at.inode || length < at.read_bytes);
        if is_another {
            // What was written to the old file after we looked last, wherever it was moved to.
            if let Some(old) = renamed(&self.path, at.inode).map_err(failed)? {
                new += self.rest(&old, at).await?;
            }
            at.inode = inode.map_or(0, |(inode, _)| inode);
            at.read_bytes = 0;
        }
        if let Some(file) = now {
            new += self.rest(&file, at).await?;
        }
        Ok(new)
    }

    /// All whole lines from where we are.
    async fn rest(&self, file: &File, at: &mut AuditFile) -> Result<usize, AuditError> {
        let mut new = 0;
        loop {
            let failed = |cause| AuditError::Source { path: self.path.clone(), cause };
            let chunk = lines(file, at.read_bytes).map_err(failed)?;
            if chunk.is_empty() {
                return Ok(new);
            }
            let parsed = audit::parse(&format!("{} from byte {}", at.path, at.read_bytes), &chunk);
            for trouble in &parsed.troubles {
                tracing::warn!(trouble, "kubernetes audit");
                at.trouble.clone_from(trouble);
            }
            let length = chunk.len() as u64;
            new += self.intake.take(chunk.into(), parsed.entries).await?;
            at.read_bytes += length;
            at.size = at.read_bytes;
            self.intake.store().state.put_audit_file(AuditSource::Kubernetes, at).await?;
        }
    }
}

impl Audit for Log {
    fn source(&self) -> AuditSource {
        AuditSource::Kubernetes
    }

    fn look(&mut self) -> BoxFuture<'_, Result<usize, AuditError>> {
        self.follow().boxed()
    }
}

/// Whole lines from an offset, at most a chunk. A line that is longer than any event is given in pieces: each is then named as unreadable.
fn lines(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; CHUNK_BYTES];
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], offset + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    bytes.truncate(length);
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => bytes.truncate(end + 1),
        None if length > EVENT_BYTES => {}
        None => bytes.clear(),
    }
    Ok(bytes)
}

/// The file of this inode beside `path`: what a rotation renamed.
fn renamed(path: &Path, inode: u64) -> io::Result<Option<File>> {
    let Some(folder) = path.parent().filter(|_| inode != 0) else {
        return Ok(None);
    };
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path() != path && entry.metadata()?.ino() == inode {
            return File::open(entry.path()).map(Some);
        }
    }
    Ok(None)
}

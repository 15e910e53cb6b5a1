//! Captures on disk that wait for the collector. Takes a finished capture from the responder; gives the sender its manifest and
//! its artifacts, and removes what was delivered when room is short. A capture that the collector does not have is never
//! removed.
//!
//! One folder a capture, `<data>/captures/<capture_id>/`:
//!
//! - the artifacts, each a file named by its artifact id;
//! - `artifacts.json`: what they are ([`Artifact`]), in the order in which they are sent;
//! - `manifest.dsse.json`: the signed statement. Written last, by rename: a folder with it is complete;
//! - `delivered`: empty, made when the collector has all of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::limits;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

const MANIFEST: &str = "manifest.dsse.json";
const ARTIFACTS: &str = "artifacts.json";
const DELIVERED: &str = "delivered";

/// One file of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Unique within the capture, and the file's name in its folder.
    pub artifact_id: String,
    /// `executable`, `recorder`, `process_facts`, …
    pub kind: String,
    /// As people read it.
    pub name: String,
    /// IANA media type.
    pub media_type: String,
    /// Length of the file.
    pub size: u64,
    /// sha256 of the file, hexadecimal.
    pub sha256: String,
}

/// A complete capture, as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Its id.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// DSSE envelope.
    pub manifest: Vec<u8>,
    /// In the order in which they are sent.
    pub artifacts: Vec<Artifact>,
}

/// Why a capture cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// An id that is no plain file name.
    #[error("{0:?} cannot name a file")]
    Name(String),
    /// More or larger than the wire allows.
    #[error("capture {0} is over the limits of the wire")]
    Limit(String),
    /// A file of the capture.
    #[error("{doing} {path}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: std::io::Error,
    },
}

/// All captures of the node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    /// Of all captures: a look at every file would take longer the more there are, and each new capture waits for it.
    bytes: Arc<AtomicU64>,
    committed: Arc<Notify>,
}

impl Spool {
    /// The captures in `folder`, bounded by `max_bytes` where they are delivered.
    pub fn open(folder: PathBuf, max_bytes: u64) -> Result<Self, SpoolError> {
        std::fs::create_dir_all(&folder).map_err(|cause| failed("make", &folder, cause))?;
        let spool = Self { folder, max_bytes, bytes: Arc::default(), committed: Arc::new(Notify::new()) };
        spool.bytes.store(spool.folders().iter().map(|(_, folder)| bytes_of(folder)).sum(), Ordering::Relaxed);
        Ok(spool)
    }

    /// Makes the folder of a new capture, for its artifacts.
    pub fn begin(&self, capture_id: &str) -> Result<PathBuf, SpoolError> {
        let folder = self.folder.join(plain(capture_id)?);
        std::fs::create_dir_all(&folder).map_err(|cause| failed("make", &folder, cause))?;
        Ok(folder)
    }

    /// Completes a capture whose artifacts lie in its folder, and wakes the sender.
    pub fn commit(&self, capture_id: &str, manifest: &[u8], artifacts: &[Artifact]) -> Result<(), SpoolError> {
        if artifacts.len() > limits::CAPTURE_ARTIFACTS || manifest.len() > limits::MANIFEST_BYTES {
            return Err(SpoolError::Limit(capture_id.to_owned()));
        }
        for artifact in artifacts {
            plain(&artifact.artifact_id)?;
        }
        let folder = self.begin(capture_id)?;
        let list = serde_json::to_vec_pretty(artifacts).expect("plain strings and numbers");
        write_whole(&folder.join(ARTIFACTS), &list)?;
        write_whole(&folder.join(MANIFEST), manifest)?;
        self.committed.notify_one();
        self.bytes.fetch_add(bytes_of(&folder), Ordering::Relaxed);
        self.make_room();
        Ok(())
    }

    /// Waits until a capture is committed.
    pub async fn committed(&self) {
        self.committed.notified().await;
    }

    /// Complete captures that the collector does not have yet, oldest first. A folder that cannot be read is passed over and
    /// stays for a person to look at.
    pub fn waiting(&self) -> Vec<Capture> {
        let mut found = Vec::new();
        for (_, folder) in self.folders() {
            if folder.join(DELIVERED).exists() || !folder.join(MANIFEST).exists() {
                continue;
            }
            match read(&folder) {
                Ok(capture) => found.push(capture),
                Err(error) => tracing::warn!(%error, "a capture cannot be read"),
            }
        }
        found
    }

    /// Notes that the collector has all of a capture.
    pub fn delivered(&self, capture_id: &str) -> Result<(), SpoolError> {
        let path = self.folder.join(plain(capture_id)?).join(DELIVERED);
        std::fs::write(&path, b"").map_err(|cause| failed("make", &path, cause))?;
        self.make_room();
        Ok(())
    }

    /// Removes delivered captures, oldest first, until all fit.
    fn make_room(&self) {
        if self.bytes.load(Ordering::Relaxed) <= self.max_bytes {
            return;
        }
        let folders = self.folders();
        let mut sizes: Vec<u64> = folders.iter().map(|(_, folder)| bytes_of(folder)).collect();
        let mut total: u64 = sizes.iter().sum();
        for ((_, folder), size) in folders.iter().zip(sizes.drain(..)) {
            if total <= self.max_bytes {
                break;
            }
            if folder.join(DELIVERED).exists() {
                match std::fs::remove_dir_all(folder) {
                    Ok(()) => total = total.saturating_sub(size),
                    Err(error) => tracing::warn!(%error, folder = %folder.display(), "a delivered capture stays"),
                }
            }
        }
        self.bytes.store(total, Ordering::Relaxed);
        if total > self.max_bytes {
            tracing::warn!(bytes = total, "captures that wait for the collector are over the bound");
        }
    }

    /// Capture folders, oldest first.
    fn folders(&self) -> Vec<(std::time::SystemTime, PathBuf)> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut folders: Vec<_> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| {
                let manifest = entry.path().join(MANIFEST);
                let made = std::fs::metadata(manifest).or_else(|_| entry.metadata()).ok()?.modified().ok()?;
                Some((made, entry.path()))
            })
            .collect();
        folders.sort();
        folders
    }
}

fn read(folder: &Path) -> Result<Capture, SpoolError> {
    let id = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let manifest = read_bounded(&folder.join(MANIFEST))?;
    let path = folder.join(ARTIFACTS);
    let artifacts: Vec<Artifact> =
        serde_json::from_slice(&read_bounded(&path)?).map_err(|cause| failed("parse", &path, cause.into()))?;
    for artifact in &artifacts {
        plain(&artifact.artifact_id)?;
    }
    Ok(Capture { id: plain(id)?.to_owned(), folder: folder.to_owned(), manifest, artifacts })
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, SpoolError> {
    let bytes = std::fs::read(path).map_err(|cause| failed("read", path, cause))?;
    if bytes.len() > limits::MANIFEST_BYTES {
        return Err(SpoolError::Limit(path.display().to_string()));
    }
    Ok(bytes)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|cause| failed("write", path, cause))
}

/// Ids name files, so they hold letters, digits, `-`, `_` and `.` only, and do not begin with a dot.
fn plain(name: &str) -> Result<&str, SpoolError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let usable = (1..=limits::NAME_BYTES).contains(&name.len()) && !name.starts_with('.') && name.chars().all(allowed);
    if usable { Ok(name) } else { Err(SpoolError::Name(name.to_owned())) }
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

fn failed(doing: &'static str, path: &Path, cause: std::io::Error) -> SpoolError {
    SpoolError::File { doing, path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(id: &str, size: u64) -> Artifact {
        Artifact {
            artifact_id: id.to_owned(),
            kind: String::from("executable"),
            name: id.to_owned(),
            media_type: String::from("application/octet-stream"),
            size,
            sha256: String::new(),
        }
    }

    fn capture(spool: &Spool, id: &str, size: usize) {
        let folder = spool.begin(id).expect("a plain name");
        std::fs::write(folder.join("exe"), vec![1; size]).expect("writable");
        spool.commit(id, b"{}", &[artifact("exe", size as u64)]).expect("commits");
    }

    #[test]
    fn a_capture_without_its_manifest_is_not_there_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path().join("captures"), 1 << 20).expect("opens");
        spool.begin("one").expect("a plain name");
        assert!(spool.waiting().is_empty());
        capture(&spool, "one", 3);
        assert_eq!(spool.waiting()[0].artifacts, [artifact("exe", 3)]);
        spool.delivered("one").expect("there");
        assert!(spool.waiting().is_empty());
    }

    #[test]
    fn room_is_made_by_delivered_captures_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path().join("captures"), 5_000).expect("opens");
        capture(&spool, "one", 4_000);
        capture(&spool, "two", 4_000);
        assert_eq!(spool.waiting().len(), 2, "over the bound, and still there");
        spool.delivered("one").expect("there");
        capture(&spool, "three", 10);
        assert!(!folder.path().join("captures/one").exists());
        assert_eq!(spool.waiting().len(), 2);
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path().join("captures"), 5_000).expect("opens");
        for name in ["", "..", "a/b", ".hidden", "a\0b", "é"] {
            assert!(spool.begin(name).is_err(), "{name:?}");
        }
        assert!(spool.commit("one", b"{}", &[artifact("../exe", 1)]).is_err());
    }
}

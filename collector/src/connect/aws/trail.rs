//! Folders of `CloudTrail` objects, looked through again and again. Takes paths; gives each new or changed file to [`super::audit`] and what
//! comes of it to the store. A file that was read is not read again, also after a restart; one that cannot be read is named and tried again.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use collector_core::model::AuditSource;
use futures::future::{BoxFuture, FutureExt};

use super::audit::{self, OBJECT_BYTES};
use crate::connect::audit::{Audit, AuditError, Intake};
use crate::store::state::AuditFile;

/// Folders within folders: AWS's own layout has seven.
const DEPTH: usize = 32;

/// AWS writes digests of its files beside them; they hold no entries.
const DIGESTS: &str = "CloudTrail-Digest";

/// The folders.
#[derive(Debug)]
pub struct Trail {
    paths: Vec<PathBuf>,
    intake: Intake,
    /// Size and modification time of what was read since the start.
    seen: HashMap<PathBuf, (u64, i64)>,
}

impl Trail {
    /// These files and folders.
    pub fn new(paths: Vec<PathBuf>, intake: Intake) -> Self {
        Self { paths, intake, seen: HashMap::new() }
    }

    async fn look_through(&mut self) -> Result<usize, AuditError> {
        let mut new = 0;
        for path in self.paths.clone() {
            let roots = path.clone();
            let files = tokio::task::spawn_blocking(move || files(&roots)).await.expect("listing does not panic");
            let files = files.map_err(|cause| AuditError::Source { path, cause })?;
            for (file, metadata) in files {
                new += self.file(file, &metadata).await?;
            }
        }
        Ok(new)
    }

    async fn file(&mut self, path: PathBuf, metadata: &Metadata) -> Result<usize, AuditError> {
        let stamp = (metadata.len(), metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec());
        if self.seen.get(&path) == Some(&stamp) {
            return Ok(0);
        }
        let name = path.display().to_string();
        let modified_ns = u64::try_from(stamp.1).unwrap_or(0);
        let state = &self.intake.store().state;
        let known = state.audit_file(AuditSource::Cloudtrail, &name).await?;
        if known.as_ref().is_some_and(|known| known.size == stamp.0 && known.modified_ns == modified_ns) {
            self.seen.insert(path, stamp);
            return Ok(0);
        }
        let (object, trouble) = if metadata.len() > OBJECT_BYTES {
            (Vec::new(), format!("{name}: {} bytes, more than {OBJECT_BYTES}", metadata.len()))
        } else {
            match tokio::fs::read(&path).await {
                Ok(object) => (object, String::new()),
                Err(cause) => {
                    let trouble = format!("{name}: {cause}");
                    return self.unreadable(name, known, trouble).await.map(|()| 0);
                }
            }
        };
        let (new, trouble) = if trouble.is_empty() { self.object(&name, object).await? } else { (0, trouble) };
        if !trouble.is_empty() {
            tracing::warn!(trouble, "cloudtrail");
        }
        let (size, inode) = (stamp.0, metadata.ino());
        let file = AuditFile { path: name, size, modified_ns, inode, read_bytes: size, trouble };
        self.intake.store().state.put_audit_file(AuditSource::Cloudtrail, &file).await?;
        self.seen.insert(path, stamp);
        Ok(new)
    }

    /// It may be gone again, or not ours to read yet: said once, and tried again at the next look, as its time is none that a file has.
    async fn unreadable(&self, path: String, known: Option<AuditFile>, trouble: String) -> Result<(), AuditError> {
        if known.is_some_and(|known| known.trouble == trouble && known.modified_ns == 0) {
            return Ok(());
        }
        tracing::warn!(trouble, "cloudtrail");
        let file = AuditFile { path, size: 0, modified_ns: 0, inode: 0, read_bytes: 0, trouble };
        Ok(self.intake.store().state.put_audit_file(AuditSource::Cloudtrail, &file).await?)
    }

    async fn object(&self, name: &str, object: Vec<u8>) -> Result<(usize, String), AuditError> {
        let file = name.to_owned();
        let parse = tokio::task::spawn_blocking(move || {
            let parsed = audit::parse(&file, &object);
            (object, parsed)
        });
        let (object, parsed) = parse.await.expect("parsing does not panic");
        let new = self.intake.take(object.into(), parsed.entries).await?;
        Ok((new, parsed.troubles.join("; ")))
    }
}

impl Audit for Trail {
    fn source(&self) -> AuditSource {
        AuditSource::Cloudtrail
    }

    fn look(&mut self) -> BoxFuture<'_, Result<usize, AuditError>> {
        self.look_through().boxed()
    }
}

/// The `.json`, `.json.gz` and `.jsonl` files below a path, sorted. A path that names a file is taken whatever its name is.
fn files(path: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        // AWS's export makes the folder later: nothing is there yet.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    if metadata.is_file() {
        return Ok(vec![(path.to_owned(), metadata)]);
    }
    let mut found = Vec::new();
    walk(path, DEPTH, &mut found)?;
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

/// Links are not followed: a loop of them would have no end.
fn walk(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, Metadata)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if metadata.is_dir() && depth > 0 && name != DIGESTS {
            walk(&entry.path(), depth - 1, found)?;
        } else if metadata.is_file() && [".json", ".json.gz", ".jsonl"].iter().any(|end| name.ends_with(end)) {
            found.push((entry.path(), metadata));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::StoreConfig;
    use crate::health::Health;
    use crate::store::Store;

    #[tokio::test]
    async fn a_file_that_could_not_be_read_is_read_when_it_can_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let (clock, health) = (Clock::system(), Health::default());
        let (store, writer) =
            Store::open(&folder.path().join("data"), &StoreConfig::default(), &clock, &health).await.expect("a store");
        let writing = tokio::task::spawn_blocking(move || writer.run());
        let intake = Intake::new(store.clone(), clock);
        let (path, aside) = (folder.path().join("1.json"), folder.path().join("aside"));
        let record = r#"{"eventID":"a","eventName":"ListUsers","eventTime":"2026-11-21T18:10:23Z"}"#;
        std::fs::write(&path, format!(r#"{{"Records":[{record}]}}"#)).expect("written");
        let metadata = std::fs::metadata(&path).expect("it is there");

        // Between the listing and the reading the file cannot be had; then it is there again, as old and as long as before.
        std::fs::rename(&path, &aside).expect("renamed");
        let mut trail = Trail::new(vec![path.clone()], intake.clone());
        for _ in 0..2 {
            assert_eq!(trail.file(path.clone(), &metadata).await.expect("no fault of ours"), 0);
            let troubles = store.state.troubled_files().await.expect("an answer");
            assert!(troubles.len() == 1 && troubles[0].1.contains("1.json: No such file"), "{troubles:?}");
        }
        std::fs::rename(&aside, &path).expect("renamed");
        let mut restarted = Trail::new(vec![path.clone()], intake);
        assert_eq!(trail.look_through().await.expect("it looks"), 1, "given up");
        assert!(store.state.troubled_files().await.expect("an answer").is_empty());
        assert_eq!(restarted.look_through().await.expect("it looks"), 0, "read twice");
        drop((store, trail, restarted));
        writing.await.expect("no panic");
    }
}

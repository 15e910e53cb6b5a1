//! One file of a capture: hashed while it is written, bounded, and said to be partial where it is.
//!
//! Takes bytes from a reader; gives the file and what the manifest says of it, or the reason why there is none. What stands
//! in the manifest is the hash of what was written, not of what is read again later.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

const BUFFER: usize = 256 << 10;

/// An artifact that lies in the capture's folder, under its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Unique in the capture; the name of the file.
    pub artifact_id: String,
    /// `executable`, `recorder`, `process_facts`, `environment`, `open_files`, `sockets`, `script`.
    pub kind: String,
    /// As people read it.
    pub name: String,
    /// IANA media type.
    pub media_type: String,
    /// Length.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
    /// How it was taken.
    pub method: String,
    /// Why it is not whole; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

/// An artifact that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What it would have been.
    pub kind: String,
    /// Of what.
    pub name: String,
    /// In the kernel's words where they are the kernel's.
    pub reason: String,
}

/// What an artifact is, before its bytes are read.
#[derive(Debug, Clone)]
pub struct Label {
    /// Unique in the capture.
    pub artifact_id: String,
    /// Its kind.
    pub kind: &'static str,
    /// As people read it.
    pub name: String,
    /// IANA media type.
    pub media_type: &'static str,
    /// How it is taken.
    pub method: String,
}

/// The artifacts of one capture.
#[derive(Debug)]
pub struct Artifacts {
    folder: PathBuf,
    limit: u64,
    /// What was taken.
    pub taken: Vec<Taken>,
    /// What was not.
    pub failures: Vec<Failure>,
}

impl Artifacts {
    /// None yet, each of at most `limit` bytes, in a folder that is there.
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit: limit.min(proto::limits::ARTIFACT_BYTES), taken: Vec::new(), failures: Vec::new() }
    }

    /// Writes what a reader gives. A reader that fails half-way leaves a partial artifact, one that fails at once a failure.
    pub fn read(&mut self, label: Label, reader: impl Read) {
        self.write(label, |out, limit| copy(reader, out, limit));
    }

    /// Writes a value as JSON.
    pub fn json(&mut self, label: Label, value: &impl Serialize) {
        let bytes = serde_json::to_vec_pretty(value).expect("plain values are JSON");
        self.read(label, bytes.as_slice());
    }

    /// Writes what `write` gives; it answers with why it is not whole, if it is not.
    pub fn write(&mut self, label: Label, write: impl FnOnce(&mut Hashing, u64) -> io::Result<Option<String>>) {
        if self.taken.len() >= proto::limits::CAPTURE_ARTIFACTS {
            return self.fail(label.kind, &label.name, "the capture has as many artifacts as it may");
        }
        let path = self.folder.join(&label.artifact_id);
        let mut out = match Hashing::create(&path) {
            Ok(out) => out,
            Err(error) => return self.fail(label.kind, &label.name, &format!("write the artifact: {error}")),
        };
        let partial = match write(&mut out, self.limit) {
            Ok(partial) => partial,
            Err(error) if out.size == 0 => {
                forget(&path);
                return self.fail(label.kind, &label.name, &error.to_string());
            }
            Err(error) => Some(format!("ended after {} bytes: {error}", out.size)),
        };
        let (size, sha256) = out.finish();
        let Label { artifact_id, kind, mut name, media_type, method } = label;
        name.truncate(name.floor_char_boundary(proto::limits::NAME_BYTES));
        let (kind, media_type) = (kind.to_owned(), media_type.to_owned());
        self.taken.push(Taken { artifact_id, kind, name, media_type, size, sha256, method, partial });
    }

    /// Notes that something could not be had.
    pub fn fail(&mut self, kind: &str, name: &str, reason: &str) {
        self.failures.push(Failure { kind: kind.to_owned(), name: name.to_owned(), reason: reason.to_owned() });
    }
}

fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "an empty artifact stays");
    }
}

/// A file that is hashed while it is written.
#[derive(Debug)]
pub struct Hashing {
    file: File,
    hash: Sha256,
    size: u64,
}

impl Hashing {
    fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { file, hash: Sha256::new(), size: 0 })
    }

    fn finish(self) -> (u64, String) {
        (self.size, hex::encode(self.hash.finalize()))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Copies at most `limit` bytes; answers with why it is not all, if it is not.
fn copy(mut reader: impl Read, out: &mut Hashing, limit: u64) -> io::Result<Option<String>> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let room = limit.saturating_sub(out.size);
        if read as u64 > room {
            let fits = usize::try_from(room).unwrap_or(read);
            out.write_all(&buffer[..fits])?;
            return Ok(Some(format!("cut at the bound of {limit} bytes")));
        }
        out.write_all(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives some bytes, then fails: a process that ends while it is read.
    struct Ending(usize);

    impl Read for Ending {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("no such process"));
            }
            let some = self.0.min(buffer.len());
            buffer[..some].fill(b'x');
            self.0 -= some;
            Ok(some)
        }
    }

    fn check(limit: u64, reader: impl Read) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut artifacts = Artifacts::new(folder.path().to_path_buf(), limit);
        let label = Label {
            artifact_id: "one".to_owned(),
            kind: "executable",
            name: "/bin/one".to_owned(),
            media_type: "application/octet-stream",
            method: "read".to_owned(),
        };
        artifacts.read(label, reader);
        for taken in &artifacts.taken {
            let bytes = fs::read(folder.path().join("one")).expect("it was written");
            assert_eq!(hex::encode(Sha256::digest(&bytes)), taken.sha256);
            assert_eq!(bytes.len() as u64, taken.size);
        }
        let taken = artifacts.taken.iter().map(|taken| format!("{} {:?}", taken.size, taken.partial));
        let failed = artifacts.failures.iter().map(|failure| format!("failed: {}", failure.reason));
        taken.chain(failed).collect()
    }

    #[test]
    fn an_artifact_is_hashed_while_it_is_written() {
        assert_eq!(check(100, &b"abc"[..]), "3 None");
        assert_eq!(check(3, &b"abc"[..]), "3 None");
    }

    #[test]
    fn a_larger_artifact_is_cut_and_says_so() {
        assert_eq!(check(2, &b"abc"[..]), r#"2 Some("cut at the bound of 2 bytes")"#);
    }

    #[test]
    fn a_process_that_ends_half_way_leaves_a_partial_artifact() {
        assert_eq!(check(1 << 20, Ending(5)), r#"5 Some("ended after 5 bytes: no such process")"#);
        assert_eq!(check(1 << 20, Ending(0)), "failed: no such process");
    }
}

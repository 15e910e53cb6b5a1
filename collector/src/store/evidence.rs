//! Bytes that we can prove: kept under their sha256, written once, never changed. Takes content; gives its address after it is durable.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::state::{State, StateError, Stored};
use crate::clock::Clock;

/// How much of a file is read at once.
const READ_BYTES: usize = 1 << 20;

/// Why content was not stored or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The object store refuses (disk full, unreachable).
    #[error("evidence store")]
    Object(#[from] object_store::Error),
    /// The database refuses.
    #[error("evidence index")]
    State(#[from] StateError),
    /// The file to be stored cannot be read.
    #[error("read content to be stored")]
    Read(#[source] std::io::Error),
    /// The content is not what it was announced as, or not what was stored.
    #[error("content has sha256 {has}, not {wants}")]
    Hash {
        /// What was announced.
        wants: String,
        /// What it is.
        has: String,
    },
    /// Nothing is stored under this address.
    #[error("no evidence has sha256 {0}")]
    Absent(String),
}

/// The evidence store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Evidence {
    objects: Arc<dyn ObjectStore>,
    state: State,
    clock: Clock,
}

impl Evidence {
    /// Evidence in this object store, indexed in this state.
    pub fn new(objects: Arc<dyn ObjectStore>, state: State, clock: Clock) -> Self {
        Self { objects, state, clock }
    }

    /// Stores content; the same content again is the same evidence.
    pub async fn put(&self, content: Bytes) -> Result<Stored, EvidenceError> {
        let sha256 = hex::encode(Sha256::digest(&content));
        if let Some(stored) = self.state.stored(&sha256).await? {
            return Ok(stored);
        }
        let size = content.len() as u64;
        self.objects.put(&address(&sha256), content.into()).await?;
        self.note(sha256, size).await
    }

    /// Stores a file's content if it has this hash.
    pub async fn put_file(&self, path: &Path, sha256: &str) -> Result<Stored, EvidenceError> {
        let has = hash_file(path).await.map_err(EvidenceError::Read)?;
        if has != sha256 {
            return Err(EvidenceError::Hash { wants: sha256.to_owned(), has });
        }
        if let Some(stored) = self.state.stored(sha256).await? {
            return Ok(stored);
        }
        let mut file = tokio::fs::File::open(path).await.map_err(EvidenceError::Read)?;
        let mut upload = WriteMultipart::new(self.objects.put_multipart(&address(sha256)).await?);
        let mut size = 0;
        let mut hash = Sha256::new();
        loop {
            let mut chunk = Vec::with_capacity(READ_BYTES);
            let read =
                (&mut file).take(READ_BYTES as u64).read_to_end(&mut chunk).await.map_err(EvidenceError::Read)?;
            if read == 0 {
                break;
            }
            size += read as u64;
            hash.update(&chunk);
            upload.wait_for_capacity(2).await?;
            upload.put(chunk.into());
        }
        let stored = hex::encode(hash.finalize());
        if stored != sha256 {
            upload.abort().await?;
            return Err(EvidenceError::Hash { wants: sha256.to_owned(), has: stored });
        }
        upload.finish().await?;
        self.note(sha256.to_owned(), size).await
    }

    /// The content at an address, its hash computed again.
    pub async fn get(&self, sha256: &str) -> Result<Bytes, EvidenceError> {
        let stored = self.state.stored(sha256).await?.ok_or_else(|| EvidenceError::Absent(sha256.to_owned()))?;
        let content = self.objects.get(&ObjectPath::from(stored.object)).await?.bytes().await?;
        let has = hex::encode(Sha256::digest(&content));
        if has == sha256 { Ok(content) } else { Err(EvidenceError::Hash { wants: sha256.to_owned(), has }) }
    }

    async fn note(&self, sha256: String, size: u64) -> Result<Stored, EvidenceError> {
        let object = address(&sha256).to_string();
        let stored = Stored { sha256, size, object, stored_ns: self.clock.now_ns() };
        self.state.put_stored(&stored).await?;
        Ok(stored)
    }
}

fn address(sha256: &str) -> ObjectPath {
    ObjectPath::from_iter(["evidence", sha256.get(..2).unwrap_or("xx"), sha256])
}

async fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        match file.read(&mut chunk).await? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

//! Captures on their way in: first the signed manifest, then each artifact in chunks. Takes what a session received; keeps bytes
//! beside the store until an artifact is whole and has the hash that its node signed, and only then calls it evidence.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use collector_core::custody::manifest::MAX_ENVELOPE_BYTES;
use collector_core::custody::{Kind, ManifestError, verify_manifest};
use proto::limits;
use proto::v1::{ArtifactAck, ArtifactBegin, ArtifactChunk, Manifest};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::store::Store;
use crate::store::evidence::EvidenceError;
use crate::store::journal::JournalError;
use crate::store::state::{Artifact, Capture, StateError};

/// Bytes after which a node hears how far its artifact is durable.
const ACK_BYTES: u64 = 4 << 20;

/// Artifacts that one session sends at once.
const OPEN_ARTIFACTS: usize = 64;

/// What a bundle calls the signed manifest, which stands beside the artifacts of its capture: none of them has that name.
const MANIFEST_NAME: &str = "manifest.dsse.json";

// The core knows no wire: what a node may send is what it reads.
const _: () = assert!(MAX_ENVELOPE_BYTES == limits::MANIFEST_BYTES);

/// Why a part of a capture was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The manifest is not what it must be.
    #[error("manifest of capture {capture}")]
    Manifest {
        /// The capture.
        capture: String,
        /// What is wrong.
        #[source]
        cause: ManifestError,
    },
    /// The node breaks the order of things, or its limits.
    #[error("artifact {artifact} of capture {capture}: {why}")]
    Refused {
        /// The capture.
        capture: String,
        /// The artifact.
        artifact: String,
        /// Why.
        why: String,
    },
    /// The disk refuses.
    #[error("keep artifact bytes at {path}")]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The store refuses.
    #[error("store artifact")]
    Evidence(#[from] EvidenceError),
    /// The database refuses.
    #[error("note capture")]
    State(#[from] StateError),
    /// The journal refuses.
    #[error("journal capture")]
    Journal(#[from] JournalError),
}

impl CaptureError {
    /// Whether the fault is the node's, so that it hears why; else it is ours and the session ends.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Manifest { .. } | Self::Refused { .. } | Self::Evidence(EvidenceError::Hash { .. }))
    }
}

/// What one session is sending.
#[derive(Debug)]
pub struct Captures {
    store: Store,
    clock: Clock,
    node: String,
    signing_key: Vec<u8>,
    open: HashMap<(String, String), Open>,
}

#[derive(Debug)]
struct Open {
    begin: ArtifactBegin,
    path: PathBuf,
    received: u64,
    acknowledged: u64,
}

impl Captures {
    /// Nothing yet, of this node with this key.
    pub fn new(store: Store, clock: Clock, node: String, signing_key: Vec<u8>) -> Self {
        Self { store, clock, node, signing_key, open: HashMap::new() }
    }

    /// A manifest came: checked against the node's key, then kept.
    pub async fn manifest(&mut self, message: Manifest) -> Result<(), CaptureError> {
        let capture = message.capture_id;
        check_name(&capture, "", "its capture's id", &capture)?;
        let wrong = |cause| CaptureError::Manifest { capture: capture.clone(), cause };
        verify_manifest(&message.envelope, &self.signing_key).map_err(wrong)?;
        if let Some(known) = self.store.state.capture(&capture).await? {
            let is_same = known.envelope == message.envelope && known.node == self.node;
            return if is_same {
                Ok(())
            } else {
                Err(refusal(&capture, "", "the capture has another manifest already"))
            };
        }
        let manifest_sha256 = hex::encode(Sha256::digest(&message.envelope));
        self.store.evidence.put(message.envelope.clone().into()).await?;
        let body = json!({"capture_id": capture, "node": self.node, "manifest_sha256": manifest_sha256});
        self.store.journal.note(&format!("node {}", self.node), Kind::Collected, None, body)?;
        let row = Capture {
            id: capture.clone(),
            node: self.node.clone(),
            envelope: message.envelope,
            manifest_sha256,
            signing_key: self.signing_key.clone(),
            received_ns: self.clock.now_ns(),
        };
        Ok(self.store.state.put_capture(&row).await?)
    }

    /// An artifact begins, or goes on after a broken session: the answer says where.
    pub async fn begin(&mut self, begin: ArtifactBegin) -> Result<ArtifactAck, CaptureError> {
        let (capture, artifact) = (begin.capture_id.clone(), begin.artifact_id.clone());
        for (what, name) in [("its capture's id", &capture), ("its id", &artifact)] {
            check_name(&capture, &artifact, what, name)?;
        }
        let refused = |why: &str| refusal(&capture, &artifact, why);
        if begin.size > limits::ARTIFACT_BYTES {
            return Err(refused("it is larger than any agent sends"));
        }
        let known = self.store.state.capture(&capture).await?.filter(|known| known.node == self.node);
        let Some(known) = known else {
            return Err(refused("its manifest has not come from this node"));
        };
        let signed = verify_manifest(&known.envelope, &known.signing_key)
            .map_err(|cause| CaptureError::Manifest { capture: capture.clone(), cause })?;
        let sha256 = hex::encode(&begin.sha256);
        if !signed.subject.iter().any(|subject| subject.digest.sha256.eq_ignore_ascii_case(&sha256)) {
            return Err(refused("its hash is not in the signed manifest"));
        }
        let known = self.store.state.artifacts(Some(&capture)).await?;
        if known.iter().any(|known| known.artifact_id == artifact && known.sha256 == sha256) {
            return Ok(ArtifactAck {
                capture_id: capture,
                artifact_id: artifact,
                received: begin.size,
                complete: true,
            });
        }
        if self.open.len() >= OPEN_ARTIFACTS {
            return Err(refused("too many artifacts are on their way at once"));
        }
        // By hash of the names: they come from the network and must not choose a path. By hash of the content: other
        // content under the same name begins anew.
        let place = hex::encode(Sha256::digest(format!("{}\n{capture}\n{artifact}\n{sha256}", self.node)));
        let path = self.store.directory.join("incoming").join(place);
        let received = std::fs::metadata(&path).map_or(0, |file| file.len()).min(begin.size);
        let open = Open { begin, path, received, acknowledged: received };
        if open.received == open.begin.size {
            return self.complete(open).await;
        }
        let ack = ArtifactAck { capture_id: capture.clone(), artifact_id: artifact.clone(), received, complete: false };
        self.open.insert((capture, artifact), open);
        Ok(ack)
    }

    /// Bytes of an artifact. An answer comes every few megabytes and at the end, after the bytes are synced.
    pub async fn chunk(&mut self, chunk: ArtifactChunk) -> Result<Option<ArtifactAck>, CaptureError> {
        let refused = |why: &str| refusal(&chunk.capture_id, &chunk.artifact_id, why);
        let key = (chunk.capture_id.clone(), chunk.artifact_id.clone());
        let Some(open) = self.open.get_mut(&key) else {
            return Err(refused("a chunk came before its beginning"));
        };
        let length = chunk.data.len() as u64;
        if chunk.data.len() > limits::CHUNK_BYTES || open.received.saturating_add(length) > open.begin.size {
            return Err(refused("a chunk is larger than allowed, or goes beyond the size that was announced"));
        }
        if chunk.offset != open.received {
            return Err(refused("a chunk is not the one that follows"));
        }
        let sync = open.received + length >= open.acknowledged + ACK_BYTES || open.received + length == open.begin.size;
        let path = open.path.clone();
        let written = write(&path, chunk.offset, chunk.data, sync).await;
        written.map_err(|cause| CaptureError::Disk { path, cause })?;
        open.received += length;
        if open.received == open.begin.size {
            let open = self.open.remove(&key).expect("looked up above");
            return self.complete(open).await.map(Some);
        }
        if !sync {
            return Ok(None);
        }
        open.acknowledged = open.received;
        let (capture_id, artifact_id) = key;
        Ok(Some(ArtifactAck { capture_id, artifact_id, received: open.received, complete: false }))
    }

    /// All bytes are here: hashed, stored, noted; other content is thrown away and said.
    async fn complete(&mut self, open: Open) -> Result<ArtifactAck, CaptureError> {
        let Open { begin, path, .. } = open;
        let sha256 = hex::encode(&begin.sha256);
        if begin.size == 0 {
            write(&path, 0, Vec::new(), true)
                .await
                .map_err(|cause| CaptureError::Disk { path: path.clone(), cause })?;
        }
        let stored = self.store.evidence.put_file(&path, &sha256).await;
        if matches!(stored, Ok(_) | Err(EvidenceError::Hash { .. })) {
            remove(&path);
        }
        let stored = stored?;
        let row = Artifact {
            capture_id: begin.capture_id.clone(),
            artifact_id: begin.artifact_id.clone(),
            sha256: sha256.clone(),
            node: self.node.clone(),
            kind: begin.kind,
            name: begin.name,
            media_type: begin.media_type,
        };
        let body = json!({"capture_id": row.capture_id, "artifact_id": row.artifact_id, "sha256": sha256, "size": stored.size});
        self.store.journal.note("collector", Kind::Received, None, body)?;
        self.store.state.put_artifact(&row).await?;
        let (capture_id, artifact_id) = (begin.capture_id, begin.artifact_id);
        Ok(ArtifactAck { capture_id, artifact_id, received: begin.size, complete: true })
    }
}

fn refusal(capture: &str, artifact: &str, why: &str) -> CaptureError {
    CaptureError::Refused { capture: capture.to_owned(), artifact: artifact.to_owned(), why: why.to_owned() }
}

/// Ids name files of a bundle: letters, digits, `-`, `_` and `.` only, not a dot first, as the agent makes them.
fn check_name(capture: &str, artifact: &str, what: &str, name: &str) -> Result<(), CaptureError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let why = if name.is_empty() || name.len() > limits::NAME_BYTES {
        "is empty or too long"
    } else if name.starts_with('.') || !name.chars().all(allowed) {
        "is no plain name: letters, digits, '-', '_' and '.' only, and no '.' first"
    } else if name == MANIFEST_NAME {
        "is what the signed manifest is called"
    } else {
        return Ok(());
    };
    let short = |text: &str| text.chars().take(64).collect::<String>();
    Err(refusal(&short(capture), &short(artifact), &format!("{what} {why}")))
}

/// Writes at an offset and cuts what an earlier session left behind it.
async fn write(path: &Path, offset: u64, data: Vec<u8>, sync: bool) -> io::Result<()> {
    let path = path.to_owned();
    let write = move || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_len(offset)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
        file.write_all(&data)?;
        if sync { file.sync_data() } else { Ok(()) }
    };
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}

fn remove(path: &Path) {
    if let Err(cause) = std::fs::remove_file(path) {
        tracing::warn!(%cause, path = %path.display(), "an artifact's bytes stay behind");
    }
}

//! What all audit logs have in common: an object (file, chunk of a file, request body) comes in and is kept as it is, its entries are told
//! apart from those that came before, and the new ones become durable. Takes bytes and what a provider's parser made of them;
//! never changes either.

use std::sync::Arc;

use bytes::Bytes;
use collector_core::model::{AuditEntry, AuditSource};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::store::Store;
use crate::store::events::frame::{Kind, Meta};
use crate::store::events::landing::AppendError;
use crate::store::events::pack_entries;
use crate::store::evidence::EvidenceError;
use crate::store::state::StateError;

/// Entries of one frame of the landing log.
const FRAME_ENTRIES: usize = 512;

/// Size of their JSON: well below what a frame may have.
const FRAME_JSON_BYTES: usize = 4 << 20;

/// A provider's log that is read.
pub trait Audit: Send {
    /// Which log.
    fn source(&self) -> AuditSource;

    /// Takes everything that is new; the number of new entries. Called again and again.
    fn look(&mut self) -> BoxFuture<'_, Result<usize, AuditError>>;
}

/// Why an object's entries are not taken yet. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The source cannot be read.
    #[error("read {path}")]
    Source {
        /// Which file or folder.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The original cannot be kept.
    #[error("keep an audit object")]
    Evidence(#[from] EvidenceError),
    /// Its entries cannot be told apart or noted.
    #[error("index audit entries")]
    State(#[from] StateError),
    /// Its entries cannot be made durable.
    #[error("keep audit entries")]
    Append(#[from] AppendError),
    /// Its entries cannot be packed.
    #[error("pack audit entries")]
    Pack(#[source] std::io::Error),
}

/// What a parser made of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Its entries.
    pub entries: Vec<AuditEntry>,
    /// What could not be understood: where, and why.
    pub troubles: Vec<String>,
}

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    store: Store,
    clock: Clock,
    // One object after the other: two that hold the same entry must not both find it new.
    turn: Arc<Mutex<()>>,
}

impl Intake {
    /// Into this store.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, turn: Arc::default() }
    }

    /// The store that it leads to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Keeps an object and its new entries; how many were new. All is durable when it returns.
    pub async fn take(&self, object: Bytes, entries: Vec<AuditEntry>) -> Result<usize, AuditError> {
        let _turn = self.turn.lock().await;
        self.store.evidence.put(object).await?;
        let new = self.store.state.new_entries(entries).await?;
        for group in groups(&new) {
            let meta = Meta {
                kind: Kind::Audit.into(),
                received_ns: self.clock.now_ns(),
                count: group.len() as u64,
                ..Meta::default()
            };
            let payload = pack_entries(group).map_err(AuditError::Pack)?;
            let durable = self.store.events.landing().append(meta, payload.into()).await?;
            durable.await.unwrap_or(Err(AppendError::Closed))?;
            self.store.state.put_entries(group).await?;
        }
        Ok(new.len())
    }
}

/// The address of an object in the evidence store.
pub fn address(object: &[u8]) -> String {
    hex::encode(Sha256::digest(object))
}

/// Groups that fit a frame. An entry that is larger than all of one goes alone: objects are bounded.
fn groups(entries: &[AuditEntry]) -> Vec<&[AuditEntry]> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, entry) in entries.iter().enumerate() {
        let size = entry.original.to_string().len();
        if index > start && (index - start == FRAME_ENTRIES || bytes + size > FRAME_JSON_BYTES) {
            groups.push(&entries[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < entries.len() {
        groups.push(&entries[start..]);
    }
    groups
}

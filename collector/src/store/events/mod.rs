//! What nodes and clouds told, in the order in which it came. A frame is appended to the landing log ([`landing`]), becomes durable, and
//! later goes to the lake ([`compact`]): the segment as it came, and Parquet of it. Two readers: judgement, frame by frame
//! ([`reader`]), and people, by node, container, time and position ([`query`]).

pub mod compact;
pub mod cursor;
pub mod frame;
pub mod lake;
pub mod lake_audit;
pub mod landing;
pub mod query;
pub mod reader;
pub mod recover;
pub mod row;

use std::path::Path;
use std::sync::Arc;

use collector_core::model::AuditEntry;
use object_store::ObjectStore;

use super::OpenError;
use super::state::State;
use crate::config::StoreConfig;
use crate::health::Health;
use compact::Compactor;
use cursor::Cursors;
use frame::Kind;
use landing::{Landing, Writer};
use reader::Reader;

/// Entries of one audit frame, unpacked: a frame never gives more memory than this.
pub const AUDIT_BYTES: usize = 32 << 20;

/// The event store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    landing: Landing,
    objects: Arc<dyn ObjectStore>,
    state: State,
    health: Health,
    at_open: u64,
}

impl Events {
    /// Opens and recovers the landing log.
    pub async fn open(
        directory: &Path,
        objects: Arc<dyn ObjectStore>,
        state: State,
        config: &StoreConfig,
        health: Health,
    ) -> Result<(Self, Writer), OpenError> {
        let cursors = Cursors::default();
        for (key, cursor) in state.cursors().await? {
            cursors.restore(key, cursor);
        }
        let stored = state.stored_sequence().await?;
        // Entries that landed but whose ids were not yet noted when the process ended: noted now, so that they are not taken twice.
        let mut landed: Vec<AuditEntry> = Vec::new();
        let at = recover::recover(directory, stored, &cursors, |frame| {
            if frame.meta.kind() == Kind::Audit {
                landed.extend(unpack_entries(&frame.payload).unwrap_or_default());
            }
        })?;
        state.put_entries(&landed).await?;
        let at_open = at.sequence;
        let (landing, writer) = landing::open(directory, at, cursors, config.segment_bytes, health.clone());
        Ok((Self { landing, objects, state, health, at_open }, writer))
    }

    /// The landing log.
    pub fn landing(&self) -> &Landing {
        &self.landing
    }

    /// The last frame that was there when the store was opened: judgement is whole only from here on.
    pub fn sequence_at_open(&self) -> u64 {
        self.at_open
    }

    /// A reader of all frames after this one.
    pub fn reader(&self, after_sequence: u64) -> Reader {
        Reader::new(self.landing.clone(), self.objects.clone(), self.state.clone(), after_sequence)
    }

    /// What moves sealed segments to the lake.
    pub fn compactor(&self, config: &StoreConfig) -> Compactor {
        Compactor::new(
            self.landing.clone(),
            self.objects.clone(),
            self.state.clone(),
            self.health.clone(),
            config.segment_age,
        )
    }
}

/// The payload of an audit frame.
pub fn pack_entries(entries: &[AuditEntry]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(&serde_json::to_vec(entries)?, 3)
}

/// The entries of an audit frame's payload. `None`: it is not one that we wrote.
pub fn unpack_entries(payload: &[u8]) -> Option<Vec<AuditEntry>> {
    serde_json::from_slice(&zstd::bulk::decompress(payload, AUDIT_BYTES).ok()?).ok()
}

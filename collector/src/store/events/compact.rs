//! Moves sealed segments to the lake: Parquet of the events and of the audit entries, then the segment as it came, then the index, and
//! only then the landing file is removed. A crash in between repeats the segment with the same names and the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::watch;

use super::cursor::{Cursor, LogKey};
use super::frame::{Kind, Meta};
use super::lake::{Lake, LakeError};
use super::landing::Landing;
use super::recover::{self, RecoverError};
use super::{lake_audit, unpack_entries};
use crate::health::Health;
use crate::ingest::translate;
use crate::store::state::{BlockPlace, SegmentRow, State, StateError};

/// How often to look for sealed segments beside the moments when one is sealed.
const LOOK: Duration = Duration::from_secs(1);

/// Wait after a failure: the disk may be full.
const RETRY: Duration = Duration::from_secs(5);

/// Why a segment did not reach the lake. It stays in the landing log.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The landing log cannot be read.
    #[error("read the landing log")]
    Landing(#[from] RecoverError),
    /// Parquet cannot be made.
    #[error("make parquet of segment {segment}")]
    Lake {
        /// Which segment.
        segment: u64,
        /// Why not.
        #[source]
        cause: LakeError,
    },
    /// The object store refuses.
    #[error("put an object")]
    Object(#[from] object_store::Error),
    /// The database refuses.
    #[error("note a segment")]
    State(#[from] StateError),
    /// The landing file cannot be read or removed.
    #[error("segment {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
}

/// The one that moves segments.
#[derive(Debug)]
pub struct Compactor {
    landing: Landing,
    objects: Arc<dyn ObjectStore>,
    state: State,
    health: Health,
    age: Duration,
}

/// What a segment becomes.
struct Made {
    row: SegmentRow,
    events: Option<Vec<u8>>,
    audit: Option<Vec<u8>>,
    blocks: Vec<BlockPlace>,
    metas: Vec<Meta>,
}

impl Compactor {
    pub(super) fn new(
        landing: Landing,
        objects: Arc<dyn ObjectStore>,
        state: State,
        health: Health,
        age: Duration,
    ) -> Self {
        Self { landing, objects, state, health, age }
    }

    /// Moves segments until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut wait = LOOK;
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(wait) => {}
            }
            self.landing.seal(self.age).await;
            wait = match self.sealed().await {
                Ok(_) => {
                    self.health.well("lake");
                    LOOK
                }
                Err(cause) => {
                    self.health.ill("lake", &crate::say(&cause));
                    RETRY
                }
            };
        }
    }

    /// Moves every sealed segment; says how many events went to the lake.
    pub async fn sealed(&self) -> Result<u64, CompactError> {
        let mut events = 0;
        let open = *self.landing.progress().borrow();
        let segments = recover::segments(self.landing.directory())?;
        for (index, (first, path)) in segments.iter().enumerate().filter(|(_, (first, _))| *first < open.segment) {
            let next = segments.get(index + 1).map_or(open.segment, |(next, _)| *next);
            events += self.move_one(*first, path, next).await?;
        }
        Ok(events)
    }

    async fn move_one(&self, first: u64, path: &Path, next: u64) -> Result<u64, CompactError> {
        let file = path.to_owned();
        let made = tokio::task::spawn_blocking(move || make(first, &file, next))
            .await
            .expect("making Parquet does not panic: every input was checked at admission")?;
        let gone = |cause| CompactError::File { path: path.to_owned(), cause };
        let Some(made) = made else {
            return std::fs::remove_file(path).map(|()| 0).map_err(gone);
        };
        for (object, bytes) in [(&made.row.events_object, made.events), (&made.row.audit_object, made.audit)] {
            if let (Some(object), Some(bytes)) = (object, bytes) {
                self.objects.put(&ObjectPath::from(object.as_str()), bytes.into()).await?;
            }
        }
        let segment = tokio::fs::read(path).await.map_err(gone)?;
        self.objects.put(&ObjectPath::from(made.row.blocks_object.as_str()), segment.into()).await?;
        let cursors = self.cursors_after(&made.metas).await?;
        self.state.put_segment(&made.row, &made.blocks, &cursors).await?;
        std::fs::remove_file(path).map_err(gone)?;
        Ok(made.row.events)
    }

    /// Where the logs stand after a segment: the stored cursors, moved by its frames. The live ones are already further.
    async fn cursors_after(&self, metas: &[Meta]) -> Result<Vec<(LogKey, Cursor)>, StateError> {
        let mut cursors: BTreeMap<LogKey, Cursor> = self.state.cursors().await?.into_iter().collect();
        for meta in metas.iter().filter(|meta| matches!(meta.kind(), Kind::Block | Kind::Gap)) {
            cursors.entry(LogKey::of(meta)).or_default().advance(meta);
        }
        Ok(cursors.into_iter().collect())
    }
}

/// Reads a segment and makes its objects. `None`: it holds no frame.
fn make(first: u64, path: &Path, next: u64) -> Result<Option<Made>, CompactError> {
    let (frames, bytes) = recover::scan(path, next)?;
    let Some(last) = frames.last().map(|frame| frame.meta.sequence) else {
        return Ok(None);
    };
    let lake = |cause| CompactError::Lake { segment: first, cause };
    let mut row = SegmentRow {
        first_sequence: first,
        last_sequence: last,
        bytes,
        blocks_object: format!("blocks/{first:020}.landing"),
        events_object: None,
        audit_object: None,
        events: 0,
        from_ns: u64::MAX,
        to_ns: 0,
    };
    let mut file = Lake::new().map_err(lake)?;
    let mut entries = Vec::new();
    let mut blocks = Vec::new();
    for frame in &frames {
        let sequence = frame.meta.sequence;
        let told = translate::each(&frame.meta, &frame.payload, |event, wire| {
            row.events += 1;
            row.from_ns = row.from_ns.min(event.time.ns);
            row.to_ns = row.to_ns.max(event.time.ns);
            file.push(&event, sequence, wire)
        });
        told.map_err(lake)?;
        match frame.meta.kind() {
            Kind::Audit => entries.extend(unpack_entries(&frame.payload).unwrap_or_default()),
            Kind::Block => blocks.push(BlockPlace {
                key: LogKey::of(&frame.meta),
                first_position: frame.meta.first_position,
                last_position: frame.meta.last_position(),
            }),
            Kind::Gap | Kind::Unspecified => {}
        }
    }
    let events = if row.events > 0 { Some(file.finish().map_err(lake)?) } else { None };
    row.events_object = events.is_some().then(|| format!("events/{first:020}.parquet"));
    row.audit_object = (!entries.is_empty()).then(|| format!("audit/{first:020}.parquet"));
    let audit = if entries.is_empty() { None } else { Some(lake_audit::parquet(&entries).map_err(lake)?) };
    Ok(Some(Made { row, events, audit, blocks, metas: frames.into_iter().map(|frame| frame.meta).collect() }))
}

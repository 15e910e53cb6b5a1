//! Reads frames in the order in which they arrived, from the lake and then from the landing log, and waits at its end. Gives each frame
//! once; never a frame that is not synced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::watch;

use super::frame::{self, Frame, FrameError, MAGIC};
use super::landing::{Landing, Progress, segment_name};
use super::recover;
use crate::store::state::{State, StateError};

/// How much is read at once; a larger frame is read whole.
const CHUNK_BYTES: u64 = 4 << 20;

/// Why the next frames cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The landing log cannot be read.
    #[error("read segment {path}")]
    Segment {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The lake cannot be read.
    #[error("read the lake")]
    Lake(#[from] object_store::Error),
    /// The index of the lake cannot be read.
    #[error("read the index of the lake")]
    State(#[from] StateError),
    /// A frame is not what was written.
    #[error("segment {segment} at byte {offset}")]
    Damaged {
        /// The segment.
        segment: u64,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        #[source]
        cause: FrameError,
    },
    /// Neither the landing log nor the lake has the frame.
    #[error("frame {0} is in no segment")]
    Absent(u64),
}

/// A reader at its place.
#[derive(Debug)]
pub struct Reader {
    landing: Landing,
    progress: watch::Receiver<Progress>,
    objects: Arc<dyn ObjectStore>,
    state: State,
    /// The last frame that was given.
    sequence: u64,
    /// Where in which segment to read on; `None`: to be looked up.
    at: Option<(u64, u64)>,
}

/// Where a segment lies now.
enum Place {
    Landing(File),
    Lake(ObjectPath, u64),
}

impl Reader {
    pub(super) fn new(landing: Landing, objects: Arc<dyn ObjectStore>, state: State, sequence: u64) -> Self {
        let progress = landing.progress();
        Self { landing, progress, objects, state, sequence, at: None }
    }

    /// The last frame that was given.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next frames, at least one; waits for them. `None`: the landing log is closed and all has been read.
    pub async fn next(&mut self) -> Result<Option<Vec<Frame>>, ReadError> {
        loop {
            let frames = self.ready().await?;
            if !frames.is_empty() {
                return Ok(Some(frames));
            }
            if self.progress.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// The next frames that are there now; none at the end.
    pub async fn ready(&mut self) -> Result<Vec<Frame>, ReadError> {
        loop {
            let progress = *self.progress.borrow_and_update();
            if self.sequence >= progress.sequence {
                return Ok(Vec::new());
            }
            let (segment, offset) = match self.at {
                Some(at) => at,
                None => (self.segment_of(self.sequence + 1).await?, 0),
            };
            let offset = offset.max(MAGIC.len() as u64);
            let bytes = self.read(segment, offset, progress).await?;
            if bytes.is_empty() {
                self.at = Some((self.sequence + 1, 0));
                continue;
            }
            let frames = self.parse(segment, offset, &bytes)?;
            if !frames.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// Frames of `bytes` that were not given yet; moves on.
    fn parse(&mut self, segment: u64, mut offset: u64, bytes: &Bytes) -> Result<Vec<Frame>, ReadError> {
        let mut frames = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match frame::read(&bytes.slice(at..)) {
                Ok((frame, taken)) => {
                    at += taken;
                    offset += taken as u64;
                    if frame.meta.sequence > self.sequence {
                        self.sequence = frame.meta.sequence;
                        frames.push(frame);
                    }
                }
                Err(FrameError::Torn) if at > 0 => break,
                Err(cause) => return Err(ReadError::Damaged { segment, offset, cause }),
            }
        }
        self.at = Some((segment, offset));
        Ok(frames)
    }

    /// A chunk that holds at least one whole frame; empty at the segment's end.
    async fn read(&self, segment: u64, offset: u64, progress: Progress) -> Result<Bytes, ReadError> {
        let place = self.place(segment).await?;
        let end = match &place {
            Place::Landing(_) if segment == progress.segment => progress.offset,
            Place::Landing(file) => file.metadata().map_err(|cause| self.segment_error(segment, cause))?.len(),
            Place::Lake(_, length) => *length,
        };
        let mut want = CHUNK_BYTES;
        loop {
            let until = end.min(offset + want);
            if offset >= until {
                return Ok(Bytes::new());
            }
            let bytes = match &place {
                Place::Landing(file) => {
                    let mut bytes = vec![0; usize::try_from(until - offset).expect("a chunk fits in memory")];
                    file.read_exact_at(&mut bytes, offset).map_err(|cause| self.segment_error(segment, cause))?;
                    Bytes::from(bytes)
                }
                Place::Lake(object, _) => self.objects.get_range(object, offset..until).await?,
            };
            if until == end || !matches!(frame::read(&bytes), Err(FrameError::Torn)) {
                return Ok(bytes);
            }
            want = want.saturating_mul(4);
        }
    }

    /// The compactor may move it between the two looks; what is in neither place is there at the third.
    async fn place(&self, segment: u64) -> Result<Place, ReadError> {
        for _ in 0..2 {
            let path = self.landing.directory().join(segment_name(segment));
            match File::open(&path) {
                Ok(file) => return Ok(Place::Landing(file)),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(ReadError::Segment { path, cause }),
            }
            if let Some(row) = self.state.segment(segment).await? {
                return Ok(Place::Lake(ObjectPath::from(row.blocks_object), row.bytes));
            }
        }
        Err(ReadError::Absent(segment))
    }

    /// The segment that holds a frame.
    async fn segment_of(&self, sequence: u64) -> Result<u64, ReadError> {
        let landed = recover::segments(self.landing.directory()).map_err(|cause| match cause {
            recover::RecoverError::Read { path, cause } => ReadError::Segment { path, cause },
            recover::RecoverError::Missing { .. } => ReadError::Absent(sequence),
        })?;
        let stored = self.state.segments().await?;
        let firsts = landed.iter().map(|(first, _)| *first).chain(stored.iter().map(|row| row.first_sequence));
        firsts.filter(|first| *first <= sequence).max().ok_or(ReadError::Absent(sequence))
    }

    fn segment_error(&self, segment: u64, cause: io::Error) -> ReadError {
        ReadError::Segment { path: self.landing.directory().join(segment_name(segment)), cause }
    }
}

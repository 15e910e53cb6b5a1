//! The landing log: everything that arrives, in the order in which it arrived, on disk before it is acknowledged. Takes frames
//! from many sessions, writes and syncs them in groups; gives [`Durable`], which nothing else can make. Never writes a
//! position of a node's log twice.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::cursor::{Cursors, LogKey};
use super::frame::{self, Kind, Meta};
use crate::health::Health;

/// Requests that wait for the disk. A full queue makes sessions wait, and those make their nodes wait, whose logs hold the events.
const QUEUE: usize = 256;

/// Bytes that are written before one sync: larger groups cost latency and gain nothing.
const GROUP_BYTES: usize = 8 << 20;

/// Proof that a frame is on disk. Only the writer makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    // Invariant: the frame with this sequence has been synced.
    sequence: u64,
    // Invariant: all positions of the log up to this one are on disk or recorded as missing.
    position: u64,
}

impl Durable {
    /// Number of the frame in the landing log.
    pub fn sequence(self) -> u64 {
        self.sequence
    }

    /// All positions of the node's log up to this one are durable.
    pub fn position(self) -> u64 {
        self.position
    }
}

/// Why a frame was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk did not take it (full, read-only). Nothing of it is left; it may be sent again.
    #[error("write to the landing log: {0}")]
    Disk(String),
    /// Another session wrote these positions first.
    #[error("the log stands at position {next}: another session was faster")]
    Overtaken {
        /// What is expected next.
        next: u64,
    },
    /// The collector stops.
    #[error("the landing log is closed")]
    Closed,
}

/// How far the log is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The open segment, by the sequence of its first frame; sealed ones have lower numbers.
    pub segment: u64,
    /// Bytes of it that are synced.
    pub offset: u64,
    /// The last frame that is synced.
    pub sequence: u64,
}

struct Append {
    meta: Meta,
    payload: Bytes,
    reply: oneshot::Sender<Result<Durable, AppendError>>,
}

enum Request {
    Append(Box<Append>),
    Seal { older_than: Duration },
}

/// The way to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Landing {
    queue: mpsc::Sender<Request>,
    progress: watch::Receiver<Progress>,
    cursors: Cursors,
    directory: PathBuf,
}

impl Landing {
    /// Queues a frame; what comes back resolves once it is on disk, or is known not to be. Waits while the queue is full.
    pub async fn append(
        &self,
        meta: Meta,
        payload: Bytes,
    ) -> Result<oneshot::Receiver<Result<Durable, AppendError>>, AppendError> {
        let (reply, durable) = oneshot::channel();
        let request = Request::Append(Box::new(Append { meta, payload, reply }));
        self.queue.send(request).await.map_err(|_| AppendError::Closed)?;
        Ok(durable)
    }

    /// Asks for the open segment to be closed if it is older than this, so that it can be compacted.
    pub async fn seal(&self, older_than: Duration) {
        // A closed queue means that the collector stops; the segment is sealed by that.
        drop(self.queue.send(Request::Seal { older_than }).await);
    }

    /// How far the log is on disk; changes with every group.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Where each node's log stands on disk.
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Where the segments lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// File name of a segment.
pub fn segment_name(first_sequence: u64) -> String {
    format!("{first_sequence:020}.landing")
}

/// The one writer. Runs on a thread of its own because it waits for the disk.
#[derive(Debug)]
pub struct Writer {
    directory: PathBuf,
    queue: mpsc::Receiver<Request>,
    progress: watch::Sender<Progress>,
    cursors: Cursors,
    health: Health,
    segment_bytes: u64,
    open: Option<(File, Instant)>,
    at: Progress,
}

/// Opens the log for writing after [`super::recover`]; `at.sequence` is the last frame that is on disk.
pub fn open(directory: &Path, at: Progress, cursors: Cursors, segment_bytes: u64, health: Health) -> (Landing, Writer) {
    let (send, queue) = mpsc::channel(QUEUE);
    let (progress, seen) = watch::channel(at);
    let directory = directory.to_owned();
    let landing = Landing { queue: send, progress: seen, cursors: cursors.clone(), directory: directory.clone() };
    let writer = Writer { directory, queue, progress, cursors, health, segment_bytes, open: None, at };
    (landing, writer)
}

impl Writer {
    /// Writes until every [`Landing`] is dropped.
    pub fn run(mut self) {
        while let Some(request) = self.queue.blocking_recv() {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut next = Some(request);
            while let Some(request) = next {
                match request {
                    Request::Append(append) => {
                        bytes += append.payload.len();
                        group.push(*append);
                    }
                    Request::Seal { older_than } => self.seal_older(older_than, group.is_empty()),
                }
                next = if bytes < GROUP_BYTES { self.queue.try_recv().ok() } else { None };
            }
            if !group.is_empty() {
                self.commit(group);
            }
        }
    }

    fn seal_older(&mut self, age: Duration, idle: bool) {
        if idle && self.open.as_ref().is_some_and(|(_, since)| since.elapsed() >= age) {
            self.seal();
        }
    }

    /// The next frame opens a new segment. Readers see it by the progress naming a segment that does not exist yet.
    fn seal(&mut self) {
        if self.open.take().is_some() {
            self.at = Progress { segment: self.at.sequence + 1, offset: 0, sequence: self.at.sequence };
            self.progress.send_replace(self.at);
        }
    }

    fn commit(&mut self, group: Vec<Append>) {
        let mut sequence = self.at.sequence;
        let mut bytes = Vec::new();
        let mut written = Vec::new();
        let mut next = HashMap::new();
        for mut append in group {
            if let Err(refusal) = self.place(&mut next, &append.meta) {
                drop(append.reply.send(refusal));
                continue;
            }
            sequence += 1;
            append.meta.sequence = sequence;
            bytes.extend_from_slice(&frame::head(&append.meta, &append.payload));
            bytes.extend_from_slice(&append.payload);
            written.push((append.meta, append.reply));
        }
        let outcome = if written.is_empty() { Ok(()) } else { self.write(&bytes, sequence) };
        if outcome.is_ok() {
            self.cursors.advance(written.iter().map(|(meta, _)| meta));
        }
        for (meta, reply) in written {
            let answer = match &outcome {
                Ok(()) => Ok(Durable { sequence: meta.sequence, position: meta.last_position() }),
                Err(cause) => Err(AppendError::Disk(cause.to_string())),
            };
            // The session may be gone: its node reads the durable position when it comes back.
            drop(reply.send(answer));
        }
        if self.at.offset >= self.segment_bytes {
            self.seal();
        }
    }

    /// Whether this frame continues its log; `next` holds where the logs of this group will stand.
    fn place(&self, next: &mut HashMap<LogKey, u64>, meta: &Meta) -> Result<(), Result<Durable, AppendError>> {
        if !matches!(meta.kind(), Kind::Block | Kind::Gap) {
            return Ok(());
        }
        let key = LogKey::of(meta);
        let expected = next.get(&key).copied().unwrap_or_else(|| self.cursors.get(&key).next);
        if meta.last_position() < expected {
            return Err(Ok(Durable { sequence: 0, position: expected - 1 }));
        }
        let begins = if meta.kind() == Kind::Block { meta.new_from } else { meta.first_position };
        if begins != expected {
            return Err(Err(AppendError::Overtaken { next: expected }));
        }
        next.insert(key, meta.last_position() + 1);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], sequence: u64) -> io::Result<()> {
        let outcome = self.try_write(bytes);
        match &outcome {
            Ok(offset) => {
                self.at.sequence = sequence;
                self.at.offset = *offset;
                self.progress.send_replace(self.at);
                self.health.well("landing");
            }
            Err(cause) => {
                self.health.ill("landing", &format!("nothing is acknowledged: {cause}"));
                self.cut();
            }
        }
        outcome.map(|_| ())
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<u64> {
        if self.open.is_none() {
            let first = self.at.sequence + 1;
            self.at = Progress { segment: first, offset: 0, sequence: self.at.sequence };
            let file = create(&self.directory, first)?;
            self.at.offset = frame::MAGIC.len() as u64;
            self.open = Some((file, Instant::now()));
        }
        let (file, _) = self.open.as_mut().expect("opened above");
        file.write_all(bytes)?;
        file.sync_data()?;
        Ok(self.at.offset + bytes.len() as u64)
    }

    /// Takes a half-written group back. After a failed sync the pages' fate is unknown, so this segment is not written again.
    fn cut(&mut self) {
        let Some((file, _)) = self.open.take() else {
            return;
        };
        let kept = self.at.offset;
        let outcome = if kept <= frame::MAGIC.len() as u64 {
            std::fs::remove_file(self.directory.join(segment_name(self.at.segment)))
        } else {
            file.set_len(kept).and_then(|()| file.sync_all())
        };
        if let Err(cause) = outcome {
            tracing::error!(%cause, segment = self.at.segment, "a half-written group stays behind; it is cut at the next start");
        }
        self.at = Progress { segment: self.at.sequence + 1, offset: 0, sequence: self.at.sequence };
        self.progress.send_replace(self.at);
    }
}

/// A new segment with its magic, and its name durable in the directory. What a failed attempt left under this name holds no
/// synced frame, so it is overwritten.
fn create(directory: &Path, first_sequence: u64) -> io::Result<File> {
    let path = directory.join(segment_name(first_sequence));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(frame::MAGIC)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}

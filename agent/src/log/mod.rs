//! The node's one log, with two readers. Takes events; gives each a position and keeps them on disk, compressed and chained by
//! hash. The sender reads blocks from the last acknowledged position ([`Log::block_after`]); the flight recorder fixes the
//! last minutes ([`Log::seal`]). Same bytes on disk, on the wire and in the evidence.
//!
//! **What survives what.** An event is in memory until its block closes (by size, by age of 200 ms, or because a trigger asks). A
//! closed block is written at once, so it survives `kill -9` of the agent. [`Log::sync`], called a few times a second from its own
//! thread, brings blocks to the platter; the sender is given only synced blocks, so no position that the collector knows is
//! ever given again after a power cut.

pub mod block;
pub mod cursor;
pub mod disk;
mod identity;
mod index;
mod recorder;
mod recover;
mod seal;
pub mod segment;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::v1::{Block, Event, LossReason};
use tokio::sync::watch;

pub use block::{Unreadable, events};
pub use identity::{Identity, parse_id};
pub use seal::SealedRange;

use crate::clock::{Clock, Moment, nanoseconds};
use cursor::Cursor;
use disk::Disk;
use index::Since;
use recorder::Recorder;

/// How the log is kept.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Where segments lie. Made if absent.
    pub folder: PathBuf,
    /// All segments together.
    pub max_bytes: u64,
    /// How long events stay after they were delivered.
    pub max_age: Duration,
    /// Raw bytes at which a block closes.
    pub block_bytes: usize,
    /// Age at which a block closes.
    pub block_age: Duration,
    /// zstd level.
    pub level: i32,
    /// Whether somebody reads the log to deliver it: then what was not acknowledged is kept as long as there is room, and is a loss
    /// when there is none.
    pub awaits_sender: bool,
}

/// What the log counted since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events that got a position.
    pub events: u64,
    /// Bytes of closed blocks before compression.
    pub raw_bytes: u64,
    /// Bytes of blocks on disk.
    pub written_bytes: u64,
    /// Writes, creations and removals that the kernel refused.
    pub write_failures: u64,
    /// Events dropped unsent or unwritten.
    pub dropped_events: u64,
    /// Segments that the bounds took.
    pub dropped_segments: u64,
    /// Blocks whose bytes on disk were not what was written.
    pub damaged_blocks: u64,
}

/// Why the log cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder, its identity or a segment.
    #[error("open the log in {folder}")]
    Open {
        /// The log's folder.
        folder: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// A segment that the index names.
    #[error("read segment {path}")]
    Read {
        /// The segment.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

/// The log, shared by those who append, send and seal. Cheap to clone; all calls are short, and none waits for another thread's
/// disk.
#[derive(Debug, Clone)]
pub struct Log {
    recorder: Arc<Mutex<Recorder>>,
    disk: Arc<dyn Disk>,
    synced: Arc<watch::Sender<u64>>,
    identity: Identity,
    clock: Clock,
}

/// What respond and deliver know the log by.
pub type LogHandle = Log;

impl Log {
    /// Opens the log of a folder or begins one. What an earlier agent lost becomes the first events.
    pub fn open(options: LogOptions, boot_id: [u8; 16], clock: &Clock) -> Result<Self, LogError> {
        Self::open_on(options, boot_id, clock, Arc::new(disk::NodeDisk))
    }

    /// [`Log::open`] on another disk.
    pub fn open_on(
        options: LogOptions,
        boot_id: [u8; 16],
        clock: &Clock,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, LogError> {
        let folder = options.folder.clone();
        let open = || -> io::Result<Self> {
            std::fs::create_dir_all(&options.folder)?;
            let (identity, unclean) = Identity::take(&options.folder, boot_id)?;
            let recovered = recover::recover(&options.folder, identity.log_id)?;
            if recovered.foreign > 0 {
                tracing::warn!(segments = recovered.foreign, "segments of another log are left alone");
            }
            let last_ns = recovered.last_ns;
            let torn = !recovered.losses.is_empty();
            let cursor = Cursor::open(options.folder.join("cursor"), &identity.log_id_text());
            let synced = Arc::new(watch::Sender::new(recovered.last_position));
            let mut recorder =
                Recorder::new(options, identity.clone(), recovered, cursor, Arc::clone(&disk), clock.clone())?;
            if unclean && !torn {
                // The open block of an agent that was killed: nobody can say how many events it had.
                recorder.owe(LossReason::TornWrite, last_ns, clock.now().wall_ns, 0, 0, 0);
            }
            recorder.tick();
            Ok(Self { recorder: Arc::new(Mutex::new(recorder)), disk, synced, identity, clock: clock.clone() })
        };
        open().map_err(|cause| LogError::Open { folder, cause })
    }

    /// Gives one event its position and takes it in.
    pub fn append(&self, event: &mut Event) -> u64 {
        self.lock().append(event)
    }

    /// Takes in many events under one lock; each gets its position.
    pub fn append_all(&self, events: &mut [Event]) {
        let mut recorder = self.lock();
        for event in events {
            recorder.append(event);
        }
    }

    /// Closes an aged block, retries what the disk did not take, holds the bounds. To be called every few tens of milliseconds.
    pub fn tick(&self) {
        self.lock().tick();
    }

    /// Closes the open block now.
    pub fn close_block(&self) {
        self.lock().close_block();
    }

    /// Brings what was written to the platter and lets the sender have it. Slow: for a thread of its own.
    pub fn sync(&self) {
        let Some((files, position)) = self.lock().take_unsynced() else { return };
        let failed = files.iter().filter(|file| self.disk.sync(file).is_err()).count();
        let mut recorder = self.lock();
        // A failed sync cannot be repeated (the kernel forgets the pages), and holding the blocks back would only keep them from the
        // one place where they are safe.
        recorder.counters.write_failures += failed as u64;
        recorder.synced = recorder.synced.max(position);
        let synced = recorder.synced;
        drop(recorder);
        self.synced.send_replace(synced);
    }

    /// Wakes when more can be sent; the value is the last position that can.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.synced.subscribe()
    }

    /// The first synced block with an event after `position`, as it lies on disk. Damaged blocks are counted, reported as a loss
    /// and passed over.
    pub fn block_after(&self, position: u64) -> Result<Option<Block>, LogError> {
        loop {
            let (file, path, entry) = {
                let recorder = self.lock();
                let Some((segment, entry)) = recorder.index.after(position) else { return Ok(None) };
                if entry.last_position() > recorder.synced {
                    return Ok(None);
                }
                // Opened under the lock: afterwards the bounds may remove the name, but not the file.
                let path = segment.path.clone();
                let file = File::open(&path).map_err(|cause| LogError::Read { path: path.clone(), cause })?;
                (file, path, entry)
            };
            let mut bytes = vec![0; entry.bytes as usize];
            file.read_exact_at(&mut bytes, entry.offset).map_err(|cause| LogError::Read { path, cause })?;
            match segment::read_block(&bytes) {
                Ok(block) => return Ok(Some(wire(&block))),
                Err(damage) => {
                    tracing::error!(position = entry.first_position, %damage, "a block of the log is damaged");
                    let mut recorder = self.lock();
                    let (first, last) = (entry.first_position, entry.last_position());
                    recorder.counters.damaged_blocks += 1;
                    recorder.index.forget(first);
                    recorder.owe(LossReason::TornWrite, entry.first_ns, entry.last_ns, first, last, entry.count.into());
                }
            }
        }
    }

    /// Fixes the events of the last `span` up to this moment. The open block is closed first, so the event that fired a trigger
    /// is in it.
    pub fn seal(&self, span: Duration) -> Result<SealedRange, LogError> {
        let mut recorder = self.lock();
        let since = Since::before(self.clock.now(), span);
        recorder.seal(since).map_err(|cause| LogError::Read { path: recorder.options.folder.clone(), cause })
    }

    /// Notes that everything up to `position` is durable at the collector.
    pub fn acknowledge(&self, position: u64) {
        let mut recorder = self.lock();
        let position = position.min(recorder.newest());
        let id = self.identity.log_id_text();
        if recorder.cursor.advance(position, &id).is_err() {
            recorder.counters.write_failures += 1;
        }
    }

    /// Last acknowledged position.
    pub fn acknowledged(&self) -> u64 {
        self.lock().cursor.position()
    }

    /// Goes on after `position`: the collector has more of this log than this disk kept.
    pub fn skip_to(&self, position: u64) {
        self.lock().skip_to(position);
    }

    /// Position of the oldest event still in the log; 0 where there is none.
    pub fn oldest(&self) -> u64 {
        self.lock().index.oldest().map_or(0, |entry| entry.first_position)
    }

    /// Position of the newest event; 0 where there is none.
    pub fn newest(&self) -> u64 {
        self.lock().newest()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.lock().index.bytes()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// Which log this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Writes and syncs everything and marks the end as intended: the next agent need not report an open block as lost.
    pub fn finish(&self) {
        let mut recorder = self.lock();
        recorder.tick();
        recorder.close_block();
        let folder = recorder.options.folder.clone();
        drop(recorder);
        self.sync();
        if let Err(error) = Identity::mark_finished(&folder) {
            tracing::warn!(%error, "the log's end could not be marked");
        }
    }

    /// A thread that panicked while it held the lock left a recorder whose next step is still a whole one: every change of it
    /// is made after the disk has answered.
    fn lock(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Since {
    fn before(now: Moment, span: Duration) -> Self {
        let span = nanoseconds(span);
        Self { wall_ns: now.wall_ns.saturating_sub(span), boot_ns: now.boot_ns.saturating_sub(span) }
    }
}

fn wire(block: &segment::BlockBytes<'_>) -> Block {
    Block {
        first_position: block.frame.first_position,
        count: block.frame.count,
        payload: block.payload.to_vec().into(),
        raw_bytes: block.frame.raw_bytes,
        previous: block.frame.previous.to_vec(),
        link: block.frame.link.to_vec(),
    }
}

#[cfg(test)]
mod tests;

//! The writer of the log. Takes events; gives them positions and puts them on disk in blocks, within the bounds of size and age.
//! A disk that takes nothing is counted and waited for with bounded memory; what had to be dropped becomes a loss event as soon
//! as the log can be written again. Never panics on what the disk says, and never blocks for longer than one write.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use proto::link::Link;
use proto::v1::{Event, Loss, LossReason};

use super::block::{Builder, Closed, Compressor};
use super::cursor::Cursor;
use super::disk::Disk;
use super::index::{Entry, Index, Segment, Since};
use super::recover::{EXTENSION, Recovered};
use super::seal::{Part, SealedRange};
use super::segment::{HEADER_BYTES, Header};
use super::{Counters, Identity, LogOptions};
use crate::clock::{Clock, Moment, nanoseconds};
use crate::loss::{self, ALL};

/// Blocks that wait in memory while the disk takes nothing. Beyond it the oldest goes: the newest are what a trigger seals.
const PENDING_BYTES: usize = 8 << 20;

/// A segment is begun anew after this part of the size bound, so that dropping the oldest frees little and often …
const SEGMENTS_BY_SIZE: u64 = 32;
/// … and after this part of the age bound.
const SEGMENTS_BY_AGE: u32 = 12;
const SEGMENT_BYTES_MIN: u64 = 64 << 10;
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) options: LogOptions,
    pub(super) identity: Identity,
    pub(super) index: Index,
    pub(super) cursor: Cursor,
    pub(super) counters: Counters,
    /// Last position that a sync covers: the sender goes so far and no further.
    pub(super) synced: u64,
    disk: Arc<dyn Disk>,
    clock: Clock,
    builder: Builder,
    compressor: Compressor,
    opened_boot_ns: u64,
    next_position: u64,
    /// Link of the last closed block.
    link: Link,
    pending: VecDeque<Closed>,
    pending_bytes: usize,
    active: Option<Active>,
    written: u64,
    unsynced: Vec<Arc<File>>,
    /// Losses that wait for a log that can be written.
    owed: Vec<Loss>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Active {
    file: Arc<File>,
    bytes: u64,
    begun_boot_ns: u64,
}

impl Recorder {
    pub(super) fn new(
        options: LogOptions,
        identity: Identity,
        recovered: Recovered,
        cursor: Cursor,
        disk: Arc<dyn Disk>,
        clock: Clock,
    ) -> std::io::Result<Self> {
        // The cursor is ahead where segments were removed by hand: their positions are not given twice.
        let last = recovered.last_position.max(cursor.position());
        Ok(Self {
            builder: Builder::new(options.block_bytes),
            compressor: Compressor::new(options.level)?,
            options,
            identity,
            index: recovered.index,
            cursor,
            counters: Counters::default(),
            synced: recovered.last_position,
            disk,
            clock,
            opened_boot_ns: 0,
            next_position: last + 1,
            link: recovered.link,
            pending: VecDeque::new(),
            pending_bytes: 0,
            active: None,
            written: last,
            unsynced: Vec::new(),
            owed: recovered.losses,
        })
    }

    /// Gives the event its position and takes it in. An oversize event is a loss and gets no position (0).
    pub(super) fn append(&mut self, event: &mut Event) -> u64 {
        event.position = self.next_position;
        if self.builder.is_empty() {
            self.opened_boot_ns = self.clock.now().boot_ns;
        }
        if self.builder.push(event).is_err() {
            event.position = 0;
            self.owe(LossReason::Oversize, event.time_ns, event.time_ns, 0, 0, 1);
            return 0;
        }
        self.next_position += 1;
        self.counters.events += 1;
        if self.builder.is_full() {
            self.close_block();
        }
        event.position
    }

    /// What has to happen as time goes by.
    pub(super) fn tick(&mut self) {
        let now = self.clock.now();
        let age = now.boot_ns.saturating_sub(self.opened_boot_ns);
        if !self.builder.is_empty() && age >= nanoseconds(self.options.block_age) {
            self.close_block();
        } else if !self.pending.is_empty() {
            self.write_pending();
        }
        self.enforce_bounds(now);
        self.pay_owed();
    }

    /// Closes the open block and tries to write it.
    pub(super) fn close_block(&mut self) {
        if let Some(closed) = self.builder.close(&self.link, &mut self.compressor) {
            self.link = closed.frame.link;
            self.counters.raw_bytes += u64::from(closed.frame.raw_bytes);
            self.pending_bytes += closed.bytes.len();
            self.pending.push_back(closed);
        }
        self.write_pending();
    }

    /// Fixes the blocks of the last minutes.
    pub(super) fn seal(&mut self, since: Since) -> std::io::Result<SealedRange> {
        self.close_block();
        let mut parts = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        let mut previous = None;
        for (segment, run) in self.index.since(since) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let file = File::open(&segment.path)?;
            if previous.is_none() {
                previous = Some(previous_of(&file, first, segment)?);
            }
            let bytes = last.offset + u64::from(last.bytes) - first.offset;
            parts.push(Part::File { file: Arc::new(file), offset: first.offset, bytes });
            entries.extend(run);
        }
        let now = self.clock.now();
        for closed in &self.pending {
            previous.get_or_insert(closed.frame.previous);
            entries.push(Entry::new(&closed.frame, 0, Some(now.boot_ns)));
            parts.push(Part::Memory(closed.bytes.as_slice().into()));
        }
        let first_position = entries.first().map_or(0, |entry| entry.first_position);
        let header = Header {
            log_id: self.identity.log_id,
            boot_id: self.identity.boot_id,
            first_position,
            created_ns: now.wall_ns,
            previous: previous.unwrap_or(self.link),
        };
        Ok(SealedRange {
            header,
            first_position,
            last_position: entries.last().map_or(0, Entry::last_position),
            from_ns: entries.iter().map(|entry| entry.first_ns).min().unwrap_or(0),
            to_ns: entries.iter().map(|entry| entry.last_ns).max().unwrap_or(0),
            blocks: entries.len(),
            parts,
        })
    }

    /// The files written since the last sync, and the position that syncing them covers.
    pub(super) fn take_unsynced(&mut self) -> Option<(Vec<Arc<File>>, u64)> {
        (self.synced < self.written).then(|| (std::mem::take(&mut self.unsynced), self.written))
    }

    /// Last position that was given to an event.
    pub(super) fn newest(&self) -> u64 {
        self.next_position - 1
    }

    /// Goes on after `position` where the collector has more of this log than the disk kept: positions it knows are not given again.
    pub(super) fn skip_to(&mut self, position: u64) {
        if position <= self.newest() {
            return;
        }
        self.close_block();
        let now = self.clock.now().wall_ns;
        self.owe(LossReason::TornWrite, now, now, self.next_position, position, 0);
        self.next_position = position + 1;
    }

    /// Notes a loss; it becomes an event when the log can be written. Losses of one reason that wait are joined.
    pub(super) fn owe(&mut self, reason: LossReason, from_ns: u64, to_ns: u64, first: u64, last: u64, count: u64) {
        if let Some(loss) = self.owed.iter_mut().find(|loss| loss.reason() == reason && loss.last_position + 1 >= first)
        {
            loss.count += count;
            loss.from_ns = loss.from_ns.min(from_ns);
            loss.to_ns = loss.to_ns.max(to_ns);
            loss.last_position = loss.last_position.max(last);
            return;
        }
        let mut loss = Loss { class: ALL.to_owned(), count, from_ns, to_ns, ..Loss::default() };
        (loss.first_position, loss.last_position) = (first, last);
        loss.set_reason(reason);
        self.owed.push(loss);
    }

    fn pay_owed(&mut self) {
        if self.owed.is_empty() || !self.pending.is_empty() {
            return;
        }
        for loss in std::mem::take(&mut self.owed) {
            let mut event = loss::event(&self.clock, loss);
            self.append(&mut event);
        }
    }

    fn write_pending(&mut self) {
        while let Some(closed) = self.pending.pop_front() {
            match self.write(&closed) {
                Ok(()) => self.pending_bytes -= closed.bytes.len(),
                Err(error) => {
                    if self.counters.write_failures == 0 {
                        tracing::error!(%error, folder = %self.options.folder.display(), "the log cannot be written");
                    }
                    self.counters.write_failures += 1;
                    self.pending.push_front(closed);
                    self.drop_pending();
                    return;
                }
            }
        }
    }

    fn write(&mut self, closed: &Closed) -> std::io::Result<()> {
        let now = self.clock.now();
        if self.must_begin(closed, now) {
            self.begin_segment(closed, now)?;
        }
        let active = self.active.as_mut().expect("a segment was begun above");
        self.disk.write_at(&active.file, &closed.bytes, active.bytes)?;
        self.index.push_block(Entry::new(&closed.frame, active.bytes, Some(now.boot_ns)));
        active.bytes += closed.bytes.len() as u64;
        self.counters.written_bytes += closed.bytes.len() as u64;
        self.written = closed.frame.last_position();
        if !self.unsynced.iter().any(|file| Arc::ptr_eq(file, &active.file)) {
            self.unsynced.push(Arc::clone(&active.file));
        }
        self.enforce_bounds(now);
        Ok(())
    }

    fn must_begin(&self, closed: &Closed, now: Moment) -> bool {
        let Some(active) = &self.active else { return true };
        let limit = (self.options.max_bytes / SEGMENTS_BY_SIZE).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        let age = nanoseconds(self.options.max_age / SEGMENTS_BY_AGE);
        // After dropped blocks neither positions nor links follow: within a segment they always do.
        active.bytes + closed.bytes.len() as u64 > limit
            || now.boot_ns.saturating_sub(active.begun_boot_ns) > age
            || closed.frame.first_position != self.written + 1
    }

    fn begin_segment(&mut self, closed: &Closed, now: Moment) -> std::io::Result<()> {
        let header = Header {
            log_id: self.identity.log_id,
            boot_id: self.identity.boot_id,
            first_position: closed.frame.first_position,
            created_ns: now.wall_ns,
            previous: closed.frame.previous,
        };
        let path = self.options.folder.join(format!("{:020}.{EXTENSION}", header.first_position));
        let file = self.disk.create(&path)?;
        self.disk.write_at(&file, &header.encode(), 0)?;
        let bytes = HEADER_BYTES as u64;
        self.index.push_segment(Segment { path, bytes, previous: header.previous, entries: Vec::new() });
        self.active = Some(Active { file: Arc::new(file), bytes, begun_boot_ns: now.boot_ns });
        Ok(())
    }

    /// Holds the memory bound while the disk takes nothing.
    fn drop_pending(&mut self) {
        while self.pending_bytes > PENDING_BYTES {
            let Some(closed) = self.pending.pop_front() else { return };
            self.pending_bytes -= closed.bytes.len();
            let frame = closed.frame;
            self.counters.dropped_events += u64::from(frame.count);
            let last = frame.last_position();
            self.owe(
                LossReason::LogWrite,
                frame.first_ns,
                frame.last_ns,
                frame.first_position,
                last,
                frame.count.into(),
            );
        }
    }

    /// Drops the oldest segments that are over the bounds. The segment that is written to always stays.
    fn enforce_bounds(&mut self, now: Moment) {
        while self.index.segments() > 1 {
            let Some(oldest) = self.index.first_segment() else { return };
            let over_size = self.index.bytes() > self.options.max_bytes;
            let since = Since::before(now, self.options.max_age);
            let aged = oldest.entries.last().is_none_or(|entry| !entry.is_since(since));
            // Age spares what was not delivered: only the size bound may take it.
            let delivered = oldest.last_position().is_none_or(|last| last <= self.cursor.position());
            if !over_size && !(aged && (delivered || !self.options.awaits_sender)) {
                return;
            }
            if let Err(error) = std::fs::remove_file(&oldest.path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                self.counters.write_failures += 1;
                return;
            }
            let dropped = self.index.remove_first_segment();
            self.count_dropped(dropped);
        }
    }

    fn count_dropped(&mut self, segment: Option<Segment>) {
        self.counters.dropped_segments += 1;
        let unsent = self.cursor.position() + 1;
        for entry in segment.into_iter().flat_map(|segment| segment.entries) {
            let (first, last) = (entry.first_position.max(unsent), entry.last_position());
            if self.options.awaits_sender && first <= last {
                self.counters.dropped_events += last - first + 1;
                self.owe(LossReason::LogFull, entry.first_ns, entry.last_ns, first, last, last - first + 1);
            }
        }
    }
}

/// The link before a block that is to open a recording.
fn previous_of(file: &File, first: &Entry, segment: &Segment) -> std::io::Result<Link> {
    use std::os::unix::fs::FileExt;
    let mut frame = [0; super::segment::FRAME_BYTES];
    file.read_exact_at(&mut frame, first.offset)?;
    Ok(super::segment::Frame::decode(&frame).map_or(segment.previous, |frame| frame.previous))
}

//! What lies where in the log. Takes segments and blocks as they are written or found; gives the block after a position, the
//! blocks of the last minutes, and the oldest segment to drop. In memory only: about 60 bytes a block, 3 MiB for a full log.

use std::collections::VecDeque;
use std::path::PathBuf;

use proto::link::Link;

use super::segment::{FRAME_BYTES, Frame};

/// One block in a segment's file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) offset: u64,
    /// Frame and payload.
    pub(super) bytes: u32,
    pub(super) first_position: u64,
    pub(super) count: u32,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// Boot time at which this agent closed the block; absent on a block that an earlier agent wrote. The wall clock can be moved by
    /// whoever wants the last minutes to look old.
    pub(super) closed_boot_ns: Option<u64>,
}

impl Entry {
    pub(super) fn new(frame: &Frame, offset: u64, closed_boot_ns: Option<u64>) -> Self {
        Self {
            offset,
            bytes: frame.payload_bytes + u32::try_from(FRAME_BYTES).expect("a frame is 112 bytes"),
            first_position: frame.first_position,
            count: frame.count,
            first_ns: frame.first_ns,
            last_ns: frame.last_ns,
            closed_boot_ns,
        }
    }

    pub(super) fn last_position(&self) -> u64 {
        self.first_position + u64::from(self.count) - 1
    }

    /// Whether the block reaches into the time since `since`.
    pub(super) fn is_since(&self, since: Since) -> bool {
        match self.closed_boot_ns {
            Some(boot_ns) => boot_ns >= since.boot_ns,
            None => self.last_ns >= since.wall_ns,
        }
    }
}

/// The begin of a span that reaches to now, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    pub(super) wall_ns: u64,
    pub(super) boot_ns: u64,
}

/// One segment's file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) previous: Link,
    pub(super) entries: Vec<Entry>,
}

impl Segment {
    pub(super) fn last_position(&self) -> Option<u64> {
        self.entries.last().map(Entry::last_position)
    }
}

/// All segments, oldest first.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: VecDeque<Segment>,
    bytes: u64,
}

impl Index {
    pub(super) fn push_segment(&mut self, segment: Segment) {
        self.bytes += segment.bytes;
        self.segments.push_back(segment);
    }

    /// Notes a block at the end of the newest segment.
    pub(super) fn push_block(&mut self, entry: Entry) {
        let segment = self.segments.back_mut().expect("a block is written to a segment that was pushed before");
        segment.bytes += u64::from(entry.bytes);
        self.bytes += u64::from(entry.bytes);
        segment.entries.push(entry);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    pub(super) fn first_segment(&self) -> Option<&Segment> {
        self.segments.front()
    }

    pub(super) fn remove_first_segment(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.bytes -= segment.bytes;
        Some(segment)
    }

    pub(super) fn oldest(&self) -> Option<&Entry> {
        self.segments.iter().find_map(|segment| segment.entries.first())
    }

    /// The first block that has an event after `position`, and its segment.
    pub(super) fn after(&self, position: u64) -> Option<(&Segment, Entry)> {
        let at = self.segments.partition_point(|segment| segment.last_position().is_none_or(|last| last <= position));
        self.segments.range(at..).find_map(|segment| {
            let block = segment.entries.partition_point(|entry| entry.last_position() <= position);
            segment.entries.get(block).map(|entry| (segment, *entry))
        })
    }

    /// Forgets a block that turned out to be damaged, so that a reader comes to the one after it.
    pub(super) fn forget(&mut self, first_position: u64) {
        for segment in &mut self.segments {
            segment.entries.retain(|entry| entry.first_position != first_position);
        }
    }

    /// The blocks since a moment, as runs in files: walked back from the newest to the first one that is too old, so that what is
    /// given has no holes that the log does not have.
    pub(super) fn since(&self, since: Since) -> Vec<(&Segment, Vec<Entry>)> {
        let mut runs = Vec::new();
        for segment in self.segments.iter().rev() {
            let old = segment.entries.iter().rposition(|entry| !entry.is_since(since));
            let from = old.map_or(0, |at| at + 1);
            let run: Vec<Entry> = segment.entries.iter().skip(from).copied().collect();
            if !run.is_empty() {
                runs.push((segment, run));
            }
            if old.is_some() {
                break;
            }
        }
        runs.reverse();
        runs
    }
}

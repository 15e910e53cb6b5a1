//! What an earlier agent left. Takes the log's folder; gives the index, the place to go on from, and what did not survive.
//! A tail that a crash tore is cut off; everything before it is kept. Never fails on damaged bytes, only where the folder itself
//! cannot be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use proto::link::{GENESIS, Link};
use proto::v1::{Loss, LossReason};

use super::index::{Entry, Index, Segment};
use super::segment::{Damage, FRAME_BYTES, Frame, HEADER_BYTES, Header};
use crate::loss::ALL;

/// The end of segment file names.
pub(super) const EXTENSION: &str = "seg";

/// How one segment is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Frames only: an older segment was whole when the next one was begun, and the sender verifies each payload as it reads it.
    Frames,
    /// Payloads against their links: the last segment, the only one that a crash can tear.
    Payloads,
}

/// An earlier log, as far as it is whole.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) link: Link,
    pub(super) last_position: u64,
    /// Wall time of the last event; 0 where there is none.
    pub(super) last_ns: u64,
    pub(super) losses: Vec<Loss>,
    /// Files of this folder that are not segments of this log; left alone.
    pub(super) foreign: usize,
}

/// The names of all segments, oldest first. File names are positions with leading zeros, so their order is the log's.
pub(super) fn segment_paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The log that the newest readable segment belongs to.
pub(super) fn log_id_of_segments(folder: &Path) -> io::Result<Option<[u8; 16]>> {
    let found = segment_paths(folder)?.iter().rev().find_map(|path| {
        let mut head = [0; HEADER_BYTES];
        File::open(path).and_then(|file| file.read_exact_at(&mut head, 0)).ok()?;
        Some(Header::decode(&head).ok()?.log_id)
    });
    Ok(found)
}

/// Reads the folder of the log `log_id`.
pub(super) fn recover(folder: &Path, log_id: [u8; 16]) -> io::Result<Recovered> {
    let mut recovered = Recovered {
        index: Index::default(),
        link: GENESIS,
        last_position: 0,
        last_ns: 0,
        losses: Vec::new(),
        foreign: 0,
    };
    let paths = segment_paths(folder)?;
    for (at, path) in paths.iter().enumerate() {
        let depth = if at + 1 == paths.len() { Depth::Payloads } else { Depth::Frames };
        let file = File::options().read(true).write(true).open(path)?;
        let walk = walk(&file, depth)?;
        if walk.header.as_ref().is_some_and(|header| header.log_id != log_id) {
            recovered.foreign += 1;
            continue;
        }
        if walk.damage.is_some() {
            recovered.losses.push(lost(&walk, depth));
            file.set_len(walk.good_bytes)?;
        }
        recovered.take(walk, path)?;
    }
    Ok(recovered)
}

impl Recovered {
    fn take(&mut self, walk: Walk, path: &Path) -> io::Result<()> {
        let Some(last) = walk.entries.last().copied() else {
            // A header and no block: the crash came between them.
            return std::fs::remove_file(path);
        };
        self.link = walk.link;
        self.last_position = self.last_position.max(last.last_position());
        self.last_ns = last.last_ns;
        self.index.push_segment(Segment {
            path: path.to_owned(),
            bytes: walk.good_bytes,
            previous: walk.header.map_or(GENESIS, |header| header.previous),
            entries: walk.entries,
        });
        Ok(())
    }
}

/// One segment, walked from block to block.
#[derive(Debug)]
struct Walk {
    header: Option<Header>,
    entries: Vec<Entry>,
    link: Link,
    good_bytes: u64,
    damage: Option<Damage>,
    /// The frame of the damaged block, where at least that is whole.
    damaged_frame: Option<Frame>,
}

fn walk(file: &File, depth: Depth) -> io::Result<Walk> {
    let length = file.metadata()?.len();
    let mut walk =
        Walk { header: None, entries: Vec::new(), link: GENESIS, good_bytes: 0, damage: None, damaged_frame: None };
    match Header::decode(&read_up_to(file, 0, HEADER_BYTES)?) {
        Ok(header) => {
            walk.link = header.previous;
            walk.good_bytes = HEADER_BYTES as u64;
            walk.header = Some(header);
        }
        Err(damage) => {
            walk.damage = (length > 0).then_some(damage);
            return Ok(walk);
        }
    }
    while walk.good_bytes < length && walk.damage.is_none() {
        step(file, &mut walk, length, depth)?;
    }
    Ok(walk)
}

/// Takes one block, or the damage that stands in its place.
fn step(file: &File, walk: &mut Walk, length: u64, depth: Depth) -> io::Result<()> {
    let offset = walk.good_bytes;
    let frame = match Frame::decode(&read_up_to(file, offset, FRAME_BYTES)?) {
        Ok(frame) => frame,
        Err(damage) => {
            walk.damage = Some(damage);
            return Ok(());
        }
    };
    let entry = Entry::new(&frame, offset, None);
    let end = offset + u64::from(entry.bytes);
    let damage = if end > length {
        Some(Damage::CutOff)
    } else if depth == Depth::Payloads {
        let payload = read_up_to(file, offset + FRAME_BYTES as u64, frame.payload_bytes as usize)?;
        frame.verify(&payload).err()
    } else {
        None
    };
    if damage.is_some() {
        (walk.damage, walk.damaged_frame) = (damage, Some(frame));
    } else {
        walk.good_bytes = end;
        walk.link = frame.link;
        walk.entries.push(entry);
    }
    Ok(())
}

fn read_up_to(file: &File, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// A tail's positions are given again, for nothing of it ever left the node (the sender waits for the sync); so they name
/// nothing. Those of an older segment are never given again.
fn lost(walk: &Walk, depth: Depth) -> Loss {
    let mut loss = Loss { class: ALL.to_owned(), ..Loss::default() };
    loss.set_reason(LossReason::TornWrite);
    if let Some(last) = walk.entries.last() {
        (loss.from_ns, loss.to_ns) = (last.last_ns, last.last_ns);
    }
    if let Some(frame) = &walk.damaged_frame {
        loss.count = u64::from(frame.count);
        (loss.from_ns, loss.to_ns) = (frame.first_ns, frame.last_ns);
        if depth == Depth::Frames {
            (loss.first_position, loss.last_position) = (frame.first_position, frame.last_position());
        }
    }
    loss
}

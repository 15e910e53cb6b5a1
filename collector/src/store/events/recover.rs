//! What a start finds on disk. Takes the landing directory and how far it is in the lake; cuts what a crash left half-written, moves
//! the cursors to where the disk is, and says where to write on. Never removes a frame that was synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::cursor::Cursors;
use super::frame::{self, Frame, MAGIC};
use super::landing::Progress;

/// Why the landing log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The disk says no.
    #[error("read the landing log at {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        cause: io::Error,
    },
    /// A frame in the middle is not what was written. A person has to look: it is evidence.
    #[error(
        "{path} ends at frame {last}, but the next segment begins with {next}: frames in between are damaged or missing"
    )]
    Missing {
        /// The segment.
        path: PathBuf,
        /// Its last readable frame.
        last: u64,
        /// The first frame of the segment after it.
        next: u64,
    },
}

/// Opens the log: `stored` is the last frame that is in the lake.
pub fn recover(
    directory: &Path,
    stored: u64,
    cursors: &Cursors,
    mut each: impl FnMut(&Frame),
) -> Result<Progress, RecoverError> {
    let segments = segments(directory)?;
    let mut last = stored;
    for (index, (first, path)) in segments.iter().enumerate() {
        let next = segments.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
        if next <= stored.saturating_add(1) && next != u64::MAX {
            std::fs::remove_file(path).map_err(|cause| read_error(path, cause))?;
            continue;
        }
        let (frames, length) = scan(path, next)?;
        let end = frames.last().map_or(first.saturating_sub(1), |frame| frame.meta.sequence);
        if end <= stored {
            std::fs::remove_file(path).map_err(|cause| read_error(path, cause))?;
            continue;
        }
        if *first > last.saturating_add(1) {
            return Err(RecoverError::Missing { path: path.clone(), last, next: *first });
        }
        cut(path, length)?;
        for frame in frames.iter().filter(|frame| frame.meta.sequence > stored) {
            cursors.advance(std::iter::once(&frame.meta));
            each(frame);
        }
        last = end;
    }
    sync(directory)?;
    Ok(Progress { segment: last + 1, offset: 0, sequence: last })
}

/// The segments on disk, by the sequence of their first frame.
pub fn segments(directory: &Path) -> Result<Vec<(u64, PathBuf)>, RecoverError> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|cause| read_error(directory, cause))? {
        let path = entry.map_err(|cause| read_error(directory, cause))?.path();
        if path.extension().is_some_and(|extension| extension == "landing")
            && let Some(first) = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
        {
            segments.push((first, path));
        }
    }
    segments.sort();
    Ok(segments)
}

/// The frames of a segment up to the first that is not whole or that a later segment holds, and the bytes they take.
pub fn scan(path: &Path, next: u64) -> Result<(Vec<Frame>, u64), RecoverError> {
    let bytes = Bytes::from(std::fs::read(path).map_err(|cause| read_error(path, cause))?);
    let mut frames = Vec::new();
    if !bytes.starts_with(MAGIC) {
        return Ok((frames, 0));
    }
    let mut at = MAGIC.len();
    while let Ok((frame, taken)) = frame::read(&bytes.slice(at..)) {
        if frame.meta.sequence >= next {
            break;
        }
        at += taken;
        frames.push(frame);
    }
    Ok((frames, at as u64))
}

fn cut(path: &Path, length: u64) -> Result<(), RecoverError> {
    let file = OpenOptions::new().write(true).open(path).map_err(|cause| read_error(path, cause))?;
    let before = file.metadata().map_err(|cause| read_error(path, cause))?.len();
    if before != length {
        tracing::warn!(path = %path.display(), bytes = before - length, "cut a half-written tail that was never acknowledged");
        file.set_len(length).and_then(|()| file.sync_all()).map_err(|cause| read_error(path, cause))?;
    }
    Ok(())
}

fn sync(directory: &Path) -> Result<(), RecoverError> {
    File::open(directory).and_then(|folder| folder.sync_all()).map_err(|cause| read_error(directory, cause))
}

fn read_error(path: &Path, cause: io::Error) -> RecoverError {
    RecoverError::Read { path: path.to_owned(), cause }
}

//! The sealed recorder: the blocks of the last minutes, as one file. Takes what the index names; gives bytes in the segment
//! format (`segment`), the very frames and payloads that lie on disk, so that their chain can be checked against what the
//! collector received. Holds the files open: the log may drop its segments meanwhile.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::segment::{HEADER_BYTES, Header};

/// Read at once while copying.
const COPY_BYTES: usize = 1 << 20;

/// A run of bytes of the recording.
#[derive(Debug, Clone)]
pub(super) enum Part {
    File {
        file: Arc<File>,
        offset: u64,
        bytes: u64,
    },
    /// A block that the disk did not take yet.
    Memory(Arc<[u8]>),
}

/// The blocks of the last minutes, fixed at one moment.
#[derive(Debug, Clone)]
pub struct SealedRange {
    /// Header of the recording.
    pub header: Header,
    /// Position of the first event; 0 where nothing was recorded.
    pub first_position: u64,
    /// Position of the last event; 0 where nothing was recorded.
    pub last_position: u64,
    /// Time of the earliest event, wall clock.
    pub from_ns: u64,
    /// Time of the latest event, wall clock.
    pub to_ns: u64,
    /// Number of blocks.
    pub blocks: usize,
    pub(super) parts: Vec<Part>,
}

impl SealedRange {
    /// Length of the recording.
    pub fn bytes(&self) -> u64 {
        let blocks: u64 = self.parts.iter().map(Part::bytes).sum();
        blocks + u64::try_from(HEADER_BYTES).expect("a header is 128 bytes")
    }

    /// Writes the recording; bytes written are [`SealedRange::bytes`].
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<u64> {
        out.write_all(&self.header.encode())?;
        let mut buffer = Vec::new();
        for part in &self.parts {
            match part {
                Part::Memory(bytes) => out.write_all(bytes)?,
                Part::File { file, offset, bytes } => copy(file, *offset, *bytes, &mut buffer, out)?,
            }
        }
        Ok(self.bytes())
    }
}

impl Part {
    fn bytes(&self) -> u64 {
        match self {
            Self::File { bytes, .. } => *bytes,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

fn copy(file: &File, mut offset: u64, mut left: u64, buffer: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        buffer.resize(now, 0);
        file.read_exact_at(buffer, offset)?;
        out.write_all(buffer)?;
        offset += now as u64;
        left -= now as u64;
    }
    Ok(())
}

//! A recording of raw records: what the kernel programs gave, byte by byte, to be played again through the same pipeline. Takes
//! records and writes them; takes a file and gives records back, each bounded before it is read. Holds no judgement: a record that is
//! malformed is malformed again when it is played.
//!
//! All numbers are big-endian; the records themselves are in the order of the machine that made them.
//!
//! | header, 48 bytes | | then for each record | |
//! |---|---|---|---|
//! | `MFLYRAW1` | 8 | length | 4 |
//! | version (1) | 4 | the record | length |
//! | zero | 4 | | |
//! | boot id | 16 | | |
//! | wall clock at the begin, ns | 8 | | |
//! | boot clock at the begin, ns | 8 | | |

use std::io::{self, Read, Write};

use ebpf_common::header::MAX_RECORD;

use crate::clock::Moment;

const MAGIC: &[u8; 8] = b"MFLYRAW1";
const VERSION: u32 = 1;

/// When and in which boot a recording was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The kernel's boot id.
    pub boot_id: [u8; 16],
    /// Wall clock at the begin.
    pub wall_ns: u64,
    /// Boot clock at the same moment.
    pub boot_ns: u64,
}

/// Why a recording cannot be played, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file.
    #[error("read the recording")]
    Read(#[source] io::Error),
    /// Another kind of file.
    #[error("not a recording of raw records")]
    NotARecording,
    /// A later format.
    #[error("recording of version {0}")]
    Version(u32),
    /// A record longer than any can be.
    #[error("record {number} says that it has {length} bytes, more than any record")]
    Length {
        /// Counted from 1.
        number: u64,
        /// What it says.
        length: u32,
    },
    /// The file ends within a record.
    #[error("record {number} is cut off")]
    CutOff {
        /// Counted from 1.
        number: u64,
    },
}

/// Writes a recording.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins a recording.
    pub fn new(mut out: W, boot_id: [u8; 16], now: Moment) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_be_bytes())?;
        out.write_all(&[0; 4])?;
        out.write_all(&boot_id)?;
        out.write_all(&now.wall_ns.to_be_bytes())?;
        out.write_all(&now.boot_ns.to_be_bytes())?;
        Ok(Self { out })
    }

    /// Adds a record. One that is longer than any record may be is cut: it is malformed either way.
    pub fn record(&mut self, record: &[u8]) -> io::Result<()> {
        let record = record.get(..record.len().min(MAX_RECORD)).unwrap_or_default();
        let length = u32::try_from(record.len()).expect("cut to 28 KiB");
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(record)
    }

    /// Ends the recording.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a recording.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    start: Start,
    number: u64,
    record: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, RecordingError> {
        let mut header = [0; 48];
        let read = fill(&mut input, &mut header).map_err(RecordingError::Read)?;
        if read < header.len() || !header.starts_with(MAGIC) {
            return Err(RecordingError::NotARecording);
        }
        let version = u32::from_be_bytes(part(&header, 8));
        if version != VERSION {
            return Err(RecordingError::Version(version));
        }
        let start = Start {
            boot_id: part(&header, 16),
            wall_ns: u64::from_be_bytes(part(&header, 32)),
            boot_ns: u64::from_be_bytes(part(&header, 40)),
        };
        Ok(Self { input, start, number: 0, record: Vec::new() })
    }

    /// When it was made.
    pub fn start(&self) -> Start {
        self.start
    }

    /// The next record; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, RecordingError> {
        let mut length = [0; 4];
        let read = fill(&mut self.input, &mut length).map_err(RecordingError::Read)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let number = self.number;
        if read < length.len() {
            return Err(RecordingError::CutOff { number });
        }
        let length = u32::from_be_bytes(length);
        if length as usize > MAX_RECORD {
            return Err(RecordingError::Length { number, length });
        }
        self.record.resize(length as usize, 0);
        let read = fill(&mut self.input, &mut self.record).map_err(RecordingError::Read)?;
        if read < self.record.len() { Err(RecordingError::CutOff { number }) } else { Ok(Some(&self.record)) }
    }
}

fn part<const N: usize>(header: &[u8; 48], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&header[at..at + N]);
    field
}

/// Reads until `buffer` is full or the input ends; gives the length read.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Moment = Moment { wall_ns: 7, boot_ns: 8, uncertainty_us: 0 };

    fn recording(records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, [9; 16], NOW).expect("a vector grows");
        for record in records {
            writer.record(record).expect("a vector grows");
        }
        writer.finish().expect("a vector grows");
        bytes
    }

    fn played(bytes: &[u8]) -> Result<Vec<Vec<u8>>, RecordingError> {
        let mut reader = Reader::new(bytes)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record.to_vec());
        }
        Ok(records)
    }

    #[test]
    fn what_was_recorded_is_played() {
        let records = vec![vec![1, 2, 3], Vec::new(), vec![4; 1000]];
        let bytes = recording(&records);
        assert_eq!(played(&bytes).expect("whole"), records);
        let start = Reader::new(bytes.as_slice()).expect("whole").start();
        assert_eq!(start, Start { boot_id: [9; 16], wall_ns: 7, boot_ns: 8 });
    }

    #[test]
    fn a_recording_cut_at_any_byte_is_read_as_far_as_it_is_whole() {
        let bytes = recording(&[vec![1; 10], vec![2; 10]]);
        for length in 0..bytes.len() {
            let whole = played(&bytes[..length]);
            assert_eq!(whole.is_ok(), length == 48 || length == 62, "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_an_error_or_records_and_no_panic(tail in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut bytes = recording(&[]);
            bytes.extend_from_slice(&tail);
            if let Ok(records) = played(&bytes) {
                prop_assert!(records.iter().all(|record| record.len() <= MAX_RECORD));
            }
            prop_assert!(played(&tail).is_err());
        }
    }
}

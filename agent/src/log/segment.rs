//! The format of a segment, which is the format of a sealed recording too. Takes bytes; gives a header and blocks, or says where
//! and why they stop. Pure: opens nothing, and no bytes whatever make it panic or allocate more than they are long.
//!
//! All numbers are big-endian. A segment is one header and then blocks to its end:
//!
//! | header, 128 bytes | | block frame, 112 bytes, then the payload | |
//! |---|---|---|---|
//! | `MFLYSEG1` | 8 | `MBLK` | 4 |
//! | version (1) | 4 | payload bytes | 4 |
//! | zero | 4 | first position | 8 |
//! | log id | 16 | count of events | 4 |
//! | boot id | 16 | raw bytes (decompressed) | 4 |
//! | first position | 8 | first time, wall ns | 8 |
//! | created, wall ns | 8 | last time, wall ns | 8 |
//! | link of the block before | 32 | previous link | 32 |
//! | sha256 of all above | 32 | link | 32 |
//! | | | first 8 bytes of sha256 of all above | 8 |
//!
//! The payload is zstd of length-delimited `mayfly.sensor.v1.Event` messages, the link is [`proto::link`]'s: the very bytes and
//! links that go over the wire in `Block`.

use proto::limits;
use proto::link::{LINK_BYTES, Link, link};
use sha2::{Digest, Sha256};

/// Length of a segment's header.
pub const HEADER_BYTES: usize = 128;

/// Length of a block's frame, before its payload.
pub const FRAME_BYTES: usize = 112;

const MAGIC: &[u8; 8] = b"MFLYSEG1";
const BLOCK_MAGIC: &[u8; 4] = b"MBLK";
const VERSION: u32 = 1;
const CHECK_BYTES: usize = 8;

/// The head of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The log that the positions are of.
    pub log_id: [u8; 16],
    /// The boot in which the segment was begun.
    pub boot_id: [u8; 16],
    /// Position of the first event.
    pub first_position: u64,
    /// Wall clock.
    pub created_ns: u64,
    /// Link of the block before the first one.
    pub previous: Link,
}

/// What stands before a block's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Length of the payload.
    pub payload_bytes: u32,
    /// Position of the first event.
    pub first_position: u64,
    /// Events in the block.
    pub count: u32,
    /// Length of the payload when decompressed.
    pub raw_bytes: u32,
    /// Time of the earliest event.
    pub first_ns: u64,
    /// Time of the latest event.
    pub last_ns: u64,
    /// Link of the block before.
    pub previous: Link,
    /// The block's own link.
    pub link: Link,
}

/// Why bytes are not a segment, or stop being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Shorter than what was announced: the usual end of a write that a crash cut off.
    #[error("cut off")]
    CutOff,
    /// Another format.
    #[error("not a segment")]
    NotASegment,
    /// A format that a later agent wrote.
    #[error("format version {0} is not known")]
    Version(u32),
    /// A header or frame whose checksum does not fit.
    #[error("checksum of the frame does not fit")]
    Frame,
    /// A number beyond what a writer makes.
    #[error("a size is over its limit")]
    Limit,
    /// The payload is not what the link says.
    #[error("link of the block does not fit its bytes")]
    Link,
}

impl Header {
    /// The header as it lies on disk.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.log_id);
        bytes.extend_from_slice(&self.boot_id);
        bytes.extend_from_slice(&self.first_position.to_be_bytes());
        bytes.extend_from_slice(&self.created_ns.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        let check: [u8; 32] = Sha256::digest(&bytes).into();
        bytes.extend_from_slice(&check);
        bytes.try_into().expect("the fields above are 128 bytes")
    }

    /// Reads a header from the start of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Fields(bytes);
        if cursor.take::<8>()? != *MAGIC {
            return Err(Damage::NotASegment);
        }
        let version = u32::from_be_bytes(cursor.take()?);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let _zero = cursor.take::<4>()?;
        let header = Self {
            log_id: cursor.take()?,
            boot_id: cursor.take()?,
            first_position: u64::from_be_bytes(cursor.take()?),
            created_ns: u64::from_be_bytes(cursor.take()?),
            previous: cursor.take()?,
        };
        let check = cursor.take::<32>()?;
        let covered = bytes.get(..HEADER_BYTES - 32).ok_or(Damage::CutOff)?;
        if Sha256::digest(covered)[..] == check { Ok(header) } else { Err(Damage::Frame) }
    }
}

impl Frame {
    /// The frame as it lies on disk.
    pub fn encode(&self) -> [u8; FRAME_BYTES] {
        let mut bytes = Vec::with_capacity(FRAME_BYTES);
        bytes.extend_from_slice(BLOCK_MAGIC);
        bytes.extend_from_slice(&self.payload_bytes.to_be_bytes());
        bytes.extend_from_slice(&self.first_position.to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.raw_bytes.to_be_bytes());
        bytes.extend_from_slice(&self.first_ns.to_be_bytes());
        bytes.extend_from_slice(&self.last_ns.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(&self.link);
        bytes.extend_from_slice(&check_of(&bytes));
        bytes.try_into().expect("the fields above are 112 bytes")
    }

    /// Reads a frame from the start of `bytes`, and holds its sizes to the limits of the wire.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Fields(bytes);
        if cursor.take::<4>()? != *BLOCK_MAGIC {
            return Err(Damage::Frame);
        }
        let frame = Self {
            payload_bytes: u32::from_be_bytes(cursor.take()?),
            first_position: u64::from_be_bytes(cursor.take()?),
            count: u32::from_be_bytes(cursor.take()?),
            raw_bytes: u32::from_be_bytes(cursor.take()?),
            first_ns: u64::from_be_bytes(cursor.take()?),
            last_ns: u64::from_be_bytes(cursor.take()?),
            previous: cursor.take::<LINK_BYTES>()?,
            link: cursor.take::<LINK_BYTES>()?,
        };
        let check = cursor.take::<CHECK_BYTES>()?;
        let covered = bytes.get(..FRAME_BYTES - CHECK_BYTES).ok_or(Damage::CutOff)?;
        if check_of(covered) != check {
            return Err(Damage::Frame);
        }
        frame.within_limits().then_some(frame).ok_or(Damage::Limit)
    }

    /// Position of the last event.
    pub fn last_position(&self) -> u64 {
        self.first_position.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// Whether `payload` is what this frame was made for.
    pub fn verify(&self, payload: &[u8]) -> Result<(), Damage> {
        let expected = link(&self.previous, self.first_position, self.count, self.raw_bytes, payload);
        if expected == self.link { Ok(()) } else { Err(Damage::Link) }
    }

    fn within_limits(&self) -> bool {
        self.payload_bytes as usize <= limits::BLOCK_BYTES
            && self.raw_bytes as usize <= limits::BLOCK_RAW_BYTES
            && (1..=limits::BLOCK_EVENTS).contains(&self.count)
            && self.first_position >= 1
            && self.first_position.checked_add(u64::from(self.count)).is_some()
    }
}

/// A whole block, borrowed from a segment's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockBytes<'a> {
    /// What stands before the payload.
    pub frame: Frame,
    /// Compressed events, verified against the link.
    pub payload: &'a [u8],
}

/// What could be read of a segment.
#[derive(Debug, PartialEq, Eq)]
pub struct Blocks<'a> {
    /// The segment's header.
    pub header: Header,
    /// Each block up to the first damage, verified.
    pub blocks: Vec<BlockBytes<'a>>,
    /// Length of the header and the blocks above: what follows is not to be trusted.
    pub good_bytes: usize,
    /// Why reading stopped; absent where the segment ends after its last block.
    pub damage: Option<Damage>,
}

/// Reads all blocks of a segment or a sealed recording.
pub fn read_blocks(bytes: &[u8]) -> Result<Blocks<'_>, Damage> {
    let header = Header::decode(bytes)?;
    let mut read = Blocks { header, blocks: Vec::new(), good_bytes: HEADER_BYTES, damage: None };
    loop {
        let rest = bytes.get(read.good_bytes..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(read);
        }
        match read_block(rest) {
            Ok(block) => {
                read.good_bytes += FRAME_BYTES + block.payload.len();
                read.blocks.push(block);
            }
            Err(damage) => {
                read.damage = Some(damage);
                return Ok(read);
            }
        }
    }
}

/// Reads and verifies the block at the start of `bytes`.
pub fn read_block(bytes: &[u8]) -> Result<BlockBytes<'_>, Damage> {
    let frame = Frame::decode(bytes)?;
    let end = FRAME_BYTES + frame.payload_bytes as usize;
    let payload = bytes.get(FRAME_BYTES..end).ok_or(Damage::CutOff)?;
    frame.verify(payload)?;
    Ok(BlockBytes { frame, payload })
}

fn check_of(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&Sha256::digest(bytes)[..CHECK_BYTES]);
    check
}

/// Takes fields off the front of a slice.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Damage::CutOff)?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests;

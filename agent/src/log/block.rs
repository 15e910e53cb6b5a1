//! One block of events. Takes events with their positions; gives compressed bytes and their frame, and back. Holds to the limits
//! of the wire in both directions: what it makes is always taken, and what it reads is bounded before it is unpacked.

use prost::Message;
use proto::limits;
use proto::link::{Link, link};
use proto::v1::Event;

use super::segment::{Damage, FRAME_BYTES, Frame};

/// Room that one more event may need: its length prefix and its own limit.
const EVENT_ROOM: usize = limits::EVENT_BYTES + 8;

/// Compressed blocks are refused over this; an incompressible block must still fit, so the raw size is kept under it.
const RAW_BYTES: usize = limits::BLOCK_BYTES - (128 << 10);

/// Collects events until they are closed into a block.
#[derive(Debug)]
pub struct Builder {
    raw: Vec<u8>,
    first_position: u64,
    count: u32,
    first_ns: u64,
    last_ns: u64,
    target_bytes: usize,
}

/// A closed block: frame and payload in one piece, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The frame, decoded.
    pub frame: Frame,
    /// The frame and the payload as they lie on disk.
    pub bytes: Vec<u8>,
}

impl Builder {
    /// A builder whose blocks close at about `target_bytes` of raw events. Held to 4 KiB … 896 KiB.
    pub fn new(target_bytes: usize) -> Self {
        let target_bytes = target_bytes.clamp(4 << 10, RAW_BYTES - EVENT_ROOM);
        Self {
            raw: Vec::with_capacity(target_bytes + EVENT_ROOM),
            first_position: 0,
            count: 0,
            first_ns: u64::MAX,
            last_ns: 0,
            target_bytes,
        }
    }

    /// Adds one event, whose position follows the one before. Gives the event back in `Err` where it is larger than any event
    /// may be.
    pub fn push(&mut self, event: &Event) -> Result<(), Oversize> {
        let bytes = event.encoded_len();
        if bytes > limits::EVENT_BYTES {
            return Err(Oversize { bytes });
        }
        if self.count == 0 {
            self.first_position = event.position;
        }
        event.encode_length_delimited(&mut self.raw).expect("a vector grows");
        self.count += 1;
        self.first_ns = self.first_ns.min(event.time_ns);
        self.last_ns = self.last_ns.max(event.time_ns);
        Ok(())
    }

    /// Whether the block is as large as it should become.
    pub fn is_full(&self) -> bool {
        self.raw.len() >= self.target_bytes || self.count >= limits::BLOCK_EVENTS
    }

    /// Whether nothing was added since the last block.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Events since the last block.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Compresses what was added into a block linked to `previous`, and begins anew. `None` where nothing was added.
    pub fn close(&mut self, previous: &Link, compressor: &mut Compressor) -> Option<Closed> {
        if self.count == 0 {
            return None;
        }
        let mut bytes = compressor.compress(&self.raw);
        let payload = &bytes[FRAME_BYTES..];
        let raw_bytes = u32::try_from(self.raw.len()).expect("a block is under 8 MiB");
        let frame = Frame {
            payload_bytes: u32::try_from(payload.len()).expect("a block is under 1 MiB"),
            first_position: self.first_position,
            count: self.count,
            raw_bytes,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            previous: *previous,
            link: link(previous, self.first_position, self.count, raw_bytes, payload),
        };
        bytes[..FRAME_BYTES].copy_from_slice(&frame.encode());
        self.raw.clear();
        (self.count, self.first_ns, self.last_ns) = (0, u64::MAX, 0);
        Some(Closed { frame, bytes })
    }
}

/// An event over its limit; it is counted as lost and not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of {bytes} bytes is over the limit of {}", limits::EVENT_BYTES)]
pub struct Oversize {
    /// Its encoded length.
    pub bytes: usize,
}

/// A zstd context that is kept between blocks: making one costs more than a small block.
pub struct Compressor {
    context: zstd::bulk::Compressor<'static>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Compressor")
    }
}

impl Compressor {
    /// A context of this zstd level.
    pub fn new(level: i32) -> std::io::Result<Self> {
        Ok(Self { context: zstd::bulk::Compressor::new(level)? })
    }

    /// Compresses `raw`, leaving room for a frame before it.
    fn compress(&mut self, raw: &[u8]) -> Vec<u8> {
        let payload = self.context.compress(raw).expect("the output has room for the worst case");
        let mut bytes = Vec::with_capacity(FRAME_BYTES + payload.len());
        bytes.resize(FRAME_BYTES, 0);
        bytes.extend_from_slice(&payload);
        bytes
    }
}

/// Why a block's payload is not events.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The frame or its link.
    #[error("read the block's frame")]
    Frame(#[from] Damage),
    /// Not zstd, or longer than announced.
    #[error("decompress the block")]
    Zstd(#[source] std::io::Error),
    /// Shorter than announced.
    #[error("the block is {found} bytes and says {said}")]
    Length {
        /// Bytes after decompression.
        found: usize,
        /// What the frame said.
        said: u32,
    },
    /// Not length-delimited events.
    #[error("decode an event of the block")]
    Event(#[from] prost::DecodeError),
    /// Another number of events than announced.
    #[error("the block has {found} events and says {said}")]
    Count {
        /// Events decoded.
        found: usize,
        /// What the frame said.
        said: u32,
    },
}

/// Unpacks a block into its events. The frame's sizes are checked against the limits before anything is allocated.
pub fn events(frame: &Frame, payload: &[u8]) -> Result<Vec<Event>, Unreadable> {
    if frame.raw_bytes as usize > limits::BLOCK_RAW_BYTES || frame.count > limits::BLOCK_EVENTS {
        return Err(Damage::Limit.into());
    }
    let raw = zstd::bulk::decompress(payload, frame.raw_bytes as usize).map_err(Unreadable::Zstd)?;
    if raw.len() != frame.raw_bytes as usize {
        return Err(Unreadable::Length { found: raw.len(), said: frame.raw_bytes });
    }
    let mut rest = raw.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        if events.len() >= frame.count as usize {
            return Err(Unreadable::Count { found: events.len() + 1, said: frame.count });
        }
        events.push(Event::decode_length_delimited(&mut rest)?);
    }
    if events.len() == frame.count as usize {
        Ok(events)
    } else {
        Err(Unreadable::Count { found: events.len(), said: frame.count })
    }
}

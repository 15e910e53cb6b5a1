//! One record of the landing log: what arrived, byte for byte, and what must be known to read it again. Takes and gives bytes; a
//! frame that was not written whole is recognised and never half read.

use bytes::{Buf, Bytes};
use flate2::Crc;
use prost::Message;

/// A segment opens with this: the format and its version.
pub const MAGIC: &[u8; 8] = b"MFLAND1\n";

/// Length, checksum and length of the meta, before each frame.
pub const PREFIX_BYTES: usize = 12;

/// A frame is a block (≤ 1 MiB) or a batch of audit entries; a larger length is damage, not a frame.
pub const FRAME_BYTES: usize = 8 << 20;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Never written.
    Unspecified = 0,
    /// `Block.payload` of a node's log.
    Block = 1,
    /// Positions of a node's log that never arrived; no payload.
    Gap = 2,
    /// zstd of a JSON list of audit entries.
    Audit = 3,
}

/// What is known about a frame's payload. The fields of a block are those of the wire, so that its link can be computed again.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Meta {
    /// What the payload is.
    #[prost(enumeration = "Kind", tag = "1")]
    pub kind: i32,
    /// Number of the frame in the whole landing log, from 1: the order in which the collector learned things.
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    /// The collector's clock when it arrived.
    #[prost(uint64, tag = "3")]
    pub received_ns: u64,
    /// The node, by its certificate.
    #[prost(string, tag = "4")]
    pub node: String,
    /// The node's log.
    #[prost(string, tag = "5")]
    pub log_id: String,
    /// The boot in which the block's first event was made.
    #[prost(string, tag = "6")]
    pub boot_id: String,
    /// The boot in which its last event was made.
    #[prost(string, tag = "7")]
    pub last_boot_id: String,
    /// First position of the block or the gap.
    #[prost(uint64, tag = "8")]
    pub first_position: u64,
    /// Events of the block, positions of the gap.
    #[prost(uint64, tag = "9")]
    pub count: u64,
    /// Size before compression.
    #[prost(uint32, tag = "10")]
    pub raw_bytes: u32,
    /// Link of the block before.
    #[prost(bytes = "vec", tag = "11")]
    pub previous: Vec<u8>,
    /// The block's own link.
    #[prost(bytes = "vec", tag = "12")]
    pub link: Vec<u8>,
    /// First position that is new: the ones before it came with an earlier block.
    #[prost(uint64, tag = "13")]
    pub new_from: u64,
    /// Time of the first event, or of the last one before the gap.
    #[prost(uint64, tag = "14")]
    pub from_ns: u64,
    /// Time of the last event, or of the first one after the gap.
    #[prost(uint64, tag = "15")]
    pub to_ns: u64,
    /// The node replays a recorded run.
    #[prost(bool, tag = "16")]
    pub replay: bool,
}

impl Meta {
    /// Last position of the block or the gap.
    pub fn last_position(&self) -> u64 {
        self.first_position.saturating_add(self.count).saturating_sub(1)
    }
}

/// A frame as it lies on disk, without its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is known about it.
    pub meta: Meta,
    /// What arrived.
    pub payload: Bytes,
}

/// Why no frame could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the frame is not whole")]
    Torn,
    /// The bytes are not those that were written.
    #[error("the frame's checksum does not match")]
    Damaged,
}

/// The prefix and the meta of a frame, ready to be written before `payload`.
pub fn head(meta: &Meta, payload: &[u8]) -> Vec<u8> {
    let encoded = meta.encode_to_vec();
    let mut crc = Crc::new();
    crc.update(&encoded);
    crc.update(payload);
    let mut head = Vec::with_capacity(PREFIX_BYTES + encoded.len());
    let length = u32::try_from(encoded.len() + payload.len()).expect("a frame is bounded by FRAME_BYTES");
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&crc.sum().to_le_bytes());
    head.extend_from_slice(&u32::try_from(encoded.len()).expect("a meta is a few hundred bytes").to_le_bytes());
    head.extend_from_slice(&encoded);
    head
}

/// The first frame of `bytes`, and how many bytes it took.
pub fn read(bytes: &Bytes) -> Result<(Frame, usize), FrameError> {
    if bytes.len() < PREFIX_BYTES {
        return Err(FrameError::Torn);
    }
    let mut prefix = &bytes[..PREFIX_BYTES];
    let length = prefix.get_u32_le() as usize;
    let sum = prefix.get_u32_le();
    let meta_length = prefix.get_u32_le() as usize;
    // A file system may give zeros for a tail that was never written: no frame has an empty meta.
    if length > FRAME_BYTES || meta_length > length || meta_length == 0 {
        return Err(FrameError::Damaged);
    }
    let end = PREFIX_BYTES + length;
    if bytes.len() < end {
        return Err(FrameError::Torn);
    }
    let body = bytes.slice(PREFIX_BYTES..end);
    let mut crc = Crc::new();
    crc.update(&body);
    if crc.sum() != sum {
        return Err(FrameError::Damaged);
    }
    let meta = Meta::decode(body.slice(..meta_length)).map_err(|_| FrameError::Damaged)?;
    Ok((Frame { meta, payload: body.slice(meta_length..) }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_bytes() -> Vec<u8> {
        let meta = Meta { kind: Kind::Block.into(), sequence: 7, node: "node-1".into(), ..Meta::default() };
        let mut bytes = head(&meta, b"payload");
        bytes.extend_from_slice(b"payload");
        bytes
    }

    #[test]
    fn a_frame_reads_as_it_was_written() {
        let bytes = Bytes::from(frame_bytes());
        let (frame, taken) = read(&bytes).expect("it is whole");
        assert_eq!((taken, frame.meta.sequence, &frame.payload[..]), (bytes.len(), 7, &b"payload"[..]));
    }

    #[test]
    fn a_torn_frame_is_never_half_read() {
        let bytes = Bytes::from(frame_bytes());
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes.slice(..end)), Err(FrameError::Torn));
        }
    }

    #[test]
    fn a_flipped_byte_is_seen() {
        for at in 4..frame_bytes().len() {
            let mut bytes = frame_bytes();
            bytes[at] ^= 1;
            assert!(read(&Bytes::from(bytes)).is_err(), "byte {at}");
        }
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_no_frame_and_no_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
            proptest::prop_assert!(read(&Bytes::from(bytes)).is_err());
        }
    }
}

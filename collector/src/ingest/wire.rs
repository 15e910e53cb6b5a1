//! A block's bytes, looked at without trust. Takes compressed bytes that a node sent; gives the events' places and the few facts that
//! admission needs, without building them. Bounded before unpacked; never panics.

use proto::limits;

/// Why bytes are not a block's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not zstd, cut off, or more than it said.
    #[error("the payload does not unpack to {raw_bytes} bytes: {why}")]
    Unpack {
        /// What the block says.
        raw_bytes: u32,
        /// What zstd says.
        why: String,
    },
    /// A length that goes beyond the end, or a key that is none.
    #[error("event {index} of the block is not a message")]
    Malformed {
        /// Which event, from 0.
        index: u32,
    },
    /// One event is larger than any agent makes.
    #[error("event {index} has {bytes} bytes, more than {}", limits::EVENT_BYTES)]
    Oversized {
        /// Which event.
        index: u32,
        /// Its size.
        bytes: usize,
    },
}

/// What admission reads of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    /// `Event.position`.
    pub position: u64,
    /// `Event.time_ns`.
    pub time_ns: u64,
    /// `Event.agent_started`, encoded, where it is one.
    pub agent_started: Option<&'a [u8]>,
}

const POSITION: u64 = 1;
const TIME_NS: u64 = 2;
const AGENT_STARTED: u64 = 37;

/// Unpacks a payload to exactly `raw_bytes`, which must have been checked against the limit: no bomb gets larger than it says.
pub fn unpack(payload: &[u8], raw_bytes: u32) -> Result<Vec<u8>, WireError> {
    let wrong = |why: String| WireError::Unpack { raw_bytes, why };
    let raw = zstd::bulk::decompress(payload, raw_bytes as usize).map_err(|cause| wrong(cause.to_string()))?;
    if raw.len() == raw_bytes as usize { Ok(raw) } else { Err(wrong(format!("it has {}", raw.len()))) }
}

/// The encoded events of an unpacked block, one after the other.
pub fn events(raw: &[u8]) -> Events<'_> {
    Events { rest: raw, index: 0 }
}

/// Iterator of [`events`]; ends after the first error.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    rest: &'a [u8],
    index: u32,
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<&'a [u8], WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let index = self.index;
        self.index += 1;
        let mut rest = std::mem::take(&mut self.rest);
        let Some(length) = varint(&mut rest).and_then(|length| usize::try_from(length).ok()) else {
            return Some(Err(WireError::Malformed { index }));
        };
        if length > limits::EVENT_BYTES {
            return Some(Err(WireError::Oversized { index, bytes: length }));
        }
        let Some((event, after)) = rest.split_at_checked(length) else {
            return Some(Err(WireError::Malformed { index }));
        };
        self.rest = after;
        Some(Ok(event))
    }
}

/// Position, time and start of one encoded event. `None`: not a message.
pub fn glance(mut event: &[u8]) -> Option<Glance<'_>> {
    let mut glance = Glance { position: 0, time_ns: 0, agent_started: None };
    while !event.is_empty() {
        let key = varint(&mut event)?;
        match (key >> 3, key & 7) {
            (0, _) => return None,
            (POSITION, 0) => glance.position = varint(&mut event)?,
            (TIME_NS, 0) => glance.time_ns = varint(&mut event)?,
            (AGENT_STARTED, 2) => glance.agent_started = Some(delimited(&mut event)?),
            (_, 0) => drop(varint(&mut event)?),
            (_, 1) => event = event.get(8..)?,
            (_, 2) => drop(delimited(&mut event)?),
            (_, 5) => event = event.get(4..)?,
            _ => return None,
        }
    }
    Some(glance)
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    let (field, after) = bytes.split_at_checked(length)?;
    *bytes = after;
    Some(field)
}

/// A base-128 number of at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::v1::{AgentStarted, Event, event::Body};

    use super::*;

    #[test]
    fn a_glance_reads_what_prost_wrote() {
        let started = AgentStarted { boot_id: "b".into(), ..AgentStarted::default() };
        let body = Some(Body::AgentStarted(started.clone()));
        let event = Event { position: 300, time_ns: u64::MAX, cpu: 3, body, ..Event::default() };
        let bytes = event.encode_to_vec();
        let seen = glance(&bytes).expect("a message");
        assert_eq!((seen.position, seen.time_ns), (300, u64::MAX));
        assert_eq!(seen.agent_started, Some(&started.encode_to_vec()[..]));
    }

    #[test]
    fn a_bomb_is_refused_at_its_own_word() {
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).expect("compresses");
        assert!(unpack(&bomb, 1 << 20).is_err());
        assert!(unpack(&bomb[..bomb.len() / 2], 64 << 20).is_err(), "cut off");
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512), raw in 0_u32..4096) {
            proptest::prop_assert!(unpack(&bytes, raw).map_or(0, |raw| raw.len()) <= raw as usize);
            let glances = events(&bytes).flatten().filter_map(glance).count();
            proptest::prop_assert!(glances <= bytes.len());
        }
    }
}

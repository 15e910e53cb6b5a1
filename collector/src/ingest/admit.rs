//! Whether a block continues its node's log. Takes a block as it came and where the log stands; gives what is new in it, what is
//! missing before it, or why it is refused. Pure: the same block at the same cursor gets the same answer.

use bytes::Bytes;
use prost::Message;
use proto::limits;
use proto::link::{self, Link};
use proto::v1::{AgentStarted, Block};

use super::wire::{self, WireError};
use crate::store::events::cursor::{Cursor, LogKey};
use crate::store::events::frame::{Kind, Meta};

/// Why a block is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Larger than any agent makes.
    #[error("{what} is {size}, more than {limit}")]
    Oversized {
        /// What is too large.
        what: &'static str,
        /// How large.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// It says that it holds nothing, or stands at positions that cannot be.
    #[error("it has no events, or positions that cannot be")]
    Empty,
    /// Its bytes are not what its link was made of.
    #[error("its link is not the hash of its content")]
    Link,
    /// It does not hang on the block that came before it.
    #[error("it is not linked to the block before it")]
    Previous,
    /// What is in it is not what it says.
    #[error(transparent)]
    Content(#[from] WireError),
    /// It says another number of events.
    #[error("it says {said} events and has {has}")]
    Count {
        /// By its head.
        said: u32,
        /// By its content, as far as it was read.
        has: u32,
    },
    /// An event does not stand where it has to.
    #[error("event {index} stands at position {has}, not {wants}")]
    Position {
        /// Which event, from 0.
        index: u32,
        /// Where it says that it stands.
        has: u64,
        /// Where it has to.
        wants: u64,
    },
    /// It came after later ones; its positions are recorded as missing.
    #[error("positions {first} to {last} come after later ones and were recorded as missing")]
    Late {
        /// Its first position.
        first: u64,
        /// Its last.
        last: u64,
    },
}

/// A block whose content is what it says. Made by [`check`] only.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    // Invariant: sizes, link, count and positions have been compared with the content.
    block: Block,
    from_ns: u64,
    to_ns: u64,
    last_boot_id: Option<String>,
}

/// What a checked block is to its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// To be written: perhaps a gap, then the block.
    New {
        /// Positions that never arrived before it.
        gap: Option<Box<Meta>>,
        /// The block.
        block: Box<(Meta, Bytes)>,
    },
    /// All of it is here already, up to this position.
    Duplicate {
        /// The last position that is here.
        position: u64,
    },
}

/// Compares what a block says with what it is.
pub fn check(block: Block) -> Result<Checked, Refusal> {
    bound("its payload", block.payload.len() as u64, limits::BLOCK_BYTES as u64)?;
    bound("its unpacked size", block.raw_bytes.into(), limits::BLOCK_RAW_BYTES as u64)?;
    bound("its number of events", block.count.into(), limits::BLOCK_EVENTS.into())?;
    let is_possible = block.first_position > 0 && block.first_position.checked_add(block.count.into()).is_some();
    if block.count == 0 || !is_possible {
        return Err(Refusal::Empty);
    }
    let previous = Link::try_from(&block.previous[..]).map_err(|_| Refusal::Link)?;
    let link = link::link(&previous, block.first_position, block.count, block.raw_bytes, &block.payload);
    if block.link != link {
        return Err(Refusal::Link);
    }
    let raw = wire::unpack(&block.payload, block.raw_bytes)?;
    content(block, &raw)
}

fn bound(what: &'static str, size: u64, limit: u64) -> Result<(), Refusal> {
    if size > limit { Err(Refusal::Oversized { what, size, limit }) } else { Ok(()) }
}

/// Goes through the events: as many as said, each where it has to stand.
fn content(block: Block, raw: &[u8]) -> Result<Checked, Refusal> {
    let said = block.count;
    let mut checked = Checked { from_ns: 0, to_ns: 0, last_boot_id: None, block };
    let mut index = 0_u32;
    for event in wire::events(raw) {
        let glance = wire::glance(event?).ok_or(WireError::Malformed { index })?;
        if index >= said {
            return Err(Refusal::Count { said, has: index + 1 });
        }
        let wants = checked.block.first_position + u64::from(index);
        if glance.position != wants {
            return Err(Refusal::Position { index, has: glance.position, wants });
        }
        if index == 0 {
            checked.from_ns = glance.time_ns;
        }
        checked.to_ns = glance.time_ns;
        if let Some(started) = glance.agent_started.and_then(|bytes| AgentStarted::decode(bytes).ok()) {
            checked.last_boot_id = Some(started.boot_id);
        }
        index += 1;
    }
    if index == said { Ok(checked) } else { Err(Refusal::Count { said, has: index }) }
}

/// Who sends: what a session knows beside the block.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// The log.
    pub key: &'a LogKey,
    /// Boot of the session: that of the events until the log says otherwise.
    pub boot_id: &'a str,
    /// The node replays a recorded run.
    pub replay: bool,
    /// Now.
    pub received_ns: u64,
}

/// Puts a checked block in its place.
pub fn place(cursor: &Cursor, sender: &Sender<'_>, checked: Checked) -> Result<Admission, Refusal> {
    let Checked { block, from_ns, to_ns, last_boot_id } = checked;
    let first = block.first_position;
    let last = first + u64::from(block.count) - 1;
    if last < cursor.next {
        if cursor.is_missing(first, last) {
            return Err(Refusal::Late { first, last });
        }
        return Ok(Admission::Duplicate { position: cursor.next - 1 });
    }
    if first == cursor.next && !follows(cursor, &block) {
        return Err(Refusal::Previous);
    }
    let common = Meta {
        received_ns: sender.received_ns,
        node: sender.key.node.clone(),
        log_id: sender.key.log_id.clone(),
        replay: sender.replay,
        ..Meta::default()
    };
    let gap = (first > cursor.next).then(|| {
        Box::new(Meta {
            kind: Kind::Gap.into(),
            first_position: cursor.next,
            count: first - cursor.next,
            from_ns: if cursor.time_ns == 0 { from_ns } else { cursor.time_ns },
            to_ns: from_ns,
            ..common.clone()
        })
    });
    let boot_id = if cursor.boot_id.is_empty() { sender.boot_id.to_owned() } else { cursor.boot_id.clone() };
    let meta = Meta {
        kind: Kind::Block.into(),
        last_boot_id: last_boot_id.unwrap_or_else(|| boot_id.clone()),
        boot_id,
        first_position: first,
        count: block.count.into(),
        raw_bytes: block.raw_bytes,
        previous: block.previous,
        link: block.link,
        new_from: first.max(cursor.next),
        from_ns,
        to_ns,
        ..common
    };
    Ok(Admission::New { gap, block: Box::new((meta, block.payload)) })
}

/// Whether the block hangs on the one before. The first block that we see of a log may come after others that its node dropped,
/// but a log's very first hangs on nothing.
fn follows(cursor: &Cursor, block: &Block) -> bool {
    if cursor.link.is_empty() {
        block.first_position > 1 || block.previous == link::GENESIS
    } else {
        block.previous == cursor.link
    }
}

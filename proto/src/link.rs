//! The hash chain of a node's log. Takes a block and the link before it; gives the block's own link.

use sha2::{Digest, Sha256};

/// Length of a link in bytes.
pub const LINK_BYTES: usize = 32;

/// A link of the chain: sha256.
pub type Link = [u8; LINK_BYTES];

/// What the first block of a log is linked to: nothing came before it.
pub const GENESIS: Link = [0; LINK_BYTES];

/// `sha256(previous ‖ first_position be64 ‖ count be32 ‖ raw_bytes be32 ‖ payload)`, as `Block.link` says it.
///
/// ```
/// use proto::link::{GENESIS, link};
/// let one = link(&GENESIS, 1, 2, 64, b"payload");
/// assert_ne!(one, link(&GENESIS, 1, 2, 64, b"Payload"));
/// ```
pub fn link(previous: &Link, first_position: u64, count: u32, raw_bytes: u32, payload: &[u8]) -> Link {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(first_position.to_be_bytes());
    hash.update(count.to_be_bytes());
    hash.update(raw_bytes.to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

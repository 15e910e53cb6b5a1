//! The hash chain of a node's log, checked without the node. Takes blocks as they lay on its disk; says which one does not fit. The rule is
//! the node's own, restated here, so that judgement needs nothing of the wire.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// One block, as a line of `blocks/*.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Position of its first event.
    pub first_position: u64,
    /// How many events.
    pub count: u32,
    /// Size before compression.
    pub raw_bytes: u32,
    /// base64 of zstd of length-delimited events.
    pub payload: String,
    /// Hex link of the block before.
    pub previous: String,
    /// Hex sha256 of `previous ‖ first_position be64 ‖ count be32 ‖ raw_bytes be32 ‖ payload`.
    pub link: String,
}

/// The link of a block.
pub fn link(previous: &[u8; 32], first_position: u64, count: u32, raw_bytes: u32, payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(first_position.to_be_bytes());
    hash.update(count.to_be_bytes());
    hash.update(raw_bytes.to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

/// Whether the blocks hang together; `Err` names the first that does not, by the position of its first event, and why.
pub fn verify_blocks(blocks: &[Block]) -> Result<(), (u64, String)> {
    use base64::Engine as _;
    let mut before: Option<&Block> = None;
    for block in blocks {
        let broken = |why: &str| Err((block.first_position, why.to_owned()));
        let Ok(payload) = base64::engine::general_purpose::STANDARD.decode(&block.payload) else {
            return broken("its payload is not base64");
        };
        let Some(previous) = hash(&block.previous) else { return broken("the link before is no sha256") };
        let computed = link(&previous, block.first_position, block.count, block.raw_bytes, &payload);
        if hash(&block.link) != Some(computed) {
            return broken("its content was changed: its link does not follow from it");
        }
        if let Some(before) = before {
            let next = before.first_position.checked_add(u64::from(before.count));
            if next == Some(block.first_position) && before.link != block.previous {
                return broken("it does not hang on the block before");
            }
            if next.is_none_or(|next| next > block.first_position) {
                return broken("it repeats positions of the block before");
            }
        }
        before = Some(block);
    }
    Ok(())
}

fn hash(hex: &str) -> Option<[u8; 32]> {
    hex::decode(hex).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    fn two() -> Vec<Block> {
        let mut previous = [0; 32];
        let mut block = |first_position, payload: &[u8]| {
            let link = link(&previous, first_position, 2, 64, payload);
            let block = Block {
                first_position,
                count: 2,
                raw_bytes: 64,
                payload: base64::engine::general_purpose::STANDARD.encode(payload),
                previous: hex::encode(previous),
                link: hex::encode(link),
            };
            previous = link;
            block
        };
        vec![block(1, b"one"), block(3, b"two")]
    }

    #[test]
    fn whole_blocks_verify_and_a_flipped_byte_names_its_block() {
        let mut blocks = two();
        assert_eq!(verify_blocks(&blocks), Ok(()));
        blocks[1].payload = base64::engine::general_purpose::STANDARD.encode(b"twO");
        assert_eq!(verify_blocks(&blocks).map_err(|(position, _)| position), Err(3));
    }

    #[test]
    fn a_block_of_another_chain_is_seen() {
        let mut blocks = two();
        blocks[0] = Block {
            previous: hex::encode([9; 32]),
            link: hex::encode(link(&[9; 32], 1, 2, 64, b"one")),
            ..blocks[0].clone()
        };
        assert!(verify_blocks(&blocks).is_err_and(|(_, why)| why == "it does not hang on the block before"));
    }
}

//! A segment against every way in which its bytes can be wrong.

use proptest::prelude::*;
use proto::link::GENESIS;
use proto::v1::{Event, Exec, event::Body};

use super::*;
use crate::log::block::{Builder, Compressor, events};

fn event(position: u64) -> Event {
    let exec = Exec { path: format!("/usr/bin/tool-{position}").into_bytes(), ..Exec::default() };
    Event { position, time_ns: 1_000 + position, body: Some(Body::Exec(exec)), ..Event::default() }
}

fn header() -> Header {
    Header { log_id: [1; 16], boot_id: [2; 16], first_position: 1, created_ns: 3, previous: GENESIS }
}

/// A segment with a block for each entry of `blocks`, which is its number of events.
fn segment(blocks: &[u64]) -> Vec<u8> {
    let mut bytes = header().encode().to_vec();
    let (mut link, mut position) = (GENESIS, 0);
    let mut compressor = Compressor::new(1).expect("level 1 exists");
    for count in blocks {
        let mut builder = Builder::new(4096);
        for _ in 0..*count {
            position += 1;
            builder.push(&event(position)).expect("a small event");
        }
        let closed = builder.close(&link, &mut compressor).expect("the block has events");
        link = closed.frame.link;
        bytes.extend_from_slice(&closed.bytes);
    }
    bytes
}

#[test]
fn what_was_written_is_read_back() {
    let bytes = segment(&[2, 1, 3]);
    let read = read_blocks(&bytes).expect("a whole segment");
    assert_eq!((read.header, read.damage, read.good_bytes), (header(), None, bytes.len()));
    let mut positions = Vec::new();
    for block in &read.blocks {
        let events = events(&block.frame, block.payload).expect("whole");
        positions.extend(events.into_iter().map(|event| event.position));
    }
    assert_eq!(positions, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_segment_torn_at_any_byte_keeps_the_blocks_before() {
    let bytes = segment(&[2, 1]);
    let ends =
        [HEADER_BYTES, HEADER_BYTES + read_block(&bytes[HEADER_BYTES..]).map_or(0, |b| FRAME_BYTES + b.payload.len())];
    for length in HEADER_BYTES..bytes.len() {
        let read = read_blocks(&bytes[..length]).expect("the header is whole");
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(read.blocks.len(), whole, "torn at {length}");
        assert_eq!(read.good_bytes, ends[whole]);
        assert_eq!(read.damage.is_none(), length == ends[whole]);
    }
    for length in 0..HEADER_BYTES {
        assert_eq!(read_blocks(&bytes[..length]), Err(Damage::CutOff), "torn at {length}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let bytes = segment(&[2]);
    let whole = read_blocks(&bytes).expect("whole").blocks.len();
    for at in 0..bytes.len() {
        // Bytes 12 to 15 are reserved, and covered by the header's checksum like the rest.
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        let noticed = read_blocks(&flipped).map_or(true, |read| read.damage.is_some() && read.blocks.len() < whole);
        assert!(noticed, "bit of byte {at}");
    }
}

#[test]
fn reordered_blocks_do_not_chain() {
    let bytes = segment(&[1, 1]);
    let read = read_blocks(&bytes).expect("whole");
    let [first, second] = read.blocks.as_slice() else { panic!("two blocks") };
    assert_eq!(second.frame.previous, first.frame.link);
    assert_ne!(first.frame.previous, second.frame.link);
    // A frame that is moved to another place of the chain does not fit its own link any more.
    let moved = Frame { previous: second.frame.link, ..first.frame };
    assert_eq!(moved.verify(first.payload), Err(Damage::Link));
}

#[test]
fn a_decompression_bomb_is_refused_by_its_size() {
    let zeros = vec![0; 64 << 20];
    let payload = zstd::bulk::compress(&zeros, 1).expect("compresses");
    let frame = Frame {
        payload_bytes: u32::try_from(payload.len()).expect("small"),
        first_position: 1,
        count: 1,
        raw_bytes: 64 << 20,
        first_ns: 0,
        last_ns: 0,
        previous: GENESIS,
        link: GENESIS,
    };
    assert!(events(&frame, &payload).is_err(), "over the limit");
    assert!(events(&Frame { raw_bytes: 100, ..frame }, &payload).is_err(), "longer than it says");
    assert_eq!(Frame::decode(&frame.encode()), Err(Damage::Limit));
}

proptest! {
    #[test]
    fn a_block_of_any_events_is_read_back(paths in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..50)) {
        let mut builder = Builder::new(1 << 20);
        let mut written = Vec::new();
        for (position, path) in (1..).zip(paths) {
            let body = Some(Body::Exec(Exec { path, ..Exec::default() }));
            let event = Event { position, time_ns: position * 7, body, ..Event::default() };
            builder.push(&event).expect("a small event");
            written.push(event);
        }
        let closed = builder.close(&GENESIS, &mut Compressor::new(1).expect("level 1")).expect("not empty");
        let block = read_block(&closed.bytes).expect("whole");
        prop_assert_eq!(events(&block.frame, block.payload).expect("whole"), written);
    }

    #[test]
    fn random_bytes_are_no_segment_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(read_blocks(&bytes).is_err());
        prop_assert!(read_block(&bytes).is_err());
    }

    #[test]
    fn random_bytes_after_a_header_are_damage_and_no_panic(tail in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let mut bytes = header().encode().to_vec();
        bytes.extend_from_slice(&tail);
        let read = read_blocks(&bytes).expect("the header is whole");
        prop_assert!(read.blocks.is_empty() && read.damage.is_some());
    }

    #[test]
    fn random_payloads_are_an_error_and_no_panic(payload in proptest::collection::vec(any::<u8>(), 0..500), raw_bytes in 0..10_000_000_u32) {
        let frame = Frame { payload_bytes: 0, first_position: 1, count: 3, raw_bytes, first_ns: 0, last_ns: 0, previous: GENESIS, link: GENESIS };
        prop_assert!(events(&frame, &payload).is_err());
    }
}

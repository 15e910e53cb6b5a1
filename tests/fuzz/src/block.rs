//! Any bytes as the contents of a block of the node's log. Takes random bytes, compressed or not; the reader gives events or says
//! why not, within the limits of the wire, and never panics.
#![no_main]

use agent::log::{events, segment::Frame};

libfuzzer_sys::fuzz_target!(|input: (bool, u32, &[u8])| {
    let (compress, count, bytes) = input;
    let raw_bytes = u32::try_from(bytes.len()).expect("the fuzzer's inputs are short");
    let payload =
        if compress { zstd::bulk::compress(bytes, 1).expect("memory takes any output") } else { bytes.to_vec() };
    let frame = Frame {
        payload_bytes: u32::try_from(payload.len()).expect("the fuzzer's inputs are short"),
        first_position: 1,
        count,
        raw_bytes,
        first_ns: 0,
        last_ns: 0,
        previous: [0; 32],
        link: [0; 32],
    };
    if let Ok(found) = events(&frame, &payload) {
        assert!(found.len() <= count as usize, "more events than the frame announces");
    }
});

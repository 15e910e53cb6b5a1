//! Any bytes as a segment of the node's log. Takes random bytes; the reader gives whole blocks and where they end, or says why not,
//! and never panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = agent::log::segment::read_blocks(bytes) {
        assert!(read.good_bytes <= bytes.len(), "more was read than there is");
    }
});

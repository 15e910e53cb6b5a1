//! Any bytes as a record from the kernel. Takes random bytes; the decoder gives a record or says why not, and never panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = agent::decode::decode(bytes) {
        assert!(!format!("{record:?}").is_empty());
    }
});

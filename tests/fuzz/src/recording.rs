//! Any bytes as a recording of raw records. Takes random bytes behind a true header, or alone; the reader gives records that are no longer
//! than any record, ends, and never panics.
#![no_main]

use agent::recording::Reader;
use ebpf_common::header::MAX_RECORD;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut behind = b"MFLYRAW1\0\0\0\x01".to_vec();
    behind.resize(48, 0);
    behind.extend_from_slice(bytes);
    for input in [bytes, &behind] {
        let Ok(mut reader) = Reader::new(input) else { continue };
        while let Ok(Some(record)) = reader.next_record() {
            assert!(record.len() <= MAX_RECORD, "a record that none can be");
        }
    }
});

//! Any bytes as a file of `CloudTrail`, compressed or not. Takes random bytes; the parser gives entries and says what it could not
//! understand, and never panics.
#![no_main]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

libfuzzer_sys::fuzz_target!(|input: (bool, &[u8])| {
    let (compress, bytes) = input;
    let object = if compress {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes any output")
    } else {
        bytes.to_vec()
    };
    let parsed = collector::connect::aws::audit::parse("fuzz.json", &object);
    assert!(parsed.troubles.iter().all(|trouble| trouble.starts_with("fuzz.json")), "a trouble names its file");
});

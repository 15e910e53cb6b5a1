//! Any bytes as a signed manifest. Takes random bytes; without the key nobody makes one that verifies, and nothing panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: ([u8; 32], &[u8])| {
    let (key, envelope) = input;
    // A key of small order accepts what nobody signed; it is the node's own key that is asked for, so only the refusal to panic counts.
    drop(collector_core::custody::verify_manifest(envelope, &key));
});

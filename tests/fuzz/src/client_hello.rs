//! Any bytes as the begin of TLS, which whoever connects chooses. Takes random bytes; the reader gives a bounded name or nothing, and never
//! panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let hello = agent::observe::hello::parse(bytes);
    assert!(hello.is_none_or(|hello| hello.server_name.len() <= 255 && hello.protocols.len() <= 16));
});

//! Any bytes as a Kubernetes audit log, or as what an API server posts. Takes random bytes; the parser gives entries and says what
//! it could not understand, and never panics.
#![no_main]

use collector::connect::k8s::audit::{parse, parse_list};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(
        parse("fuzz.log", bytes).troubles.iter().all(|trouble| trouble.starts_with("fuzz.log")),
        "a trouble names its file"
    );
    drop(parse_list(bytes));
});

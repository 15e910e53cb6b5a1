//! Any files as an exported bundle. Takes random contents under the names that a bundle has; the verifier lists what does not fit,
//! and never panics.
#![no_main]

use std::collections::BTreeMap;

use collector_core::custody::{bundle, verify_bundle};

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, Vec<(String, Vec<u8>)>)| {
    let (index, files) = input;
    let mut files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
    files.insert(bundle::INDEX.to_owned(), index);
    assert!(!format!("{:?}", verify_bundle(&files)).is_empty());
});

//! Files that somebody damaged or made on purpose: an error, never a panic, never more than the bounds.

use proptest::prelude::*;
use rules::indicators::{FILE_BYTES, Set};

use crate::lookup::any_bytes;

fn errors(bytes: impl AsRef<[u8]>) -> String {
    let (_, errors) = Set::load([("x", bytes)]);
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    assert_eq!(errors(vec![b' '; FILE_BYTES + 1]), "x: has 33554433 bytes; at most 33554432 are allowed");
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    assert_eq!(errors(format!("\n{}", "[".repeat(1_000_000))), "x:2: nests deeper than 32");
    assert_eq!(errors(format!("{{\"a\":{}", "{\"a\":".repeat(40))), "x:1: nests deeper than 32");
    assert!(!errors(format!("{{\"objects\": [\"{}\"]}}", "[".repeat(100))).contains("nests"));
}

#[test]
fn bytes_that_are_no_text_are_named_by_their_line() {
    assert_eq!(errors(b"type,value\ndomain,\xff.example\n"), "x:2: is not UTF-8");
}

#[test]
fn a_file_of_nothing_but_errors_tells_fifty_and_counts_the_rest() {
    let (_, errors) = Set::load([("x", format!("type,value\n{}", "domain,x\n".repeat(1000)))]);
    assert_eq!(errors.len(), 51);
    assert_eq!(errors[50].to_string(), "x: 950 more of its entries cannot be used");
}

#[test]
fn texts_that_are_too_long_are_refused_or_cut() {
    let long = "a".repeat(70_000);
    assert!(errors(format!("type,value\ndomain,{long}\n")).contains("x:2: is longer than 65536 bytes"));
    let object = format!(r#"{{"objects": [{{"type": "indicator", "pattern": "{long}"}}]}}"#);
    assert!(errors(object).contains("x: objects[0]: pattern: has 70000 bytes"));
    let (set, _) = Set::load([("x", format!("type,value,why\ndomain,bad.example,{}\n", "ä".repeat(5000)))]);
    assert!(set.indicators()[0].why.len() < 510 && set.indicators()[0].why.ends_with('…'));
}

#[test]
fn letters_that_hide_something_do_not_reach_a_report() {
    let (set, _) = Set::load([("x", "type,value,why\ndomain,bad.example,a\u{1b}[31m\tb\n")]);
    assert_eq!(set.indicators()[0].why.as_ref(), "a [31m b");
}

#[test]
fn keys_that_repeat_and_numbers_beyond_all_bounds_are_no_panic() {
    let text =
        r#"{"objects": [{"type": "x", "type": "indicator", "confidence": 1e999, "pattern": "[url:value = 'x']"}]}"#;
    assert!(errors(text).contains("x:1: is not JSON") || errors(text).contains("confidence"), "{}", errors(text));
    let text = r#"{"objects": [{"type": "indicator", "confidence": 18446744073709551615, "pattern": 5}]}"#;
    assert_eq!(errors(text), "x: objects[0]: confidence: must be a whole number from 0 to 100");
}

proptest! {
    // A failing case is printed; it then gets a test of its own above.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_no_panic(text in "\\PC{0,300}") {
        errors(text);
    }

    #[test]
    fn damaged_files_are_no_panic(
        file in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = [crate::CSV, crate::STIX, crate::MISP][file].as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        errors(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        errors(&bytes);
    }

    #[test]
    fn any_pattern_is_no_panic(pattern in "([\\[\\]()=',!<> a-z.:\\\\é]|OR|IN|AND|'x'|url:value|file:hashes.MD5){0,24}") {
        let object = serde_json::json!({"objects": [{"type": "indicator", "pattern": pattern}]});
        errors(object.to_string());
    }

    #[test]
    fn any_value_is_no_panic(kind in 0..8_usize, value in "[-a-z0-9./:\\[\\]@#?%* é]{0,40}") {
        let word = ["md5", "sha1", "sha256", "address", "network", "domain", "url", "file_name"][kind];
        errors(format!("type,value\n{word},\"{value}\"\n"));
    }

    #[test]
    fn any_event_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        any_bytes(&bytes);
    }

    #[test]
    fn likely_events_are_no_panic(text in "[abdelmpx.:/;, 0-9-]{0,60}") {
        any_bytes(text.as_bytes());
    }
}

//! `CloudTrail` objects, good and bad: bytes in, entries and troubles out.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn record(id: &str) -> String {
    format!(
        r#"{{"eventVersion":"9.99","eventID":"{id}","eventTime":"2026-11-21T18:10:23Z","eventName":"ListUsers","sourceIPAddress":"198.51.100.7","errorCode":"AccessDenied","ofTheFuture":{{"a":1}}}}"#
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = GzEncoder::new(Vec::new(), Compression::fast());
    file.write_all(bytes).expect("memory");
    file.finish().expect("memory")
}

/// Ids of the entries, then troubles, one a line.
fn check(object: &[u8]) -> String {
    let parsed = parse("f", object);
    let ids = parsed.entries.into_iter().map(|entry| entry.id);
    ids.chain(parsed.troubles).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_reads_the_same_gzipped_or_not_or_as_lines() {
    let file = format!(r#"{{"Records":[{},{}]}}"#, record("a"), record("b"));
    assert_eq!(check(file.as_bytes()), "a\nb");
    assert_eq!(check(&gzip(file.as_bytes())), "a\nb");
    assert_eq!(check(format!("{}\n{}\n", record("a"), record("b")).as_bytes()), "a\nb");
}

#[test]
fn unknown_fields_and_versions_are_kept() {
    let parsed = parse("f", format!(r#"{{"Records":[{}]}}"#, record("a")).as_bytes());
    let entry = &parsed.entries[0];
    assert_eq!(entry.original["ofTheFuture"]["a"], 1);
    assert_eq!(entry.text(&["eventVersion"]), Some("9.99"));
    assert!(entry.denied);
    assert_eq!(entry.time.to_string(), "2026-11-21T18:10:23.500Z");
}

#[test]
fn a_truncated_file_gives_what_is_whole_and_names_the_record() {
    let file = format!(r#"{{"Records":[{},{}]}}"#, record("a"), record("b"));
    let told = check(&file.as_bytes()[..file.len() - 20]);
    assert!(told.starts_with("a\nf, record 2: EOF while parsing"), "{told}");
    let packed = gzip(file.as_bytes());
    assert!(check(&packed[..packed.len() / 2]).starts_with("f: not whole gzip"), "truncated gzip");
}

#[test]
fn what_is_no_json_is_named_by_file_and_record() {
    assert!(check(b"<html>").starts_with("f, record 1: expected value at line 1"), "{}", check(b"<html>"));
    assert_eq!(check(br#"{"Records":[{"eventID":"a"}]}"#), "f, record 1: no `eventName`");
    assert!(
        check(
            br#"{"digestStartTime":"x",
        "a":1}"#
        )
        .contains("no `Records`")
    );
}

#[test]
fn a_gzip_bomb_is_refused() {
    let bomb = gzip(&vec![b' '; usize::try_from(UNPACKED_BYTES).expect("fits") + 10]);
    assert_eq!(check(&bomb), format!("f: unpacks to more than {UNPACKED_BYTES} bytes"));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        drop(parse("f", &bytes));
        drop(parse("f", &[&[0x1f, 0x8b][..], &bytes].concat()));
    }
}

//! A bundle is whole, or the file that is not is named.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::custody::manifest::{Envelope, PAYLOAD_TYPE, STATEMENT_TYPE, SignatureEntry, pre_authentication_encoding};
use crate::example;
use crate::model::CaseId;

fn envelope(artifact: &[u8]) -> Vec<u8> {
    let statement = serde_json::json!({
        "_type": STATEMENT_TYPE,
        "subject": [{ "name": "a1", "digest": { "sha256": canonical::sha256(artifact) } }],
        "predicateType": "https://mayfly.example/capture/v1",
    });
    let payload = canonical::bytes(&statement);
    let signature = SigningKey::from_bytes(&[7; 32]).sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload));
    let signatures = vec![SignatureEntry { keyid: String::new(), sig: STANDARD.encode(signature.to_bytes()) }];
    let envelope = Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload: STANDARD.encode(payload), signatures };
    serde_json::to_vec(&envelope).expect("an envelope is JSON")
}

fn bundle() -> BTreeMap<String, Vec<u8>> {
    let artifact: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut journal = example::input().journal;
    journal[2].case_id = Some(CaseId("MF-2026-0002".to_owned()));
    let mut previous = None;
    for record in &mut journal {
        record.previous = previous.unwrap_or_else(|| crate::custody::chain::GENESIS.to_owned());
        record.hash = crate::custody::Chain::hash(record);
        previous = Some(record.hash.clone());
    }
    let payload = b"zstd".as_slice();
    let link = hex::encode(node_log::link(&[0; 32], 1, 1, 9, payload));
    let previous = "00".repeat(32);
    let block = Block { first_position: 1, count: 1, raw_bytes: 9, payload: STANDARD.encode(payload), previous, link };
    let key = hex::encode(SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes());
    let signer = Signer { node: "node-1".to_owned(), signing_key: key };
    let case = example::case();
    let mut files = BTreeMap::from([
        ("captures/cap-1/manifest.dsse.json".to_owned(), envelope(&artifact)),
        ("captures/cap-1/a1".to_owned(), artifact),
        ("nodes/node-1.json".to_owned(), canonical::bytes(&signer)),
        ("blocks/node-1.jsonl".to_owned(), to_lines(&[block])),
        (CUSTODY.to_owned(), to_lines(&slice::slice(&journal, &case.id))),
    ]);
    let index = index(case.id, example::at(900, 0), &files);
    files.insert(INDEX.to_owned(), canonical::bytes(&index));
    files
}

fn problems(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    verify_bundle(files).problems.into_iter().map(|problem| format!("{}: {}", problem.artifact, problem.what)).collect()
}

#[test]
fn a_whole_bundle_verifies() {
    let done = verify_bundle(&bundle());
    assert_eq!(done.problems, Vec::new());
    assert_eq!((done.files, done.manifests, done.blocks), (5, 1, 1));
    assert!(done.records > 10);
}

#[test]
fn a_flipped_byte_is_named_and_located() {
    let mut files = bundle();
    files.get_mut("captures/cap-1/a1").expect("it is there")[70_000] ^= 1;
    let said = problems(&files);
    assert_eq!(
        said,
        [
            "captures/cap-1/a1: its bytes were changed, first between offset 65536 and 131072: the sha256 is not the one of the index"
        ]
    );
}

#[test]
fn an_artifact_and_index_changed_together_are_caught_by_the_nodes_signature() {
    let mut files = bundle();
    files.get_mut("captures/cap-1/a1").expect("it is there")[0] ^= 1;
    let index = index(example::case().id, example::at(900, 0), &files);
    files.insert(INDEX.to_owned(), canonical::bytes(&index));
    let said = problems(&files).join("\n");
    assert!(said.contains("captures/cap-1/a1: the node's signed manifest does not list these bytes"), "{said}");
}

#[test]
fn a_changed_journal_line_is_named_even_with_a_new_index() {
    let mut files = bundle();
    let text = String::from_utf8(files[CUSTODY].clone()).expect("it is text").replacen("\"adam\"", "\"eve\"", 1);
    files.insert(CUSTODY.to_owned(), text.into_bytes());
    let index = index(example::case().id, example::at(900, 0), &files);
    files.insert(INDEX.to_owned(), canonical::bytes(&index));
    let said = problems(&files).join("\n");
    assert!(said.starts_with("custody.jsonl: journal record 13: its content was changed"), "{said}");
}

#[test]
fn other_cases_are_in_the_chain_but_not_shown() {
    let text = String::from_utf8(bundle()[CUSTODY].clone()).expect("it is text");
    assert!(!text.contains("MF-2026-0002"));
    assert!(text.contains("\"line\":\"sealed\""));
}

#[test]
fn a_file_that_was_added_or_removed_is_named() {
    let mut files = bundle();
    files.insert("captures/cap-1/a9".to_owned(), b"planted".to_vec());
    files.remove("blocks/node-1.jsonl");
    let said = problems(&files);
    assert_eq!(
        said,
        ["captures/cap-1/a9: it is not in the index: it was added afterwards", "blocks/node-1.jsonl: it is missing"]
    );
}

/// The bundle as it was exported: without the artifact, and with or without the word that it arrived.
fn without_its_artifact(arrived: bool) -> Verification {
    let mut files = bundle();
    let artifact = files.remove("captures/cap-1/a1").expect("it is there");
    let mut journal = example::input().journal;
    journal.retain(|record| record.kind != Kind::Received);
    if arrived {
        journal[0].kind = Kind::Received;
        journal[0].body = serde_json::json!({"sha256": canonical::sha256(&artifact)});
    }
    let mut previous = crate::custody::chain::GENESIS.to_owned();
    for (record, sequence) in journal.iter_mut().zip(1..) {
        (record.sequence, record.previous) = (sequence, previous);
        record.hash = crate::custody::Chain::hash(record);
        previous = record.hash.clone();
    }
    let case = example::case().id;
    files.insert(CUSTODY.to_owned(), to_lines(&slice::slice(&journal, &case)));
    let index = index(case, example::at(900, 0), &files);
    files.insert(INDEX.to_owned(), canonical::bytes(&index));
    verify_bundle(&files)
}

#[test]
fn an_artifact_that_had_not_arrived_is_absent_and_one_that_was_taken_out_is_a_problem() {
    let told = |said: &[Problem]| said.iter().map(|said| said.artifact.clone()).collect::<Vec<_>>();
    let late = without_its_artifact(false);
    assert_eq!((told(&late.problems), told(&late.absent)), (vec![], vec!["captures/cap-1/a1".to_owned()]));
    let taken = without_its_artifact(true);
    assert_eq!((told(&taken.problems), told(&taken.absent)), (vec!["captures/cap-1/a1".to_owned()], vec![]));
}

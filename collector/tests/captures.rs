//! Captures on their way in: a signed manifest, artifacts in chunks, broken off and resumed, and content that is not what was signed.

#[allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
mod node;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_core::custody::manifest::{PAYLOAD_TYPE, STATEMENT_TYPE, pre_authentication_encoding};
use ed25519_dalek::{Signer, SigningKey};
use node::collector::Collector;
use node::{Node, channel, credentials, hello};
use proto::v1::collector_message::Message as Out;
use proto::v1::node_message::Message as In;
use proto::v1::{ArtifactBegin, ArtifactChunk, Hello, Manifest};
use sha2::{Digest, Sha256};

const KEY: [u8; 32] = [3; 32];

fn manifest(key: [u8; 32], content: &[u8]) -> Manifest {
    let statement = serde_json::json!({
        "_type": STATEMENT_TYPE, "predicateType": "https://mayfly.example/capture/v1", "predicate": {},
        "subject": [{"name": "a1", "digest": {"sha256": hex::encode(Sha256::digest(content))}}],
    });
    let payload = statement.to_string();
    let signature = SigningKey::from_bytes(&key).sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload.as_bytes()));
    let envelope = serde_json::json!({
        "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(&payload),
        "signatures": [{"keyid": "", "sig": STANDARD.encode(signature.to_bytes())}],
    });
    Manifest { capture_id: "c1".to_owned(), envelope: envelope.to_string().into_bytes() }
}

fn begin(content: &[u8]) -> In {
    In::ArtifactBegin(ArtifactBegin {
        capture_id: "c1".to_owned(),
        artifact_id: "a1".to_owned(),
        kind: "executable".to_owned(),
        size: content.len() as u64,
        sha256: Sha256::digest(content).to_vec(),
        ..ArtifactBegin::default()
    })
}

fn chunk(content: &[u8], offset: usize) -> In {
    let end = content.len().min(offset + (200 << 10));
    In::ArtifactChunk(ArtifactChunk {
        capture_id: "c1".to_owned(),
        artifact_id: "a1".to_owned(),
        offset: offset as u64,
        data: content[offset..end].to_vec(),
    })
}

fn introduce() -> Hello {
    Hello { signing_key: SigningKey::from_bytes(&KEY).verifying_key().to_bytes().to_vec(), ..hello("n1") }
}

async fn connect(collector: &Collector, folder: &std::path::Path) -> Node {
    let way = channel(collector.port(), &credentials(folder, "n1"), true);
    Node::connect(way, introduce()).await.expect("welcome")
}

/// What came of it, in one word.
async fn said(node: &mut Node) -> String {
    match node.next().await.expect("an answer") {
        Out::ArtifactAck(ack) if ack.complete => "complete".to_owned(),
        Out::ArtifactAck(ack) => format!("received {}", ack.received),
        Out::Refused(refused) => refused.reason,
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_goes_on_where_it_was_broken_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(folder.path()).await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|number| (number * 31).to_le_bytes()[1]).collect();
    let mut node = connect(&collector, folder.path()).await;
    node.send(In::Manifest(manifest(KEY, &content))).await;
    node.send(begin(&content)).await;
    assert_eq!(said(&mut node).await, "received 0");
    for offset in (0..4_400_000).step_by(200 << 10) {
        node.send(chunk(&content, offset)).await;
    }
    assert!(said(&mut node).await.starts_with("received 4"), "after every four megabytes");
    drop(node);
    let mut node = connect(&collector, folder.path()).await;
    node.send(begin(&content)).await;
    let mut received: usize =
        said(&mut node).await.strip_prefix("received ").expect("not whole").parse().expect("a number");
    assert!(received >= 4 << 20, "{received}");
    while received < content.len() {
        node.send(chunk(&content, received)).await;
        received += 200 << 10;
    }
    assert_eq!(said(&mut node).await, "complete");
    node.send(begin(&content)).await;
    assert_eq!(said(&mut node).await, "complete", "again: it is there");
    let store = collector.ready().store.clone();
    let artifact = store.state.artifacts(Some("c1")).await.expect("an answer").remove(0);
    assert_eq!(store.evidence.get(&artifact.sha256).await.expect("it is stored"), content);
    drop((store, node));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_signed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(folder.path()).await;
    let mut node = connect(&collector, folder.path()).await;
    node.send(begin(b"content")).await;
    assert!(said(&mut node).await.contains("its manifest has not come"));
    node.send(In::Manifest(manifest([4; 32], b"content"))).await;
    assert!(said(&mut node).await.contains("no signature of the envelope was made by the node's key"));
    node.send(In::Manifest(manifest(KEY, b"content"))).await;
    node.send(begin(b"another")).await;
    assert!(said(&mut node).await.contains("its hash is not in the signed manifest"));
    node.send(begin(b"content")).await;
    assert_eq!(said(&mut node).await, "received 0");
    node.send(chunk(b"c0ntent", 0)).await;
    assert!(said(&mut node).await.contains("content has sha256"), "a flipped byte");
    assert!(collector.ready().store.state.artifacts(None).await.expect("an answer").is_empty());
    drop(node);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_no_plain_name_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(folder.path()).await;
    let mut node = connect(&collector, folder.path()).await;
    for id in ["../../etc", "a/b", ".hidden", "a\\b", "a\0", ""] {
        node.send(In::Manifest(Manifest { capture_id: id.to_owned(), ..manifest(KEY, b"content") })).await;
        assert!(said(&mut node).await.contains("its capture's id is "), "{id}");
    }
    node.send(In::Manifest(manifest(KEY, b"content"))).await;
    let named = |id: &str| match begin(b"content") {
        In::ArtifactBegin(begin) => In::ArtifactBegin(ArtifactBegin { artifact_id: id.to_owned(), ..begin }),
        other => other,
    };
    for (id, why) in [("../a1", "no plain name"), ("x/y", "no plain name"), ("manifest.dsse.json", "signed manifest")] {
        node.send(named(id)).await;
        assert!(said(&mut node).await.contains(why), "{id}");
    }
    for id in ["recorder.seg", "4711-open-3", "4711-access_keys.json", "4711-executable"] {
        node.send(named(id)).await;
        assert_eq!(said(&mut node).await, "received 0", "{id}: what an agent calls its own");
    }
    assert!(collector.ready().store.state.capture("../../etc").await.expect("an answer").is_none());
    drop(node);
    collector.stop().await;
}

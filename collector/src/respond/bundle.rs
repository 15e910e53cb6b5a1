//! The evidence of a case as one zip file. Takes a case; gathers what the report rests on: signed manifests, captured files, blocks of the
//! nodes' logs as they came, audit objects as the provider wrote them, the journal's slice and the report; gives bytes that `mayfly verify`
//! checks without us. That it was exported, and by whom, is in the journal before the first byte leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_core::custody::bundle::{CUSTODY, INDEX, Signer, index, readme, to_lines};
use collector_core::custody::{Kind, Record, node_log, slice};
use collector_core::model::{Case, EvidenceRef, NodeEvent};
use collector_core::report::{self, Input};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::captures::capture_ids;
use super::gather::{self, GatherError};
use crate::store::Store;
use crate::store::events::cursor::LogKey;
use crate::store::events::query::QueryError;
use crate::store::evidence::EvidenceError;
use crate::store::journal::JournalError;
use crate::store::state::StateError;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The facts.
    #[error("gather the facts")]
    Gather(#[from] GatherError),
    /// The events.
    #[error("read the nodes' logs")]
    Events(#[from] QueryError),
    /// The state.
    #[error("read the state")]
    State(#[from] StateError),
    /// A stored file is not what was stored.
    #[error("read evidence")]
    Evidence(#[from] EvidenceError),
    /// It cannot be written down that this is exported, so it is not.
    #[error("write down the export")]
    Journal(#[from] JournalError),
    /// The archive.
    #[error("write the archive")]
    Zip(#[from] zip::result::ZipError),
    /// The archive's bytes.
    #[error("write the archive")]
    Write(#[from] std::io::Error),
}

type Contents = BTreeMap<String, Vec<u8>>;

/// The archive.
pub async fn make(store: &Store, case: Case, by: &str) -> Result<Vec<u8>, BundleError> {
    let mut files = Contents::new();
    let before = gather::input(store, case.clone()).await?;
    reports(&before, &mut files);
    let mut events = before.events.clone();
    for cited in before.completeness.iter().flat_map(|statement| &statement.evidence) {
        if let EvidenceRef::Event { node, log_id, position } = cited {
            events.extend(store.events.event(node, log_id, *position).await?);
        }
    }
    logs(store, &events, &mut files).await?;
    files.insert("completeness.jsonl".to_owned(), to_lines(&before.completeness));
    audit(store, &before, &mut files).await?;
    for node in &before.nodes {
        let signer = Signer { node: node.node.clone(), signing_key: node.signing_key.clone() };
        files.insert(format!("nodes/{}.json", node.node), to_lines(&[signer]));
    }
    files.insert("events.jsonl".to_owned(), to_lines(&events));
    let record = store.journal.note(by, Kind::Exported, Some(case.id.clone()), json!({"by": by}))?;
    let journal = store.journal.records();
    captures(store, &before.events, &journal, &mut files).await?;
    let lines = slice::slice(&journal, &case.id);
    files.insert(CUSTODY.to_owned(), to_lines(&lines));
    let preview = index(case.id.clone(), record.time, &files);
    files.insert("README.txt".to_owned(), readme(&preview, &lines).into_bytes());
    let index = index(case.id, record.time, &files);
    files.insert(INDEX.to_owned(), to_lines(&[index]));
    pack(&files)
}

fn reports(input: &Input, files: &mut Contents) {
    let document = report::narrate(input);
    files.insert("report.md".to_owned(), report::markdown(&document).into_bytes());
    files.insert("report.html".to_owned(), report::html(&document).into_bytes());
    files.insert("report.json".to_owned(), report::json(&document).into_bytes());
}

/// Every capture that the events tell of: its envelope as the node signed it, and the files that arrived by the journal's word. That is
/// the word that goes with them: a file that arrives at this very moment is in both, or in neither.
async fn captures(
    store: &Store,
    events: &[NodeEvent],
    journal: &[Record],
    files: &mut Contents,
) -> Result<(), BundleError> {
    let ids = capture_ids(events);
    for id in &ids {
        let Some(capture) = store.state.capture(id).await? else { continue };
        files.insert(format!("captures/{id}/manifest.dsse.json"), capture.envelope);
    }
    for record in journal.iter().filter(|record| record.kind == Kind::Received) {
        let said = |what: &str| record.body.get(what).and_then(Value::as_str);
        let (Some(id), Some(artifact), Some(sha256)) = (said("capture_id"), said("artifact_id"), said("sha256")) else {
            continue;
        };
        if ids.contains(id) {
            let content = store.evidence.get(sha256).await?;
            files.insert(format!("captures/{id}/{artifact}"), content.to_vec());
        }
    }
    Ok(())
}

/// The blocks that hold the case's events, one file a log.
async fn logs(store: &Store, events: &[NodeEvent], files: &mut Contents) -> Result<(), BundleError> {
    let keys: BTreeSet<(&str, &str)> =
        events.iter().map(|event| (event.node.as_str(), event.log_id.as_str())).collect();
    for (node, log_id) in keys {
        let of_log =
            || events.iter().filter(|event| event.node == node && event.log_id == log_id).map(|event| event.position);
        let (Some(first), Some(last)) = (of_log().min(), of_log().max()) else { continue };
        let key = LogKey { node: node.to_owned(), log_id: log_id.to_owned() };
        let mut blocks: BTreeMap<u64, node_log::Block> = BTreeMap::new();
        for frame in store.events.blocks(&key, first, last).await? {
            let meta = &frame.meta;
            let block = node_log::Block {
                first_position: meta.first_position,
                count: u32::try_from(meta.count).unwrap_or(u32::MAX),
                raw_bytes: meta.raw_bytes,
                payload: STANDARD.encode(&frame.payload),
                previous: hex::encode(&meta.previous),
                link: hex::encode(&meta.link),
            };
            blocks.insert(block.first_position, block);
        }
        let blocks: Vec<node_log::Block> = blocks.into_values().collect();
        files.insert(format!("blocks/{node}-{log_id}.jsonl"), to_lines(&blocks));
    }
    Ok(())
}

/// Audit objects, byte for byte.
async fn audit(store: &Store, input: &Input, files: &mut Contents) -> Result<(), BundleError> {
    let objects: BTreeSet<&str> = input.entries.iter().map(|entry| entry.object_sha256.as_str()).collect();
    for sha256 in objects {
        files.insert(format!("audit/{sha256}"), store.evidence.get(sha256).await?.to_vec());
    }
    Ok(())
}

fn pack(files: &Contents) -> Result<Vec<u8>, BundleError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
    for (name, content) in files {
        archive.start_file(name.as_str(), options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

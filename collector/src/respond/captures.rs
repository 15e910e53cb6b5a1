//! What was captured, as the report lists it. Takes the capture ids that the events name; reads the nodes' signed manifests and what has
//! arrived; gives one line an artifact, with its hash, its signature and, where it could not be had, the reason.

use std::collections::BTreeSet;

use collector_core::custody::verify_manifest;
use collector_core::model::{Body, Moment, NodeEvent};
use collector_core::report::Artifact;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::gather::GatherError;
use crate::store::Store;
use crate::store::state::Capture;

/// Artifacts of all captures that these events tell of.
pub async fn artifacts(store: &Store, events: &[NodeEvent]) -> Result<Vec<Artifact>, GatherError> {
    let mut found = Vec::new();
    for id in capture_ids(events) {
        if let Some(capture) = store.state.capture(&id).await? {
            found.extend(of_capture(store, &capture, events).await?);
        }
    }
    Ok(found)
}

/// Captures that these events tell of.
pub fn capture_ids(events: &[NodeEvent]) -> BTreeSet<String> {
    let id = |event: &NodeEvent| match &event.body {
        Body::CaptureSealed { capture_id, .. } => Some(capture_id.clone()),
        _ => None,
    };
    events.iter().filter_map(id).collect()
}

/// What of the node's statement the report tells. Unknown fields are a newer agent's; they stay in the envelope, which is evidence itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    container: Option<ContainerTold>,
    ended: EndedTold,
    artifacts: Vec<Taken>,
    failures: Vec<Failure>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerTold {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EndedTold {
    time_ns: u64,
    uncertainty_us: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Taken {
    artifact_id: String,
    kind: String,
    name: String,
    size: u64,
    sha256: String,
    partial: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Failure {
    kind: String,
    name: String,
    reason: String,
}

async fn of_capture(store: &Store, capture: &Capture, events: &[NodeEvent]) -> Result<Vec<Artifact>, GatherError> {
    let bad = |cause| GatherError::Capture { id: capture.id.clone(), cause };
    let statement = verify_manifest(&capture.envelope, &capture.signing_key);
    let (told, signed_by) = match &statement {
        Ok(statement) => {
            let told: Told = serde_json::from_value(statement.predicate.clone()).map_err(bad)?;
            (told, Some(key_id(&capture.signing_key)))
        }
        // It was checked when it came; what is here now is not what came. The report says so by a missing signature.
        Err(_) => (Told::default(), None),
    };
    let container_id =
        told.container.as_ref().map(|container| container.id.clone()).or_else(|| container_of(events, &capture.id));
    let sealed = Moment { ns: told.ended.time_ns, uncertainty_us: told.ended.uncertainty_us };
    let line = |artifact_id: String, kind: String, name: String| Artifact {
        capture_id: capture.id.clone(),
        artifact_id,
        kind,
        name,
        size: 0,
        sha256: String::new(),
        node: capture.node.clone(),
        container_id: container_id.clone(),
        sealed,
        received: None,
        verified: None,
        signed_by: signed_by.clone(),
        failure: String::new(),
    };
    let mut found = Vec::new();
    for taken in told.artifacts {
        let stored = store.state.stored(&taken.sha256).await?;
        let received = stored.map(|stored| Moment::exact(stored.stored_ns));
        let mut artifact = line(taken.artifact_id, taken.kind, taken.name);
        artifact.size = taken.size;
        artifact.sha256 = taken.sha256;
        artifact.received = received;
        // The store computes the hash before it says that it has something.
        artifact.verified = received;
        artifact.failure = taken.partial.unwrap_or_default();
        found.push(artifact);
    }
    for (number, failure) in told.failures.into_iter().enumerate() {
        let mut artifact = line(format!("missing-{}", number + 1), failure.kind, failure.name);
        artifact.failure = failure.reason;
        found.push(artifact);
    }
    Ok(found)
}

fn container_of(events: &[NodeEvent], capture_id: &str) -> Option<String> {
    let sealed =
        |event: &&NodeEvent| matches!(&event.body, Body::CaptureSealed { capture_id: id, .. } if id == capture_id);
    events.iter().find(sealed)?.container().map(str::to_owned)
}

/// Names a key as the envelopes do: the beginning of the hash of its public half.
fn key_id(public: &[u8]) -> String {
    hex::encode(Sha256::digest(public)).chars().take(16).collect()
}

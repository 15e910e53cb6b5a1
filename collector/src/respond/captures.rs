//! What was captured, as the report lists it. Takes the capture ids that the events name; reads the nodes' signed manifests and what has
//! arrived; gives one line an artifact, with its hash, its signature and, where it could not be had, the reason.

use std::collections::BTreeSet;

use collector_core::custody::manifest;
use collector_core::model::{Body, Moment, NodeEvent};
use collector_core::report::Artifact;

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

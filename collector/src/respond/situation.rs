//! What the planner has to know of the world. Takes a case and the events of its containers; gives containers with their cgroups, what is
//! sealed, and what must not be touched. Asks no provider: what a step needs of one is read when it runs.

use std::collections::BTreeMap;

use collector_core::model::{Body, Case, Entity, NodeEvent};
use collector_core::playbook::{Container, Seal, Situation};

use super::config::RespondConfig;

/// The world as the nodes told it.
pub fn of(case: &Case, events: &[NodeEvent], config: &RespondConfig) -> Situation {
    Situation {
        containers: containers(case, events),
        seals: seals(events),
        protected: config.protected.clone(),
        allow: config.allow.clone(),
        ..Situation::default()
    }
}

/// Ids of the containers that the case is about.
pub fn container_ids(case: &Case) -> Vec<String> {
    let named = case.findings.iter().flat_map(|finding| &finding.entities).chain(&case.entities);
    let mut ids: Vec<String> = named
        .filter_map(|entity| match entity {
            Entity::Container { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

fn containers(case: &Case, events: &[NodeEvent]) -> Vec<Container> {
    let wanted = container_ids(case);
    let mut found: BTreeMap<&str, Container> = BTreeMap::new();
    for event in events {
        match &event.body {
            Body::ContainerSeen(seen) if wanted.contains(&seen.container_id) => {
                let container = found.entry(&seen.container_id).or_insert_with(|| Container {
                    id: seen.container_id.clone(),
                    node: event.node.clone(),
                    cgroup_id: seen.cgroup_id,
                    name: String::new(),
                    image: String::new(),
                    gone: None,
                    evidence: event.evidence(),
                });
                let name = if seen.pod_name.is_empty() {
                    seen.name.clone()
                } else {
                    format!("{}/{}", seen.pod_namespace, seen.pod_name)
                };
                for (known, told) in [(&mut container.name, name), (&mut container.image, seen.image.clone())] {
                    if !told.is_empty() {
                        *known = told;
                    }
                }
            }
            Body::ContainerGone { container_id } => {
                if let Some(container) = found.get_mut(container_id.as_str()) {
                    container.gone = Some(event.time);
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

/// A capture belongs to the container of the event that triggered it.
fn seals(events: &[NodeEvent]) -> Vec<Seal> {
    let sealed = events.iter().filter_map(|event| match &event.body {
        Body::CaptureSealed { capture_id, .. } => Some((capture_id, event)),
        _ => None,
    });
    sealed
        .filter_map(|(capture_id, event)| {
            let container_id = event.container().map(str::to_owned).or_else(|| triggered_in(events, capture_id))?;
            Some(Seal { capture_id: capture_id.clone(), container_id, evidence: event.evidence() })
        })
        .collect()
}

fn triggered_in(events: &[NodeEvent], capture_id: &str) -> Option<String> {
    events.iter().find_map(|event| match &event.body {
        Body::Trigger(trigger) if trigger.capture_id == capture_id => {
            let matched = |other: &&NodeEvent| other.log_id == event.log_id && other.position == trigger.event_position;
            event.container().or_else(|| events.iter().find(matched)?.container()).map(str::to_owned)
        }
        _ => None,
    })
}

//! Whom and what an event or an entry is about. Takes one of them; gives typed entities, first the one who did it. Never guesses:
//! an entity is given only where its key stands in the record itself or in what the node said about its containers.

mod cloudtrail;
mod kubernetes;
mod node;

pub(crate) use cloudtrail::{called_by_service, caller, instance_of_session, issued_key};
pub(crate) use kubernetes::{extra, pod_of_caller, service_account, user};
pub(crate) use node::of_event;

use crate::model::{AuditEntry, AuditSource, Entity, Identity};

/// Entities of one entry: at most this many, because a batch call can name thousands of resources.
const MOST: usize = 64;

/// Everything an entry is about; `pod` finds the unique id of a pod by namespace and name.
pub(crate) fn of_entry(entry: &AuditEntry, pod: &dyn Fn(&str, &str) -> Option<String>) -> Vec<Entity> {
    let mut entities = match entry.source {
        AuditSource::Cloudtrail => cloudtrail::of_entry(entry),
        AuditSource::Kubernetes => kubernetes::of_entry(entry, pod),
    };
    let mut seen = std::collections::BTreeSet::new();
    entities.retain(|entity| seen.insert(entity.clone()));
    entities.truncate(MOST);
    entities
}

fn identity(identity: Identity) -> Entity {
    Entity::Identity { identity }
}

/// A text by its keys, when it is there and not empty.
fn text<'a>(value: &'a serde_json::Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().try_fold(value, |value, key| value.get(key))?.as_str().filter(|text| !text.is_empty())
}

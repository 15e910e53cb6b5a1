//! Entities of a Kubernetes audit entry: the user (a person, a service account, a node or a part of the cluster), the object, and the
//! pod that the caller's token is bound to.

use serde_json::Value;

use super::{identity, text};
use crate::model::{AuditEntry, Entity, Identity};

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

pub(super) fn of_entry(entry: &AuditEntry, pod: &dyn Fn(&str, &str) -> Option<String>) -> Vec<Entity> {
    let original = &entry.original;
    let mut entities = Vec::new();
    if let Some(name) = text(original, &["user", "username"]) {
        entities.push(user(name));
    }
    if let Some(name) = text(original, &["impersonatedUser", "username"]) {
        entities.push(user(name));
    }
    if let Some((uid, name)) = pod_of_caller(entry) {
        let namespace = text(original, &["user", "username"]).and_then(service_account).map_or("", |account| account.0);
        entities.push(Entity::Pod { uid: uid.to_owned(), name: format!("{namespace}/{}", name.unwrap_or_default()) });
    }
    entities.extend(object(original, pod));
    entities.extend(entry.source_address.map(|address| Entity::Address { address }));
    entities
}

/// A user name of the API server's.
pub(crate) fn user(name: &str) -> Entity {
    if let Some((namespace, name)) = service_account(name) {
        return identity(Identity::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() });
    }
    if let Some(node) = name.strip_prefix("system:node:") {
        return Entity::Node { name: node.to_owned() };
    }
    let name = name.to_owned();
    identity(if name.starts_with("system:") { Identity::Service { name } } else { Identity::Person { name } })
}

/// Namespace and name in `system:serviceaccount:NAMESPACE:NAME`.
pub(crate) fn service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// The pod that the caller's token is bound to: its unique id, and its name where the server says it.
pub(crate) fn pod_of_caller(entry: &AuditEntry) -> Option<(&str, Option<&str>)> {
    let uid = extra(entry, POD_UID)?;
    Some((uid, extra(entry, POD_NAME)))
}

/// The first value of an `extra` key of the caller.
pub(crate) fn extra<'a>(entry: &'a AuditEntry, key: &str) -> Option<&'a str> {
    entry.original.get("user")?.get("extra")?.get(key)?.get(0)?.as_str().filter(|text| !text.is_empty())
}

fn object(original: &Value, pod: &dyn Fn(&str, &str) -> Option<String>) -> Option<Entity> {
    let resource = text(original, &["objectRef", "resource"])?;
    let namespace = text(original, &["objectRef", "namespace"]).unwrap_or_default();
    let name = text(original, &["objectRef", "name"]).unwrap_or_default();
    if resource == "pods" && !name.is_empty() {
        let uid = text(original, &["objectRef", "uid"]).map(str::to_owned).or_else(|| pod(namespace, name));
        if let Some(uid) = uid {
            return Some(Entity::Pod { uid, name: format!("{namespace}/{name}") });
        }
    }
    Some(Entity::ClusterObject { name: format!("{resource}/{namespace}/{name}") })
}

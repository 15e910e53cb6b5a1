//! Entities of a node event: process, container, pod, node, and the file or address that it touched.

use crate::model::event::{Actor, ContainerSeen, Flow};
use crate::model::{Body, Entity, NodeEvent, Origin};

/// Everything an event is about.
pub(crate) fn of_event(event: &NodeEvent, container: Option<&ContainerSeen>) -> Vec<Entity> {
    let mut entities = event.actor.as_ref().map(|actor| of_actor(actor, &event.node, container)).unwrap_or_default();
    entities.push(Entity::Node { name: event.node.clone() });
    let place = event.container().unwrap_or(&event.node).to_owned();
    match &event.body {
        Body::Exec(exec) => entities.push(Entity::File { place, path: exec.path.escape() }),
        Body::FileOpen { path, .. } | Body::FileUnlink { path, .. } | Body::FileChmod { path, .. } => {
            entities.push(Entity::File { place, path: path.escape() });
        }
        Body::FileChange(change) => entities.push(Entity::File { place, path: change.path.escape() }),
        Body::Dns(dns) => entities.extend(dns.addresses.iter().map(|address| Entity::Address { address: *address })),
        Body::ClientHello(hello) => entities.push(Entity::Address { address: hello.flow.remote }),
        Body::FileRename { from, to, .. } => {
            entities.push(Entity::File { place: place.clone(), path: from.escape() });
            entities.push(Entity::File { place, path: to.escape() });
        }
        Body::Connect { flow, .. }
        | Body::Accept { flow }
        | Body::Close { flow, .. }
        | Body::DatagramFlow { flow, .. } => {
            let Flow { remote, .. } = *flow;
            entities.push(Entity::Address { address: remote });
        }
        _ => {}
    }
    entities
}

/// The one who did it: process, container, pod.
fn of_actor(actor: &Actor, node: &str, container: Option<&ContainerSeen>) -> Vec<Entity> {
    let mut entities = vec![Entity::Process { key: actor.process.clone(), executable: actor.executable.escape() }];
    if let Origin::Container { id } = &actor.origin {
        entities.push(Entity::Container { id: id.clone(), node: node.to_owned() });
    }
    if let Some(seen) = container.filter(|seen| !seen.pod_uid.is_empty()) {
        let named = !seen.pod_name.is_empty();
        let name = if named { format!("{}/{}", seen.pod_namespace, seen.pod_name) } else { String::new() };
        entities.push(Entity::Pod { uid: seen.pod_uid.clone(), name });
    }
    entities
}

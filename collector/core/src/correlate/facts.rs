//! What correlation keeps of events and entries: typed facts, each with its moment and its evidence. Takes one event or entry; gives
//! the fact in it, if there is one. Most events hold none and cost nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::event::Exec;
use crate::model::{AuditEntry, Body, EvidenceRef, Moment, NodeEvent, ProcessKey};

/// The instance metadata service over IPv4.
pub const METADATA_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// The instance metadata service over IPv6.
pub const METADATA_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254));

/// Where kubelet projects the token of the API server.
const TOKEN_FOLDER: &[u8] = b"/secrets/kubernetes.io/serviceaccount/";

/// The process behind a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) process: ProcessKey,
    pub(crate) executable: String,
    pub(crate) container: Option<String>,
}

/// What a process asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    /// The instance metadata service.
    Metadata,
    /// Its service account token, or the API server.
    Token,
}

/// A process reached for a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contact {
    pub(crate) time: Moment,
    pub(crate) evidence: EvidenceRef,
    pub(crate) asked: Asked,
    pub(crate) who: Who,
}

/// A program was executed in a container by somebody from outside its init's descendants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entered {
    pub(crate) time: Moment,
    pub(crate) evidence: EvidenceRef,
    pub(crate) who: Who,
    pub(crate) parent: Option<ProcessKey>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) truncated: bool,
}

/// One call in an audit log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) time: Moment,
    pub(crate) evidence: EvidenceRef,
    pub(crate) action: String,
    pub(crate) address: Option<IpAddr>,
    pub(crate) by_service: bool,
    pub(crate) denied: bool,
    /// What the caller's token was bound to, in a cluster's log.
    pub(crate) pod_uid: Option<String>,
    pub(crate) token_id: Option<String>,
    pub(crate) resources: Vec<String>,
}

/// Events lost on a node, as the node said it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The first moment of the gap, nanoseconds since 1970.
    pub from_ns: u64,
    /// The last one.
    pub to_ns: u64,
    /// The node.
    pub node: String,
    /// `process`, `network`, `file` or `all`.
    pub class: String,
    /// Why, in the node's words.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The event that says so.
    pub evidence: EvidenceRef,
}

/// A bounded store in an order of its own, so that what is kept does not depend on what came first.
#[derive(Clone, Debug)]
pub(crate) struct Kept<K: Ord, T> {
    items: BTreeMap<K, T>,
    most: usize,
    drop_newest: bool,
}

impl<K: Ord, T: Ord> Kept<K, T> {
    /// Keeps the newest `most`.
    pub(crate) const fn newest(most: usize) -> Self {
        Self { items: BTreeMap::new(), most, drop_newest: false }
    }

    /// Keeps the first `most`.
    pub(crate) const fn first(most: usize) -> Self {
        Self { items: BTreeMap::new(), most, drop_newest: true }
    }

    /// Adds a fact; of two with one key the smaller stays.
    pub(crate) fn add(&mut self, key: K, item: T) {
        match self.items.get_mut(&key) {
            Some(kept) if *kept <= item => {}
            Some(kept) => *kept = item,
            None => {
                self.items.insert(key, item);
            }
        }
        if self.items.len() > self.most {
            if self.drop_newest {
                self.items.pop_last()
            } else {
                self.items.pop_first()
            };
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.values()
    }
}

/// The process of an event, in words that last.
pub(crate) fn who(event: &NodeEvent) -> Option<Who> {
    let actor = event.actor.as_ref()?;
    Some(Who {
        process: actor.process.clone(),
        executable: actor.executable.escape(),
        container: event.container().map(str::to_owned),
    })
}

/// What credential an event reaches for, if any. `api_servers` are the addresses and ports of the cluster's API.
pub(crate) fn asked(body: &Body, api_servers: &[(IpAddr, u16)]) -> Option<Asked> {
    match body {
        Body::Connect { flow, metadata_service, .. } | Body::DatagramFlow { flow, metadata_service } => {
            if *metadata_service || flow.remote == METADATA_V4 || flow.remote == METADATA_V6 {
                Some(Asked::Metadata)
            } else {
                api_servers.contains(&(flow.remote, flow.remote_port)).then_some(Asked::Token)
            }
        }
        Body::FileOpen { path, sensitive, result, repeats: None, .. } if *result >= 0 => {
            let token = sensitive == "service_account_token" || is_token(&path.0);
            token.then_some(Asked::Token)
        }
        _ => None,
    }
}

/// `…/secrets/kubernetes.io/serviceaccount/token`, also through the dated folder that it links to.
fn is_token(path: &[u8]) -> bool {
    path.ends_with(b"/token") && path.windows(TOKEN_FOLDER.len()).any(|part| part == TOKEN_FOLDER)
}

/// The fact of an exec by somebody who came from outside.
pub(crate) fn entered(event: &NodeEvent, exec: &Exec) -> Option<Entered> {
    let actor = event.actor.as_ref()?;
    Some(Entered {
        time: event.time,
        evidence: event.evidence(),
        who: who(event)?,
        parent: actor.parent.clone(),
        arguments: exec.arguments.iter().map(|argument| argument.0.clone()).collect(),
        truncated: exec.arguments_truncated,
    })
}

/// The fact of a call.
pub(crate) fn call(entry: &AuditEntry) -> Call {
    let resources = entry.original.get("resources").and_then(serde_json::Value::as_array);
    let arn = |resource: &serde_json::Value| Some(resource.get("ARN")?.as_str()?.to_owned());
    let mut resources: Vec<String> = resources.into_iter().flatten().take(CITED_RESOURCES).filter_map(arn).collect();
    if let Some(bucket) = entry.text(&["requestParameters", "bucketName"]) {
        resources.push(format!("arn:aws:s3:::{bucket}"));
    }
    Call {
        time: entry.time,
        evidence: entry.evidence(),
        action: entry.action.clone(),
        address: entry.source_address,
        by_service: crate::detect::called_by_service(entry),
        denied: entry.denied,
        pod_uid: crate::detect::pod_of_caller(entry).map(|(uid, _)| uid.to_owned()),
        token_id: crate::detect::extra(entry, "authentication.kubernetes.io/credential-id").map(str::to_owned),
        resources,
    }
}

/// Resources kept of one call.
const CITED_RESOURCES: usize = 8;

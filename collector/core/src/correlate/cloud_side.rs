//! What correlation keeps of audit logs: which credential was used when and from where, who issued it, who asked for an exec in which
//! pod. Takes entries in any order; gives facts by key, account and pod. What is kept does not depend on the order of arrival.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use super::bridge::{ADDRESSES, CALLS, CREDENTIALS, FACTS};
use super::facts::{self, Call, Kept};
use crate::detect::Map;
use crate::model::event::ContainerSeen;
use crate::model::{AuditEntry, AuditSource, Entity, EvidenceRef, Identity, Moment};

/// One call in the order of its log.
type CallKey = (u64, String);

/// A cloud credential and what was done with it. Named by its access key id, or by the session where the log has no key.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    /// The caller's identities as the first kept entry gives them.
    pub(crate) identities: BTreeSet<Identity>,
    pub(crate) calls: Calls,
}

/// The first calls from one address, and the newest.
type OfAddress = (Kept<CallKey, Call>, Kept<CallKey, Call>);

/// Calls of one credential, apart by where they came from: a node's own thousands must not push out a stranger's one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    by_address: BTreeMap<Option<IpAddr>, OfAddress>,
}

impl Calls {
    fn add(&mut self, key: CallKey, call: Call) {
        let fresh = || (Kept::first(CALLS), Kept::newest(CALLS));
        let (first, newest) = self.by_address.entry(call.address).or_insert_with(fresh);
        first.add(key.clone(), call.clone());
        newest.add(key, call);
        if self.by_address.len() > ADDRESSES {
            self.by_address.pop_last();
        }
    }

    /// All that are kept, in order of time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Call> + use<'_> {
        let mut all: Vec<&Call> =
            self.by_address.values().flat_map(|(first, newest)| first.iter().chain(newest.iter())).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
    }
}

/// A key was given out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Issue {
    pub(crate) time: Moment,
    pub(crate) evidence: EvidenceRef,
    pub(crate) action: String,
    /// The credential that asked for it, and who that is.
    pub(crate) by: Option<String>,
    pub(crate) who: Option<Identity>,
}

/// Somebody asked the API server for a process in a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    pub(crate) time: Moment,
    pub(crate) evidence: EvidenceRef,
    pub(crate) who: Entity,
    pub(crate) subresource: String,
    pub(crate) container: Option<String>,
    pub(crate) command: Vec<Vec<u8>>,
    pub(crate) address: Option<IpAddr>,
}

/// A map with a bound: what came first goes first.
#[derive(Debug)]
struct Bounded<K, T> {
    items: Map<K, T>,
    in_order: VecDeque<K>,
}

impl<K: Clone + Eq + std::hash::Hash, T> Bounded<K, T> {
    fn new() -> Self {
        Self { items: Map::default(), in_order: VecDeque::new() }
    }

    fn of(&mut self, key: &K, make: impl FnOnce() -> T) -> &mut T {
        if !self.items.contains_key(key) {
            if self.in_order.len() >= CREDENTIALS
                && let Some(oldest) = self.in_order.pop_front()
            {
                self.items.remove(&oldest);
            }
            self.in_order.push_back(key.clone());
        }
        self.items.entry(key.clone()).or_insert_with(make)
    }
}

/// Both clouds' and clusters' logs, reduced.
#[derive(Debug)]
pub(crate) struct CloudSide {
    credentials: Bounded<String, Credential>,
    by_instance: Bounded<String, BTreeSet<String>>,
    issued: Bounded<String, Issue>,
    issued_by: Bounded<String, BTreeSet<String>>,
    /// By user name, as the cluster writes it: `system:serviceaccount:NAMESPACE:NAME`, `sam@example.com`.
    callers: Bounded<String, Kept<CallKey, Call>>,
    account_of_pod: Bounded<String, (String, String)>,
    requests: Bounded<(String, String), Kept<CallKey, Request>>,
    egress: Bounded<IpAddr, BTreeSet<String>>,
}

impl CloudSide {
    pub(crate) fn new() -> Self {
        Self {
            credentials: Bounded::new(),
            by_instance: Bounded::new(),
            issued: Bounded::new(),
            issued_by: Bounded::new(),
            callers: Bounded::new(),
            account_of_pod: Bounded::new(),
            requests: Bounded::new(),
            egress: Bounded::new(),
        }
    }

    pub(crate) fn learn(&mut self, entry: &AuditEntry) {
        match entry.source {
            AuditSource::Cloudtrail => self.cloudtrail(entry),
            AuditSource::Kubernetes => self.kubernetes(entry),
        }
    }

    fn cloudtrail(&mut self, entry: &AuditEntry) {
        let identities = entry.original.get("userIdentity").map(crate::detect::caller).unwrap_or_default();
        let name = credential_name(&identities);
        let order = (entry.time.ns, entry.id.clone());
        if let Some(name) = &name {
            let call = facts::call(entry);
            for identity in &identities {
                let Identity::RoleSession { arn } = identity else { continue };
                let Some(instance) = crate::detect::instance_of_session(arn) else { continue };
                self.by_instance.of(&instance.to_owned(), BTreeSet::new).insert(name.clone());
                if let Some(address) = call.address {
                    self.egress.of(&address, BTreeSet::new).insert(instance.to_owned());
                }
            }
            let fresh = || Credential { identities: BTreeSet::new(), calls: Calls::default() };
            let credential = self.credentials.of(name, fresh);
            credential.identities.extend(identities.iter().cloned());
            credential.calls.add(order, call);
        }
        if entry.denied {
            return;
        }
        if let Some(key) = crate::detect::issued_key(&entry.original) {
            let who = identities.into_iter().find(|identity| !matches!(identity, Identity::AccessKey { .. }));
            let issue =
                Issue { time: entry.time, evidence: entry.evidence(), action: entry.action.clone(), by: name, who };
            if let Some(by) = &issue.by {
                self.issued_by.of(by, BTreeSet::new).insert(key.to_owned());
            }
            let first = self.issued.of(&key.to_owned(), || issue.clone());
            if issue < *first {
                *first = issue;
            }
        }
    }

    fn kubernetes(&mut self, entry: &AuditEntry) {
        let order = (entry.time.ns, entry.id.clone());
        let name = entry.text(&["user", "username"]).unwrap_or_default();
        if !name.is_empty() {
            self.callers.of(&name.to_owned(), || Kept::newest(FACTS)).add(order.clone(), facts::call(entry));
        }
        if let (Some((namespace, account)), Some((uid, _))) =
            (crate::detect::service_account(name), crate::detect::pod_of_caller(entry))
        {
            self.account_of_pod.of(&uid.to_owned(), || (namespace.to_owned(), account.to_owned()));
        }
        let Some((pod, request)) = request(entry) else { return };
        self.requests.of(&pod, || Kept::newest(FACTS)).add(order, request);
    }

    pub(crate) fn credential(&self, name: &str) -> Option<&Credential> {
        self.credentials.items.get(name)
    }

    /// Credentials of an instance's role sessions, sorted.
    pub(crate) fn of_instance(&self, instance: &str) -> impl Iterator<Item = &String> {
        self.by_instance.items.get(instance).into_iter().flatten()
    }

    /// Who gave out a key.
    pub(crate) fn issue(&self, key: &str) -> Option<&Issue> {
        self.issued.items.get(key)
    }

    /// The keys that a credential asked for, sorted.
    pub(crate) fn issued_by(&self, credential: &str) -> impl Iterator<Item = &String> {
        self.issued_by.items.get(credential).into_iter().flatten()
    }

    /// Calls of a user of the cluster, in order of time.
    pub(crate) fn caller<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Call> + use<'a> {
        self.callers.items.get(name).into_iter().flat_map(Kept::iter)
    }

    /// Calls of a service account, in order of time.
    pub(crate) fn account(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Call> {
        self.caller(&format!("system:serviceaccount:{namespace}:{name}"))
    }

    /// The service account of a container's pod: as the node knows it, else as the cluster's log showed it.
    pub(crate) fn account_of_pod(&self, pod: &ContainerSeen) -> Option<(String, String)> {
        if pod.pod_namespace.is_empty() || pod.service_account.is_empty() {
            return self.account_of_pod.items.get(&pod.pod_uid).cloned();
        }
        Some((pod.pod_namespace.clone(), pod.service_account.clone()))
    }

    pub(crate) fn requests(&self, namespace: &str, pod: &str) -> impl Iterator<Item = &Request> {
        let pod = (namespace.to_owned(), pod.to_owned());
        self.requests.items.get(&pod).into_iter().flat_map(Kept::iter)
    }

    /// Whether other instances' role sessions come from this address too: then it is a gateway's, not a thief's.
    pub(crate) fn shared_egress(&self, address: IpAddr, instance: &str) -> bool {
        self.egress.items.get(&address).is_some_and(|users| users.iter().any(|user| user != instance))
    }

    /// Ids of all access keys that were used or issued, sorted.
    pub(crate) fn access_keys(&self) -> BTreeSet<&str> {
        let names = self.credentials.items.keys().chain(self.issued.items.keys()).map(String::as_str);
        names.filter(|name| !name.starts_with("arn:")).collect()
    }
}

/// How a credential is named: its key id, else its session.
fn credential_name(identities: &[Identity]) -> Option<String> {
    let key = identities.iter().find_map(|identity| match identity {
        Identity::AccessKey { id } => Some(id),
        _ => None,
    });
    let session = identities.iter().find_map(|identity| match identity {
        Identity::RoleSession { arn } => Some(arn),
        _ => None,
    });
    key.or(session).cloned()
}

/// An allowed `exec`, `attach` or `ephemeralcontainers` request with its pod.
fn request(entry: &AuditEntry) -> Option<((String, String), Request)> {
    let subresource = entry.text(&["objectRef", "subresource"])?;
    let known = matches!(subresource, "exec" | "attach" | "ephemeralcontainers");
    if !known || entry.denied || entry.text(&["objectRef", "resource"]) != Some("pods") {
        return None;
    }
    let pod = (entry.text(&["objectRef", "namespace"])?.to_owned(), entry.text(&["objectRef", "name"])?.to_owned());
    let query = parameters(entry.text(&["requestURI"]).unwrap_or_default());
    let command = query.get("command").cloned().unwrap_or_default();
    let container = query.get("container").and_then(|values| String::from_utf8(values.first()?.clone()).ok());
    let received = entry.text(&["requestReceivedTimestamp"]).and_then(moment);
    let request = Request {
        time: received.unwrap_or(entry.time),
        evidence: entry.evidence(),
        who: crate::detect::user(entry.text(&["user", "username"]).unwrap_or("unknown")),
        subresource: subresource.to_owned(),
        container,
        command,
        address: entry.source_address,
    };
    Some((pod, request))
}

/// RFC 3339 with microseconds, as the API server writes it.
fn moment(text: &str) -> Option<Moment> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Moment { ns: u64::try_from(moment.as_nanosecond()).ok()?, uncertainty_us: 1 })
}

/// Parameters kept of one request: a command of the API server's own limit has fewer words.
const PARAMETERS: usize = 256;

/// The query of a URI, percent-decoded, values in their order.
fn parameters(uri: &str) -> BTreeMap<String, Vec<Vec<u8>>> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let mut found: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for pair in query.split('&').take(PARAMETERS) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        found.entry(name.to_owned()).or_default().push(percent_decoded(value));
    }
    found
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'+' => Some(b' '),
            b'%' => {
                let mut digits = rest.clone();
                let value = digits.next().zip(digits.next()).and_then(|(high, low)| {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
                });
                if value.is_some() {
                    rest = digits;
                }
                value
            }
            other => Some(other),
        };
        // A stray percent sign stays what it is.
        bytes.push(decoded.unwrap_or(byte));
    }
    bytes
}

/// Tests of what is hidden behind the facts.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_from_the_uri() {
        let query = parameters(
            "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=id%20%26%26+ls%zz&tty=true",
        );
        let words: Vec<String> =
            query["command"].iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        assert_eq!(words, ["sh", "-c", "id && ls%zz"]);
    }

    #[test]
    fn the_api_servers_times_are_read() {
        assert_eq!(
            moment("2026-03-02T09:08:50.889Z").map(|moment| moment.to_string()),
            Some("2026-03-02T09:08:50.889Z".into())
        );
        assert_eq!(moment("yesterday"), None);
    }
}

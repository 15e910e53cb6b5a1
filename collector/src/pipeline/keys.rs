//! Bridge B6's two halves: access keys that nodes saw in processes, as keyed hashes in signed manifests, and access keys that logs name. Takes
//! captures and a correlator; tells it both, so that it can compare. A manifest that is not its node's is not believed; a secret is never here.

use std::collections::{BTreeMap, BTreeSet};

use collector_core::correlate::{Correlator, Sighting};
use collector_core::custody::verify_manifest;
use collector_core::model::{EvidenceRef, Moment, ProcessKey};
use hmac::{Hmac, KeyInit, Mac};
use proto::hash_secret::{HashSecret, key_id};
use serde::Deserialize;
use sha2::Sha256;

use crate::store::state::Capture;

/// Nodes with a key of hashes of their own. A fleet that is larger shares one, as its configuration says.
const HASH_KEYS: usize = 4_096;

/// What the agent calls the facts of a process that hold its keys' hashes.
const ACCESS_KEYS: &str = "access_keys";

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Keys {
    captures: BTreeSet<String>,
    /// The key that the deployment shares; `None` where it shares none.
    shared: Option<[u8; 32]>,
    /// The nodes' own keys: of each the one that it signed last.
    own: BTreeMap<String, [u8; 32]>,
    /// Whether a node's key found no room, which is said once.
    full: bool,
    /// Nodes that hash with a shared key that is not ours.
    strangers: BTreeSet<String>,
    told: BTreeSet<(String, [u8; 32])>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Predicate {
    boot_id: String,
    processes: Vec<Process>,
    container: Option<Container>,
    ended: Ended,
    access_keys: Vec<AccessKey>,
    keyed_hash: KeyedHash,
    artifacts: Vec<Taken>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Process {
    pid: u32,
    start_ns: u64,
    executable: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Ended {
    time_ns: u64,
    uncertainty_us: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccessKey {
    pid: u32,
    hash: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyedHash {
    key_id: String,
    key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Taken {
    artifact_id: String,
    kind: String,
    sha256: String,
}

impl Keys {
    /// Knows what the deployment shares, if it does.
    pub(super) fn new(secret: Option<&HashSecret>) -> Self {
        Self { shared: secret.map(|secret| *secret.key()), ..Self::default() }
    }

    /// Tells the correlator what is new; says whether anything was.
    pub(super) fn tell(&mut self, captures: &[Capture], correlator: &mut Correlator) -> bool {
        let mut news = false;
        for capture in captures {
            if self.captures.insert(capture.id.clone()) {
                news |= self.seen(capture, correlator);
            }
        }
        let named: Vec<String> = correlator.access_keys().into_iter().map(str::to_owned).collect();
        for id in named {
            for key in self.shared.iter().chain(self.own.values()) {
                if self.told.insert((id.clone(), *key)) {
                    correlator.sightings().used(&id, &keyed_hash(key, &id));
                    news = true;
                }
            }
        }
        news
    }

    fn seen(&mut self, capture: &Capture, correlator: &mut Correlator) -> bool {
        let Ok(statement) = verify_manifest(&capture.envelope, &capture.signing_key) else { return false };
        let Ok(predicate) = serde_json::from_value::<Predicate>(statement.predicate) else { return false };
        self.hashed_with(&predicate.keyed_hash, &capture.node);
        for seen in &predicate.access_keys {
            if let Some(sighting) = sighting(capture, &predicate, seen.pid) {
                correlator.sightings().saw(&seen.hash, sighting);
            }
        }
        !predicate.access_keys.is_empty()
    }

    /// Takes a node's own key, or looks whether the shared one is ours.
    fn hashed_with(&mut self, hash: &KeyedHash, node: &str) {
        let mut key = [0; 32];
        if let Some(told) = &hash.key {
            if hex::decode_to_slice(told, &mut key).is_err() {
                return;
            }
            if self.own.len() < HASH_KEYS || self.own.contains_key(node) {
                self.own.insert(node.to_owned(), key);
            } else if !std::mem::replace(&mut self.full, true) {
                tracing::warn!(
                    node,
                    "{HASH_KEYS} nodes have a key of hashes of their own: access keys that more nodes saw cannot be compared; \
                     let all share one with respond.hash_secret"
                );
            }
        } else if self.shared.map(|key| key_id(&key)).as_ref() != Some(&hash.key_id)
            && self.strangers.insert(node.to_owned())
        {
            tracing::warn!(
                node,
                key_id = hash.key_id,
                "hashes access keys with a secret that respond.hash_secret does not hold: they cannot be compared"
            );
        }
    }
}

/// Where the keys of one process stood, with the captured facts that say so.
fn sighting(capture: &Capture, predicate: &Predicate, pid: u32) -> Option<Sighting> {
    let process = predicate.processes.iter().find(|process| process.pid == pid)?;
    let name = format!("{pid}-{ACCESS_KEYS}.json");
    let of_process = |taken: &&Taken| taken.kind == ACCESS_KEYS && taken.artifact_id == name;
    let facts = predicate.artifacts.iter().find(of_process)?;
    Some(Sighting {
        time: Moment { ns: predicate.ended.time_ns, uncertainty_us: predicate.ended.uncertainty_us },
        process: ProcessKey {
            node: capture.node.clone(),
            boot_id: predicate.boot_id.clone(),
            pid,
            start_ns: process.start_ns,
        },
        executable: process.executable.clone(),
        container: predicate.container.as_ref().map(|container| container.id.clone()),
        evidence: EvidenceRef::Artifact {
            capture_id: capture.id.clone(),
            artifact_id: facts.artifact_id.clone(),
            sha256: facts.sha256.clone(),
        },
    })
}

/// `HMAC-SHA256` of the id, hex, as the agent makes it.
fn keyed_hash(key: &[u8], id: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(id.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_process_that_it_stood_in_and_of_no_other() {
        let predicate: Predicate = serde_json::from_value(serde_json::json!({
            "bootId": "b",
            "processes": [
                {"pid": 7, "startNs": 1, "executable": "/bin/sh"}, {"pid": 8, "startNs": 2, "executable": "/tmp/x"}
            ],
            "accessKeys": [{"pid": 8, "hash": "00", "kind": "AKIA", "place": "memory"}],
            "artifacts": [
                {"artifactId": "7-access_keys.json", "kind": "access_keys", "sha256": "77"},
                {"artifactId": "8-access_keys.json", "kind": "access_keys", "sha256": "88"}
            ]
        }))
        .expect("it reads");
        let capture = Capture {
            id: "c".to_owned(),
            node: "node-1".to_owned(),
            envelope: Vec::new(),
            manifest_sha256: String::new(),
            signing_key: Vec::new(),
            received_ns: 0,
        };
        let seen = sighting(&capture, &predicate, predicate.access_keys[0].pid).expect("it stood there");
        assert_eq!((seen.process.pid, seen.process.start_ns, seen.executable.as_str()), (8, 2, "/tmp/x"));
        assert!(matches!(seen.evidence, EvidenceRef::Artifact { sha256, .. } if sha256 == "88"));
        assert!(sighting(&capture, &predicate, 9).is_none(), "no such process was captured");
    }

    #[test]
    fn a_nodes_own_key_is_taken_and_a_shared_one_is_compared() {
        let secret = HashSecret::of(b"a deployment");
        let mut keys = Keys::new(Some(&secret));
        keys.hashed_with(&KeyedHash { key_id: key_id(secret.key()), key: None }, "node-1");
        keys.hashed_with(&KeyedHash { key_id: String::new(), key: Some(hex::encode([7; 32])) }, "node-2");
        keys.hashed_with(&KeyedHash { key_id: String::new(), key: Some("no key".to_owned()) }, "node-3");
        assert_eq!(keys.shared, Some(*secret.key()));
        assert_eq!(keys.own, BTreeMap::from([("node-2".to_owned(), [7; 32])]));
        assert!(keys.strangers.is_empty());
        let other = key_id(HashSecret::of(b"another deployment").key());
        keys.hashed_with(&KeyedHash { key_id: other, key: None }, "node-4");
        assert_eq!(keys.strangers, BTreeSet::from(["node-4".to_owned()]));
    }

    #[test]
    fn a_node_has_one_key_and_a_full_house_is_told() {
        let of = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            key
        };
        let told = |number| KeyedHash { key_id: String::new(), key: Some(hex::encode(of(number))) };
        let mut keys = Keys::new(None);
        for number in 0..=HASH_KEYS {
            keys.hashed_with(&told(number), "node-of-many-keys");
        }
        assert_eq!(keys.own, BTreeMap::from([("node-of-many-keys".to_owned(), of(HASH_KEYS))]), "the last one");
        for number in 1..HASH_KEYS {
            keys.hashed_with(&told(number), &format!("node-{number}"));
        }
        assert_eq!((keys.own.len(), keys.full), (HASH_KEYS, false), "each of the others found room");
        keys.hashed_with(&told(0), "one-too-many");
        assert_eq!((keys.own.len(), keys.full), (HASH_KEYS, true));
        keys.hashed_with(&told(9), "node-7");
        assert_eq!(keys.own["node-7"], of(9), "who has a place keeps it");
    }

    #[test]
    fn the_hash_is_the_one_of_rfc_4231() {
        let hash = keyed_hash(b"Jefe", "what do ya want for nothing?");
        assert_eq!(hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

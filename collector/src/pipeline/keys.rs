//! Bridge B6's two halves: access keys that nodes saw in processes, as keyed hashes in signed manifests, and access keys that logs name. Takes
//! captures and a correlator; tells it both, so that it can compare. A manifest that is not its node's is not believed; a secret is never here.

use std::collections::BTreeSet;

use collector_core::correlate::{Correlator, Sighting};
use collector_core::custody::verify_manifest;
use collector_core::model::{EvidenceRef, Moment, ProcessKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::store::state::Capture;

/// Different keys of hashes: one a node. A fleet that is larger shares one key, as its configuration says.
const HASH_KEYS: usize = 4_096;

/// What the agent calls the facts of a process that hold its keys' hashes.
const ACCESS_KEYS: &str = "access_keys";

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Keys {
    captures: BTreeSet<String>,
    /// The nodes' own keys of hashes.
    nodes_own: BTreeSet<Vec<u8>>,
    told: BTreeSet<(String, Vec<u8>)>,
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
#[serde(default)]
struct KeyedHash {
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
            for key in &self.nodes_own {
                if self.told.insert((id.clone(), key.clone())) {
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
        let key = predicate.keyed_hash.key.as_deref().and_then(|key| hex::decode(key).ok());
        if let Some(key) = key.filter(|_| self.nodes_own.len() < HASH_KEYS) {
            self.nodes_own.insert(key);
        }
        for seen in &predicate.access_keys {
            if let Some(sighting) = sighting(capture, &predicate, seen.pid) {
                correlator.sightings().saw(&seen.hash, sighting);
            }
        }
        !predicate.access_keys.is_empty()
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
    fn the_hash_is_the_one_of_rfc_4231() {
        let hash = keyed_hash(b"Jefe", "what do ya want for nothing?");
        assert_eq!(hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

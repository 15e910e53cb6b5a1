//! Access keys that nodes saw in processes, by keyed hash. Takes hashes that the caller has computed; answers which process a key stood
//! in. Never sees a secret, and never computes a hash: the hash's key lives outside of judgement.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EvidenceRef, Moment, ProcessKey};

/// Where a key was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// When the node looked.
    pub time: Moment,
    /// The process in whose environment or open files it stood.
    pub process: ProcessKey,
    /// Its executable, escaped.
    pub executable: String,
    /// Its container, if it was in one.
    pub container: Option<String>,
    /// The captured facts that hold the hash.
    pub evidence: EvidenceRef,
}

/// Sightings kept: captures are rare, and each holds few keys.
const SIGHTINGS: usize = 65_536;

/// Keyed hashes, seen and used.
#[derive(Debug, Default)]
pub struct KeySightings {
    seen: BTreeMap<String, BTreeSet<Sighting>>,
    count: usize,
    hashes: BTreeMap<String, BTreeSet<String>>,
}

impl KeySightings {
    /// A node saw a key with this hash. Beyond the bound further sightings are not taken.
    pub fn saw(&mut self, keyed_hash: &str, sighting: Sighting) {
        if self.count < SIGHTINGS && self.seen.entry(keyed_hash.to_owned()).or_default().insert(sighting) {
            self.count += 1;
        }
    }

    /// An access key of a log has this hash. Nodes with hash keys of their own give several hashes for one id.
    pub fn used(&mut self, access_key_id: &str, keyed_hash: &str) {
        self.hashes.entry(access_key_id.to_owned()).or_default().insert(keyed_hash.to_owned());
    }

    /// Where a key was seen.
    pub(crate) fn of_key(&self, access_key_id: &str) -> impl Iterator<Item = &Sighting> {
        let hashes = self.hashes.get(access_key_id).into_iter().flatten();
        hashes.filter_map(|hash| self.seen.get(hash)).flatten()
    }

    /// Keys with a sighting that `fits`, sorted.
    pub(crate) fn keys_where(&self, fits: impl Fn(&Sighting) -> bool) -> Vec<&str> {
        let keys = self.hashes.keys().map(String::as_str);
        keys.filter(|key| self.of_key(key).any(&fits)).collect()
    }
}

//! B6: an access key stood in a process' environment or files, and the log shows its use. Exact: the id is unique, and only its keyed
//! hash ever left the node.

use super::super::bridge::{CITED, KEY_WINDOW_NS};
use super::super::facts::Who;
use super::super::sighting::Sighting;
use super::{Question, Subject, access_key, both, process, span, subject_of, told};
use crate::model::{Bridge, Edge, EdgeState, Strength};

impl Question<'_> {
    /// From a container or process on: keys that were seen in it.
    pub(super) fn keys_seen(&mut self, subject: &Subject) {
        let fits = |sighting: &Sighting| match subject {
            Subject::Container { node, id } => {
                sighting.process.node == *node && sighting.container.as_ref() == Some(id)
            }
            Subject::HostProcess(process) => sighting.process == *process,
            Subject::Credential(_) => false,
        };
        let keys: Vec<String> = self.known.sightings.keys_where(fits).into_iter().map(str::to_owned).collect();
        for key in keys {
            self.sightings_of(&key);
        }
    }

    /// From a key on: where it was seen.
    pub(super) fn sightings_of(&mut self, key: &str) {
        let known = self.known;
        for sighting in known.sightings.of_key(key) {
            let who = Who {
                process: sighting.process.clone(),
                executable: sighting.executable.clone(),
                container: sighting.container.clone(),
            };
            if let Some(edge) = self.key_edge(key, sighting, &who) {
                self.subject(subject_of(&who));
                self.add(edge);
            }
        }
    }

    fn key_edge(&self, key: &str, sighting: &Sighting, who: &Who) -> Option<Edge> {
        let credential = self.known.cloud.credential(key)?;
        let near = |ns: i64| ns.unsigned_abs() <= KEY_WINDOW_NS;
        // A process is looked at when a rule fires: what it did with the key may come before as well as after.
        let uses = || credential.calls.iter().filter(|call| near(sighting.time.delta_ns(call.time)));
        let first = uses().next()?;
        let delta_ns = sighting.time.delta_ns(first.time);
        let order = if delta_ns < 0 { "before" } else { "after" };
        let from = first.address.map_or_else(String::new, |address| format!(" from {address}"));
        Some(Edge {
            bridge: Bridge::B6,
            strength: Strength::Exact,
            from: process(who),
            to: access_key(key),
            reason: format!(
                "access key {key} stood in {}; it was used for {}{from}, {} {order} it was seen there",
                told(who),
                first.action,
                span(delta_ns),
            ),
            evidence: both(&sighting.evidence, uses().map(|call| &call.evidence).take(CITED)),
            delta_ns,
            state: EdgeState::Joined,
        })
    }
}

//! C2: one session asked for the next one's key. Exact: the key's id is in the answer of the call that made it and in every call that
//! was made with it. A use from before the key was given out is somebody else's record, and no match.

use super::super::bridge::{CITED, CLOUDTRAIL_LATE_NS, SESSION_WINDOW_NS};
use super::super::cloud_side::Issue;
use super::super::facts::Call;
use super::{Question, access_key, both, follows, span};
use crate::model::{Bridge, Edge, EdgeState, Entity, NonEmpty, Strength};

impl Question<'_> {
    /// From a credential forward to the keys it asked for, and back to who asked for it.
    pub(super) fn chain(&mut self, name: &str) {
        let known = self.known;
        if let Some(issue) = known.cloud.issue(name) {
            self.chain_edge(name, issue);
        }
        for next in known.cloud.issued_by(name) {
            if let Some(issue) = known.cloud.issue(next) {
                self.chain_edge(next, issue);
            }
        }
    }

    fn chain_edge(&mut self, key: &str, issue: &Issue) {
        let by = issue.by.as_ref().map(|by| access_key(by));
        let Some(from) = by.or_else(|| issue.who.clone().map(|identity| Entity::Identity { identity })) else { return };
        // A user's key has no end; a session's has.
        let window = if key.starts_with("AKIA") { u64::MAX } else { SESSION_WINDOW_NS };
        let calls = self.known.cloud.credential(key).into_iter().flat_map(|credential| credential.calls.iter());
        let uses: Vec<&Call> = calls.filter(|call| follows(issue.time, call.time, window)).collect();
        let who = issue.who.as_ref().map_or_else(|| from.to_string(), ToString::to_string);
        let to = access_key(key);
        let edge = if let Some(first) = uses.first() {
            let address = first.address.map_or_else(String::new, |address| format!(" from {address}"));
            let delta_ns = issue.time.delta_ns(first.time);
            let action = &issue.action;
            Edge {
                bridge: Bridge::C2,
                strength: Strength::Exact,
                reason: format!(
                    "{action} by {who} gave out access key {key}; {} later it was used for {}{address}",
                    span(delta_ns),
                    first.action
                ),
                from,
                to,
                evidence: both(&issue.evidence, uses.iter().map(|call| &call.evidence).take(CITED)),
                delta_ns,
                state: EdgeState::Joined,
            }
        } else {
            let until_ns = issue.time.ns.saturating_add(CLOUDTRAIL_LATE_NS);
            if self.now.ns >= until_ns {
                return;
            }
            Edge {
                bridge: Bridge::C2,
                strength: Strength::Exact,
                reason: format!(
                    "{} by {who} gave out access key {key}; no use of it has been logged yet",
                    issue.action
                ),
                from,
                to,
                evidence: NonEmpty::one(issue.evidence.clone()),
                delta_ns: 0,
                state: EdgeState::Pending { until_ns },
            }
        };
        self.add(edge);
    }
}

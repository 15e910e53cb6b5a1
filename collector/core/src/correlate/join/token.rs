//! B4: a process read its service account token, or reached the API server; the server's audit log then shows that account. Exact where
//! the log names the pod that the token is bound to; strong where it names only the account. Another pod's token is no match.

use super::super::bridge::{CITED, KUBERNETES_LATE_NS, TOKEN_WINDOW_NS};
use super::super::facts::{Asked, Call, Contact};
use super::super::node_side::NodeSide;
use super::{Question, Subject, both, follows, process, span, told};
use crate::model::event::ContainerSeen;
use crate::model::{Bridge, Edge, EdgeState, Entity, Identity, NonEmpty, Strength};

impl Question<'_> {
    pub(super) fn tokens(&mut self, node: &NodeSide, subject: &Subject) {
        let contacts = node.contacts.iter().filter(|contact| contact.asked == Asked::Token);
        for contact in contacts.filter(|contact| Self::is_of(node, &contact.who, subject)) {
            let Some(pod) = contact.who.container.as_ref().and_then(|id| node.container(id)) else { continue };
            let Some((namespace, account)) = self.known.cloud.account_of_pod(pod) else { continue };
            match self.token_edge(contact, pod, &namespace, &account) {
                Some(edge) => self.add(edge),
                None => self.token_pending(contact, namespace, account),
            }
        }
    }

    fn token_edge(&self, contact: &Contact, pod: &ContainerSeen, namespace: &str, account: &str) -> Option<Edge> {
        let calls = self.known.cloud.account(namespace, account);
        let after = calls.filter(|call| follows(contact.time, call.time, TOKEN_WINDOW_NS));
        let ours: Vec<&Call> = after
            .filter(|call| call.pod_uid.as_ref().is_none_or(|uid| pod.pod_uid.is_empty() || *uid == pod.pod_uid))
            .collect();
        let bound = |call: &&&Call| call.pod_uid.as_ref().is_some_and(|uid| *uid == pod.pod_uid);
        let exact: Vec<&Call> = ours.iter().filter(bound).copied().collect();
        let (strength, calls) = if exact.is_empty() { (Strength::Strong, ours) } else { (Strength::Exact, exact) };
        let first = *calls.first()?;
        let token = first.token_id.as_ref().map_or_else(String::new, |id| format!(" (token {id})"));
        let bound = if strength == Strength::Exact {
            format!(", with a token{token} that is bound to pod {}/{}", pod.pod_namespace, pod.pod_name)
        } else {
            "; the log does not say which pod's token it was".to_owned()
        };
        let from = first.address.map_or_else(String::new, |address| format!(" from {address}"));
        Some(Edge {
            bridge: Bridge::B4,
            strength,
            from: process(&contact.who),
            to: service_account(namespace.to_owned(), account.to_owned()),
            reason: format!(
                "{} took the credential of service account {namespace}/{account}; {} later that account called {}{from}{bound}",
                told(&contact.who),
                span(contact.time.delta_ns(first.time)),
                first.action,
            ),
            evidence: both(&contact.evidence, calls.iter().map(|call| &call.evidence).take(CITED)),
            delta_ns: contact.time.delta_ns(first.time),
            state: EdgeState::Joined,
        })
    }

    fn token_pending(&mut self, contact: &Contact, namespace: String, account: String) {
        let until_ns = contact.time.ns.saturating_add(KUBERNETES_LATE_NS);
        if self.now.ns >= until_ns {
            return;
        }
        self.add(Edge {
            bridge: Bridge::B4,
            strength: Strength::Strong,
            from: process(&contact.who),
            reason: format!(
                "{} took the credential of service account {namespace}/{account}; the cluster's audit log may still be late with \
                 what was done with it",
                told(&contact.who)
            ),
            to: service_account(namespace, account),
            evidence: NonEmpty::one(contact.evidence.clone()),
            delta_ns: 0,
            state: EdgeState::Pending { until_ns },
        });
    }
}

fn service_account(namespace: String, name: String) -> Entity {
    Entity::Identity { identity: Identity::ServiceAccount { namespace, name } }
}

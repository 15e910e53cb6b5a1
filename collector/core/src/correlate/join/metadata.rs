//! B1: a process asked the instance metadata service; a session that only this service gives out was then used. Strong by itself: the
//! session names the instance, not the process. Exact where the key itself was seen in that process or container.

use std::net::IpAddr;

use super::super::Correlator;
use super::super::bridge::{CITED, CLOUDTRAIL_LATE_NS, METADATA_WINDOW_NS};
use super::super::cloud_side::Credential;
use super::super::facts::{Asked, Call, Contact};
use super::super::node_side::NodeSide;
use super::{Question, Subject, access_key, both, follows, process, span, subject_of, told};
use crate::model::{Bridge, Edge, EdgeState, Entity, Moment, NonEmpty, Strength};

/// Where a call came from, as seen from the node whose session made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::correlate) enum Place {
    /// From an address that is not the node's: the credential left it.
    Outside,
    /// From the node itself, or from a gateway that others use too.
    Inside,
    /// The node never said its addresses.
    Unknown,
    /// An AWS service on the session's behalf: it says nothing about who holds the key.
    Service,
}

impl Question<'_> {
    /// From a container or process on: everything its contacts led to.
    pub(super) fn metadata(&mut self, node: &NodeSide, subject: &Subject) {
        let contacts = node.contacts.iter().filter(|contact| contact.asked == Asked::Metadata);
        for contact in contacts.filter(|contact| Self::is_of(node, &contact.who, subject)) {
            let mut joined = false;
            for name in node.facts.instance_id.iter().flat_map(|instance| self.known.cloud.of_instance(instance)) {
                let edge = self.metadata_edge(node, contact, name);
                joined |= edge.as_ref().is_some_and(|edge| edge.strength >= Strength::Strong);
                if let Some(edge) = edge {
                    self.add(edge);
                }
            }
            if !joined {
                self.metadata_pending(node, contact);
            }
        }
    }

    /// From a credential back: who on its instance could have taken it. A process that is in no finding is named only where it
    /// is the last one that asked before the credential was used from outside.
    pub(super) fn metadata_backward(&mut self, name: &str) {
        let Some(credential) = self.known.cloud.credential(name) else { return };
        let Some(instance) = instance(credential) else { return };
        let Some(node) = self.known.node_of_instance(instance) else { return };
        let calls = credential.calls.iter();
        let outside =
            calls.filter(|call| place(self.known, node, call, instance, credential, call.time) == Place::Outside);
        let Some(first) = outside.min() else { return };
        let asked = node.contacts.iter().filter(|contact| contact.asked == Asked::Metadata);
        let before = asked.filter(|contact| follows(contact.time, first.time, METADATA_WINDOW_NS));
        let Some(last) = before.max_by_key(|contact| (contact.time, &contact.evidence)) else { return };
        if let Some(edge) = self.metadata_edge(node, last, name) {
            self.subject(subject_of(&last.who));
            self.add(edge);
        }
    }

    fn metadata_edge(&self, node: &NodeSide, contact: &Contact, name: &str) -> Option<Edge> {
        let credential = self.known.cloud.credential(name)?;
        let instance = instance(credential)?;
        let after = |call: &&Call| follows(contact.time, call.time, METADATA_WINDOW_NS);
        let place = |call: &Call| place(self.known, node, call, instance, credential, contact.time);
        let mut calls: Vec<(Place, &Call)> =
            credential.calls.iter().filter(after).map(|call| (place(call), call)).collect();
        calls.sort();
        let (best, first) = *calls.first()?;
        let cited = calls.iter().filter(|(place, _)| *place == best).map(|(_, call)| &call.evidence).take(CITED);
        let older = credential.calls.iter().next().is_some_and(|call| !follows(contact.time, call.time, u64::MAX));
        let seen = self.known.sightings.of_key(name).any(|sighting| {
            sighting.process == contact.who.process
                || (sighting.container.is_some() && sighting.container == contact.who.container)
        });
        let strength = match best {
            _ if seen => Strength::Exact,
            Place::Outside => Strength::Strong,
            Place::Inside | Place::Unknown if !older => Strength::Strong,
            Place::Inside | Place::Unknown | Place::Service => Strength::Weak,
        };
        Some(Edge {
            bridge: Bridge::B1,
            strength,
            from: process(&contact.who),
            to: access_key(name),
            reason: reason(node, contact, first, best, instance, seen),
            evidence: both(&contact.evidence, cited),
            delta_ns: contact.time.delta_ns(first.time),
            state: EdgeState::Joined,
        })
    }

    fn metadata_pending(&mut self, node: &NodeSide, contact: &Contact) {
        let until_ns = contact.time.ns.saturating_add(CLOUDTRAIL_LATE_NS);
        if self.now.ns >= until_ns {
            return;
        }
        let to = match &node.facts.instance_id {
            Some(instance) => Entity::CloudResource { arn: instance.clone() },
            None => Entity::Node { name: node.facts.node.clone() },
        };
        let reason = format!(
            "{} asked the instance metadata service, which gives out the credentials of the instance's role; CloudTrail may \
             still be late with what was done with them",
            told(&contact.who)
        );
        self.add(Edge {
            bridge: Bridge::B1,
            strength: Strength::Strong,
            from: process(&contact.who),
            to,
            reason,
            evidence: NonEmpty::one(contact.evidence.clone()),
            delta_ns: 0,
            state: EdgeState::Pending { until_ns },
        });
    }
}

/// Where a call of an instance's credential came from. An address that it was used from before `since` is the node's usual way out.
pub(in crate::correlate) fn place(
    known: &Correlator,
    node: &NodeSide,
    call: &Call,
    instance: &str,
    credential: &Credential,
    since: Moment,
) -> Place {
    let Some(address) = call.address else { return if call.by_service { Place::Service } else { Place::Unknown } };
    if node.facts.addresses.contains(&address)
        || known.site.egress.iter().any(|net| net.contains(&address))
        || known.cloud.shared_egress(address, instance)
        || used_before(credential, address, since)
    {
        return Place::Inside;
    }
    if node.facts.addresses.is_empty() { Place::Unknown } else { Place::Outside }
}

/// The instance whose profile a credential belongs to.
pub(in crate::correlate) fn instance(credential: &Credential) -> Option<&str> {
    credential.identities.iter().find_map(|identity| match identity {
        crate::model::Identity::RoleSession { arn } => crate::detect::instance_of_session(arn),
        _ => None,
    })
}

/// An address that the credential was used from before anybody asked is the node's usual way out.
fn used_before(credential: &Credential, address: IpAddr, since: Moment) -> bool {
    credential.calls.iter().any(|call| call.address == Some(address) && !follows(since, call.time, u64::MAX))
}

fn reason(node: &NodeSide, contact: &Contact, call: &Call, place: Place, instance: &str, seen: bool) -> String {
    let from = call.address.map_or_else(|| "an AWS service".to_owned(), |address| address.to_string());
    let place = match place {
        Place::Outside => {
            format!("from {from}, which is not an address of {}: the credential has left the node", node.facts.node)
        }
        Place::Inside => format!("from {from}, where the node's own calls come from"),
        Place::Unknown => format!("from {from}; the node's own addresses are not known"),
        Place::Service => "through an AWS service, as the node's own software does it too".to_owned(),
    };
    let seen = if seen { "; the key itself was seen there" } else { "" };
    format!(
        "{} asked the instance metadata service{seen}; {} later a session of {instance}, which only that service gives out, called \
         {} {place}",
        told(&contact.who),
        span(contact.time.delta_ns(call.time)),
        call.action,
    )
}

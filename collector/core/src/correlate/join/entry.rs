//! B5: a program began in a container without descending from its first process; somebody had asked the API server for just that. Names
//! the person. Joined by pod and time, and by the command where the log carries it; another pod or another command is no match.

use std::collections::BTreeSet;

use super::super::bridge::{EXEC_WINDOW_NS, KUBERNETES_LATE_NS};
use super::super::cloud_side::Request;
use super::super::facts::Entered;
use super::super::node_side::NodeSide;
use super::{Question, Subject, both, process, span, told};
use crate::model::event::ContainerSeen;
use crate::model::{Bridge, Edge, EdgeState, Entity, Moment, NonEmpty, ProcessKey, Strength};

impl Question<'_> {
    pub(super) fn entries(&mut self, node: &NodeSide, subject: &Subject) {
        let Subject::Container { id, .. } = subject else { return };
        let Some(pod) = node.container(id).filter(|seen| !seen.pod_name.is_empty()) else { return };
        let here: Vec<&Entered> =
            node.entered.iter().filter(|entered| entered.who.container.as_ref() == Some(id)).collect();
        let inside: BTreeSet<&ProcessKey> = here.iter().map(|entered| &entered.who.process).collect();
        // Children of the one who came in came in with it.
        let inside_parent = |entered: &&&Entered| entered.parent.as_ref().is_some_and(|parent| inside.contains(parent));
        let roots: Vec<&Entered> = here.iter().filter(|entered| !inside_parent(entered)).copied().collect();
        let mut joined = BTreeSet::new();
        let mut unexplained = Vec::new();
        for entered in &roots {
            match self.entry_edge(entered, pod, &roots) {
                Some(edge) => {
                    joined.insert(entered.who.process.clone());
                    self.add(edge);
                }
                None => unexplained.push(*entered),
            }
        }
        // A runtime executes itself first and the command then: one joined image explains the process.
        for entered in unexplained.into_iter().filter(|entered| !joined.contains(&entered.who.process)) {
            self.entry_pending(entered, pod);
        }
    }

    fn entry_edge(&self, entered: &Entered, pod: &ContainerSeen, roots: &[&Entered]) -> Option<Edge> {
        let near = |request: &&Request| within(request.time, entered.time);
        let fits = |request: &&Request| {
            let container = request.container.as_ref();
            container.is_none_or(|name| pod.name.is_empty() || *name == pod.name) && same_command(request, entered)
        };
        let requests = self.known.cloud.requests(&pod.pod_namespace, &pod.pod_name);
        let nearest =
            |request: &&Request| (request.time.delta_ns(entered.time).unsigned_abs(), request.evidence.clone());
        let request = requests.filter(near).filter(fits).min_by_key(nearest)?;
        let said = !request.command.is_empty();
        // Without the command, a second process that came in at the same time could be the one that was asked for.
        let others =
            roots.iter().filter(|other| other.who.process != entered.who.process && within(request.time, other.time));
        let strength = if said || others.count() == 0 { Strength::Strong } else { Strength::Weak };
        let from = request.address.map_or_else(String::new, |address| format!(" from {address}"));
        let command = if said { "with the same command" } else { "the log does not carry the command" };
        Some(Edge {
            bridge: Bridge::B5,
            strength,
            from: process(&entered.who),
            to: request.who.clone(),
            reason: format!(
                "{} asked{from} for {} in pod {}/{}, {command}; {} later {} began there from outside the container",
                request.who,
                request.subresource,
                pod.pod_namespace,
                pod.pod_name,
                span(request.time.delta_ns(entered.time)),
                told(&entered.who),
            ),
            evidence: both(&entered.evidence, [&request.evidence]),
            delta_ns: request.time.delta_ns(entered.time),
            state: EdgeState::Joined,
        })
    }

    fn entry_pending(&mut self, entered: &Entered, pod: &ContainerSeen) {
        let until_ns = entered.time.ns.saturating_add(KUBERNETES_LATE_NS);
        if self.now.ns >= until_ns {
            return;
        }
        self.add(Edge {
            bridge: Bridge::B5,
            strength: Strength::Strong,
            from: process(&entered.who),
            to: Entity::Pod { uid: pod.pod_uid.clone(), name: format!("{}/{}", pod.pod_namespace, pod.pod_name) },
            reason: format!(
                "{} began from outside the container; the cluster's audit log may still be late with who asked for it",
                told(&entered.who)
            ),
            evidence: NonEmpty::one(entered.evidence.clone()),
            delta_ns: 0,
            state: EdgeState::Pending { until_ns },
        });
    }
}

/// Two seconds either way: the two clocks differ by what each says of itself, and by that at least.
fn within(asked: Moment, began: Moment) -> bool {
    let slack = (u64::from(asked.uncertainty_us) + u64::from(began.uncertainty_us)) * 1_000;
    asked.delta_ns(began).unsigned_abs() <= EXEC_WINDOW_NS + slack
}

/// Whether the request can have been for this program: an unknown command contradicts nothing.
fn same_command(request: &Request, entered: &Entered) -> bool {
    if request.command.is_empty() {
        return true;
    }
    if entered.truncated {
        return request.command.starts_with(&entered.arguments) || entered.arguments.starts_with(&request.command);
    }
    request.command == entered.arguments
}

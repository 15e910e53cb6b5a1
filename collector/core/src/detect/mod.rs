//! Events and entries against rules and indicators. Takes one event or entry at a time, in the order of each log; gives the findings of
//! what matches it. Never decides which findings belong together, nor how bad they are as a whole.

mod changes;
mod entities;
mod finding;
mod listed;
mod powers;
mod processes;
mod sequences;
#[cfg(test)]
mod sequences_tests;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use rules::indicators::{Hit, Set};
use rules::{Engine, JsonEvent, LogSource, RuleIndex, fields};

pub(crate) use entities::{
    called_by_service, caller, extra, instance_of_session, issued_key, pod_of_caller, service_account, user,
};
pub use finding::merge;
pub(crate) use processes::Map;

use crate::model::event::{ContainerSeen, Trigger};
use crate::model::{AuditEntry, AuditSource, Body, EvidenceRef, Finding, FindingId, Moment, NodeEvent, NonEmpty};
use processes::Processes;
use sequences::Sequences;
use view::NodeView;

/// Containers remembered for one node, the gone among them: facts about them may come after them.
const CONTAINERS: usize = 4_096;

/// Pods remembered by name over all nodes, for logs that name a pod without its unique id.
const PODS: usize = 65_536;

/// Findings remembered, so that a node's trigger and our own match of the same event become one.
const RECENT: usize = 4_096;

/// What is known of one node.
#[derive(Debug, Default)]
struct Node {
    processes: Processes,
    containers: Map<String, ContainerSeen>,
    containers_in_order: VecDeque<String>,
}

/// Events and entries go in, findings come out.
#[derive(Debug)]
pub struct Detector {
    engine: Arc<Engine>,
    sequences: Sequences,
    indicators: Arc<Set>,
    nodes: Map<String, Node>,
    pods: Map<(String, String), String>,
    pods_in_order: VecDeque<(String, String)>,
    recent: Map<FindingId, Finding>,
    recent_in_order: VecDeque<FindingId>,
    // Kept between calls so that an event which nothing matches allocates nothing.
    matches: Vec<RuleIndex>,
    hits: Vec<Hit>,
}

impl Detector {
    /// A detector that has seen nothing. The engine may be shared with other detectors.
    pub fn new(engine: impl Into<Arc<Engine>>) -> Self {
        let engine = engine.into();
        Self {
            sequences: Sequences::new(&engine),
            engine,
            indicators: Arc::default(),
            nodes: Map::default(),
            pods: Map::default(),
            pods_in_order: VecDeque::new(),
            recent: Map::default(),
            recent_in_order: VecDeque::new(),
            matches: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// With values that were found to be bad elsewhere.
    #[must_use]
    pub fn with_indicators(self, indicators: impl Into<Arc<Set>>) -> Self {
        Self { indicators: indicators.into(), ..self }
    }

    /// The rules it detects with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Findings of what did not come until now, by rules that say what should have.
    pub fn advance(&mut self, now: Moment) -> Vec<Finding> {
        self.sequences.advance(&self.engine, now)
    }

    /// Findings of one event of a node's log. A finding that was given before may come again with more evidence and the
    /// same id: the caller replaces it, or joins the two with [`merge`].
    pub fn node_event(&mut self, event: &NodeEvent) -> Vec<Finding> {
        self.learn(event);
        if let Body::Trigger(trigger) = &event.body {
            return vec![self.triggered(event, trigger)];
        }
        let mut findings = Vec::new();
        let sources = view::sources(&event.body);
        for source in sources.into_iter().flatten() {
            self.match_event(event, source, &mut findings);
        }
        // Under the first alone: indicators ask for values, not for sources.
        if let Some(source) = sources.into_iter().flatten().next() {
            self.look_up_event(event, source, &mut findings);
        }
        findings
    }

    /// Findings of one entry of an audit log.
    pub fn audit(&mut self, entry: &AuditEntry) -> Vec<Finding> {
        let source = match entry.source {
            AuditSource::Cloudtrail => fields::CLOUDTRAIL,
            AuditSource::Kubernetes => fields::KUBERNETES_AUDIT,
        };
        let view = JsonEvent::new(&entry.original, source);
        self.matches.clear();
        self.engine.evaluate(&view, &mut self.matches);
        listed::look_up(&self.indicators, &view, entry.time, &mut self.hits);
        if self.matches.is_empty() && self.hits.is_empty() {
            return Vec::new();
        }
        let pods = &self.pods;
        let pod = |namespace: &str, name: &str| pods.get(&(namespace.to_owned(), name.to_owned())).cloned();
        let entities = entities::of_entry(entry, &pod);
        let engine = &*self.engine;
        let find = |index: &RuleIndex| {
            let matched = engine.explain(*index, &view);
            finding::of_rule(engine.rule(*index), matched, entry.evidence(), entry.time, entities.clone())
        };
        let told = self.matches.iter().filter(|index| engine.rule(**index).generate);
        let list =
            |hit: &Hit| listed::finding(&self.indicators, *hit, &view, entry.evidence(), entry.time, entities.clone());
        let mut findings: Vec<_> = told.map(find).chain(self.hits.iter().map(list)).collect();
        let seen = (entry.evidence(), entry.time, &*entities);
        findings.extend(self.sequences.observe(engine, &view, &self.matches, seen));
        findings
    }

    fn match_event(&mut self, event: &NodeEvent, source: LogSource<'static>, findings: &mut Vec<Finding>) {
        let view = view_of(&self.nodes, event, source);
        self.matches.clear();
        self.engine.evaluate(&view, &mut self.matches);
        if self.matches.is_empty() {
            return;
        }
        let entities = entities::of_event(event, view.container);
        let start = findings.len();
        for index in &self.matches {
            let rule = self.engine.rule(*index);
            if !rule.generate {
                continue;
            }
            let matched = self.engine.explain(*index, &view);
            findings.push(finding::of_rule(rule, matched, event.evidence(), event.time, entities.clone()));
        }
        let seen = (event.evidence(), event.time, &*entities);
        let together = self.sequences.observe(&self.engine, &view, &self.matches, seen);
        for finding in findings.iter_mut().skip(start) {
            self.remember(finding);
        }
        findings.extend(together);
    }

    fn look_up_event(&mut self, event: &NodeEvent, source: LogSource<'static>, findings: &mut Vec<Finding>) {
        let view = view_of(&self.nodes, event, source);
        listed::look_up(&self.indicators, &view, event.time, &mut self.hits);
        if self.hits.is_empty() {
            return;
        }
        let entities = entities::of_event(event, view.container);
        let start = findings.len();
        let list =
            |hit: &Hit| listed::finding(&self.indicators, *hit, &view, event.evidence(), event.time, entities.clone());
        findings.extend(self.hits.iter().map(list));
        for finding in findings.iter_mut().skip(start) {
            self.remember(finding);
        }
    }

    /// The node's own match: the finding of that rule and that event, with the trigger as further evidence.
    fn triggered(&mut self, event: &NodeEvent, trigger: &Trigger) -> Finding {
        let position = if trigger.event_position == 0 { event.position } else { trigger.event_position };
        let evidence = EvidenceRef::Event { node: event.node.clone(), log_id: event.log_id.clone(), position };
        let container = self.nodes.get(event.node.as_str()).and_then(|node| node.containers.get(event.container()?));
        let entities = entities::of_event(event, container);
        let mut finding = match self.engine.find(&trigger.rule_id) {
            Some(index) => finding::of_rule(self.engine.rule(index), Vec::new(), evidence, event.time, entities),
            // The node may run rules that the collector does not have: what it said is what we know.
            None => Finding {
                id: finding::name(&trigger.rule_id, &evidence),
                rule_id: trigger.rule_id.clone(),
                title: trigger.rule_title.clone(),
                why: String::new(),
                level: finding::level_of_word(&trigger.level),
                techniques: trigger.techniques.clone(),
                tactics: Vec::new(),
                time: event.time,
                entities,
                evidence: NonEmpty::one(evidence),
                matched: Vec::new(),
            },
        };
        if event.position != position {
            finding.evidence.push(event.evidence());
        }
        self.remember(&mut finding);
        finding
    }

    /// Joins a finding with an earlier report of the same match.
    fn remember(&mut self, finding: &mut Finding) {
        if let Some(earlier) = self.recent.get_mut(&finding.id) {
            merge(earlier, finding);
            finding.clone_from(earlier);
            return;
        }
        self.recent.insert(finding.id.clone(), finding.clone());
        self.recent_in_order.push_back(finding.id.clone());
        if self.recent_in_order.len() > RECENT
            && let Some(oldest) = self.recent_in_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }

    /// Keeps what later events need.
    fn learn(&mut self, event: &NodeEvent) {
        match &event.body {
            Body::Fork { .. } | Body::Exec(_) | Body::Exit { .. } | Body::ContainerSeen(_) => {}
            _ => return,
        }
        if !self.nodes.contains_key(event.node.as_str()) {
            self.nodes.insert(event.node.clone(), Node::default());
        }
        let Some(node) = self.nodes.get_mut(event.node.as_str()) else { return };
        match (&event.body, &event.actor) {
            (Body::Fork { child }, Some(actor)) => node.processes.fork(&actor.process, child),
            (Body::Exec(exec), Some(actor)) => node.processes.exec(&actor.process, actor.parent.as_ref(), exec),
            (Body::Exit { .. }, Some(actor)) => node.processes.exit(&actor.process),
            (Body::ContainerSeen(seen), _) => {
                node.seen(seen);
                self.pod_seen(seen);
            }
            _ => {}
        }
    }

    fn pod_seen(&mut self, seen: &ContainerSeen) {
        if seen.pod_uid.is_empty() || seen.pod_name.is_empty() {
            return;
        }
        let name = (seen.pod_namespace.clone(), seen.pod_name.clone());
        if self.pods.insert(name.clone(), seen.pod_uid.clone()).is_none() {
            self.pods_in_order.push_back(name);
        }
        if self.pods_in_order.len() > PODS
            && let Some(oldest) = self.pods_in_order.pop_front()
        {
            self.pods.remove(&oldest);
        }
    }
}

impl Node {
    fn seen(&mut self, seen: &ContainerSeen) {
        let id = seen.container_id.clone();
        if self.containers.insert(id.clone(), seen.clone()).is_none() {
            self.containers_in_order.push_back(id);
        }
        if self.containers_in_order.len() > CONTAINERS
            && let Some(oldest) = self.containers_in_order.pop_front()
        {
            self.containers.remove(&oldest);
        }
    }
}

/// An event with what is known of its process and container.
fn view_of<'a>(nodes: &'a Map<String, Node>, event: &'a NodeEvent, source: LogSource<'static>) -> NodeView<'a> {
    let node = nodes.get(event.node.as_str());
    let container = node.and_then(|node| node.containers.get(event.container()?));
    let process = node.and_then(|node| node.processes.get(&event.actor.as_ref()?.process));
    NodeView { event, source, process, container }
}

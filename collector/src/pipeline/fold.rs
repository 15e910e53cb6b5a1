//! The store told once more, from its beginning: frames go in, what they mean is kept. Takes frames in the order in which they arrived; gives
//! findings, edges and groups. The same frames give the same, however often the collector was restarted between them.

use std::collections::{BTreeMap, BTreeSet};

use collector_core::correlate::{Correlator, Group, Related, Site, group};
use collector_core::detect::{Detector, merge};
use collector_core::model::{AuditEntry, Body, Edge, Finding, FindingId, Moment, NodeEvent};
use rules::Engine;
use rules::indicators::Set;

use crate::ingest::translate;
use crate::store::events::frame::{Frame, Kind};
use crate::store::events::unpack_entries;
use crate::store::state::LossRow;

/// A finding and when it was first made, by the collector's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The finding, with all evidence that came since.
    pub finding: Finding,
    /// When the frame arrived that it was first found in.
    pub detected: Moment,
}

/// Everything judgement knows.
#[derive(Debug)]
pub struct Fold {
    detector: Detector,
    correlator: Correlator,
    findings: BTreeMap<FindingId, Found>,
    /// Those that are new or got more evidence since the last drawing.
    fresh: BTreeSet<FindingId>,
    /// Losses since they were last taken.
    losses: Vec<LossRow>,
    /// Events and entries that went in.
    facts: u64,
    is_changed: bool,
}

/// What judgement makes of it.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Findings that are new or got more evidence since the last drawing.
    pub fresh: Vec<Finding>,
    /// All edges.
    pub edges: Vec<Edge>,
    /// Findings that belong together, with what they reach and when the first was made.
    pub groups: Vec<(Group, Related, Moment)>,
}

impl Fold {
    /// Knows nothing yet.
    pub fn new(engine: Engine, site: Site) -> Self {
        Self {
            detector: Detector::new(engine),
            correlator: Correlator::new(site),
            findings: BTreeMap::new(),
            fresh: BTreeSet::new(),
            losses: Vec::new(),
            facts: 0,
            is_changed: false,
        }
    }

    /// With values that were found to be bad elsewhere.
    #[must_use]
    pub fn with_indicators(mut self, indicators: Set) -> Self {
        self.detector = self.detector.with_indicators(indicators);
        self
    }

    /// What nodes say about themselves, for the bridges that need it.
    pub fn correlator(&mut self) -> &mut Correlator {
        &mut self.correlator
    }

    /// Takes in one frame.
    pub fn take(&mut self, frame: &Frame) {
        let received = Moment::exact(frame.meta.received_ns);
        let absent = self.detector.advance(received);
        self.is_changed |= !absent.is_empty();
        self.found(absent, received);
        match frame.meta.kind() {
            Kind::Block | Kind::Gap => {
                for event in translate::frame(&frame.meta, &frame.payload) {
                    self.event(&event, received);
                }
            }
            Kind::Audit => {
                for entry in unpack_entries(&frame.payload).unwrap_or_default() {
                    self.entry(&entry, received);
                }
            }
            Kind::Unspecified => {}
        }
    }

    /// Losses that frames told of since the last call.
    pub fn take_losses(&mut self) -> Vec<LossRow> {
        std::mem::take(&mut self.losses)
    }

    /// Whether anything was learned since the last drawing that cases could be made of.
    pub fn is_changed(&self) -> bool {
        self.is_changed && !self.findings.is_empty()
    }

    /// Events and entries that went in.
    pub fn facts(&self) -> u64 {
        self.facts
    }

    /// Edges, groups and what they reach, as of `now`.
    pub fn draw(&mut self, now: Moment) -> Drawn {
        self.is_changed = false;
        let findings: Vec<Finding> = self.findings.values().map(|found| found.finding.clone()).collect();
        let edges = self.correlator.edges_for(&findings, now);
        let groups = group(&findings, &edges);
        let groups = groups.into_iter().map(|group| {
            let related = self.correlator.related(&group);
            let detected = group.findings.iter().filter_map(|finding| self.findings.get(&finding.id));
            let detected = detected.map(|found| found.detected).min().unwrap_or(now);
            (group, related, detected)
        });
        let groups = groups.collect();
        let fresh = std::mem::take(&mut self.fresh);
        let fresh = fresh.iter().filter_map(|id| self.findings.get(id)).map(|found| found.finding.clone()).collect();
        Drawn { fresh, edges, groups }
    }

    fn event(&mut self, event: &NodeEvent, received: Moment) {
        self.facts += 1;
        // The books of a node change no judgement; they come every second.
        if matches!(event.body, Body::Accounting(_)) {
            return;
        }
        self.is_changed = true;
        if let Body::Loss { class, reason, count, from_ns, to_ns } = &event.body {
            self.losses.push(LossRow {
                node: event.node.clone(),
                log_id: event.log_id.clone(),
                first_position: event.position,
                last_position: last_lost(event.position, reason, *count),
                reason: reason.clone(),
                class: class.clone(),
                count: *count,
                from_ns: *from_ns,
                to_ns: *to_ns,
            });
        }
        self.correlator.node_event(event);
        let findings = self.detector.node_event(event);
        self.found(findings, received);
    }

    fn entry(&mut self, entry: &AuditEntry, received: Moment) {
        self.facts += 1;
        self.is_changed = true;
        self.correlator.audit(entry);
        let findings = self.detector.audit(entry);
        self.found(findings, received);
    }

    fn found(&mut self, findings: Vec<Finding>, detected: Moment) {
        for finding in findings {
            self.fresh.insert(finding.id.clone());
            match self.findings.get_mut(&finding.id) {
                Some(known) => merge(&mut known.finding, &finding),
                None => drop(self.findings.insert(finding.id.clone(), Found { finding, detected })),
            }
        }
    }
}

/// A gap that we found spans its positions; a loss that a node tells of stands at one.
fn last_lost(position: u64, reason: &str, count: u64) -> u64 {
    if reason == translate::NOT_RECEIVED { position.saturating_add(count).saturating_sub(1) } else { position }
}

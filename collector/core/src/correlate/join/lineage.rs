//! Lineage: findings of processes that descend from one another, or ran in one container. On a host everything descends from init, and
//! most from some service: only an ancestor below a service's main process counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Question, both};
use crate::model::{Bridge, Edge, EdgeState, Entity, Finding, ProcessKey, Strength};

/// One process of the findings, with its first finding.
struct Member<'f> {
    process: &'f ProcessKey,
    entity: &'f Entity,
    container: Option<&'f str>,
    finding: &'f Finding,
}

impl Question<'_> {
    pub(super) fn lineage(&mut self, findings: &[Finding]) {
        let members = members(findings);
        let mut last_in: BTreeMap<(&str, &str), &Member> = BTreeMap::new();
        let mut of_ancestor: BTreeMap<(&str, u32, u64), &Member> = BTreeMap::new();
        let mut edges = Vec::new();
        for member in &members {
            if let Some(container) = member.container {
                if let Some(earlier) = last_in.insert((&member.process.node, container), member) {
                    let container = container.get(..12).unwrap_or(container);
                    edges.push(edge(earlier, member, &format!("both ran in container {container}")));
                }
                continue;
            }
            for ancestor in self.family(member.process) {
                let place = (member.process.node.as_str(), ancestor.0, ancestor.1);
                if let Some(earlier) = of_ancestor.insert(place, member)
                    && earlier.process != member.process
                {
                    let tie = format!("both belong to the process tree of {} on {}", ancestor.0, member.process.node);
                    edges.push(edge(earlier, member, &tie));
                    // The nearest tie says enough; the farther ones would only repeat it.
                    break;
                }
            }
        }
        for edge in edges {
            self.add(edge);
        }
    }

    /// The process and its ancestors below the main process of a service: that one's parent is init, and it serves everybody.
    fn family(&self, process: &ProcessKey) -> Vec<(u32, u64)> {
        let Some(node) = self.known.node(&process.node) else { return vec![(process.pid, process.start_ns)] };
        let line = node.ancestry(process);
        // The last of the line has no known parent: it may be a service's main process as well.
        let shared = |place: usize| line.get(place + 1).is_none_or(|parent| parent.0 <= 1);
        line.iter().enumerate().take_while(|(place, _)| *place == 0 || !shared(*place)).map(|(_, key)| *key).collect()
    }
}

/// Processes in the order of their first finding.
fn members(findings: &[Finding]) -> Vec<Member<'_>> {
    let mut in_order: Vec<&Finding> = findings.iter().collect();
    in_order.sort_by_key(|finding| (finding.time, &finding.id));
    let mut seen = BTreeSet::new();
    let mut members = Vec::new();
    for finding in in_order {
        let container = finding.entities.iter().find_map(|entity| match entity {
            Entity::Container { id, .. } => Some(id.as_str()),
            _ => None,
        });
        for entity in &finding.entities {
            if let Entity::Process { key, .. } = entity
                && seen.insert(key)
            {
                members.push(Member { process: key, entity, container, finding });
            }
        }
    }
    members
}

fn edge(earlier: &Member, later: &Member, tie: &str) -> Edge {
    Edge {
        bridge: Bridge::Lineage,
        strength: Strength::Strong,
        from: earlier.entity.clone(),
        to: later.entity.clone(),
        reason: format!("{} and {}: {tie}", earlier.entity, later.entity),
        evidence: both(earlier.finding.evidence.first(), [later.finding.evidence.first()]),
        delta_ns: earlier.finding.time.delta_ns(later.finding.time),
        state: EdgeState::Joined,
    }
}

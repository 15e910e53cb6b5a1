//! What speaks for a case and what against it. Takes a group and what it reaches; puts sentences with evidence and weights on the scales.
//! Each weight is a constant with its reason: a person must be able to redo the sum.

use std::collections::{BTreeMap, BTreeSet};

use super::{cite, crosses, joined, tactics, worst};
use crate::correlate::{Group, Related};
use crate::model::{Bridge, Claim, EdgeState, Entity, EvidenceRef, Finding, Identity, Level, Strength};

/// By the level of the worst finding. A high rule alone is not enough for anything automatic.
const WORST: [i32; 5] = [0, 5, 18, 32, 45];

/// For each further rule of at least medium level: independent rules rarely err together.
const FURTHER_RULE: i32 = 6;
const FURTHER_RULES: i32 = 18;

/// For each tactic beyond the first: administration shows one or two, an attack goes on.
const FURTHER_TACTIC: i32 = 6;
const FURTHER_TACTICS: i32 = 24;

/// The same without a single finding above medium, where each by itself is somebody's daily work.
const FURTHER_TACTICS_MILD: i32 = 8;

/// The tactics come in the order of the chain.
const IN_ORDER: i32 = 6;

/// A unique key joins two planes.
const EXACT: i32 = 25;

/// A key that nobody else is likely to have joins two planes.
const STRONG: i32 = 15;

/// For each further bridge of another kind.
const FURTHER_BRIDGE: i32 = 5;

/// Somebody was let in by the API server: that is how administration looks too, and the edge says who can be asked.
const LET_IN: i32 = 6;

/// An instance's credential was used outside of its instance: there is no good reason for that.
const LEFT: i32 = 40;

/// Only one rule says so.
const ONE_RULE: i32 = 8;

/// Events were lost in this time: what would speak against it may be among them.
const LOST: i32 = 5;

/// A join still waits for a log.
const AWAITED: i32 = 4;

/// Every call with its credentials was refused.
const REFUSED: i32 = 6;

/// A provider's own service did all of it, or passed all of it on.
const BY_SERVICE: i32 = 35;

/// Losses told one by one; beyond that their number says enough.
const LOSSES_TOLD: usize = 3;

/// Both scales.
#[derive(Debug, Default)]
pub(super) struct Scales {
    pub(super) reasons_for: Vec<Claim>,
    pub(super) reasons_against: Vec<Claim>,
    pub(super) known_benign: bool,
    weight: i32,
}

impl Scales {
    /// 0 to 100. Never 100 by rules alone: certainty is a person's word.
    pub(super) fn sum(&self) -> i32 {
        self.weight.clamp(0, 99)
    }

    fn speaks_for(&mut self, weight: i32, claim: Option<Claim>) {
        if let Some(claim) = claim {
            self.weight += weight;
            self.reasons_for.push(claim);
        }
    }

    fn speaks_against(&mut self, weight: i32, claim: Option<Claim>) {
        if let Some(claim) = claim {
            self.weight -= weight;
            self.reasons_against.push(claim);
        }
    }
}

pub(super) fn weigh(group: &Group, related: &Related, scales: &mut Scales) {
    rules(group, scales);
    chain(group, related, scales);
    bridges(group, scales);
    left(related, scales);
    lost(related, scales);
    awaited(group, scales);
    refused(group, related, scales);
    by_service(group, scales);
}

fn rules(group: &Group, scales: &mut Scales) {
    let worst_level = worst(group);
    let Some(worst_finding) = group.findings.iter().find(|finding| finding.level == worst_level) else { return };
    let text = format!("{}: a rule of level {worst_level}", worst_finding.title);
    let weight = WORST.get(worst_level as usize).copied().unwrap_or_default();
    scales.speaks_for(weight, cite(worst_finding.evidence.iter()).map(|evidence| Claim::new(text, evidence)));

    let mut others: BTreeMap<&str, &Finding> = BTreeMap::new();
    // Several rules that name one event are one opinion.
    let mut events = BTreeSet::from([worst_finding.evidence.first()]);
    for finding in group.findings.iter().filter(|finding| finding.level >= Level::Medium) {
        let known = finding.rule_id == worst_finding.rule_id || others.contains_key(finding.rule_id.as_str());
        if !known && events.insert(finding.evidence.first()) {
            others.insert(&finding.rule_id, finding);
        }
    }
    let count = i32::try_from(others.len()).unwrap_or(i32::MAX);
    if count > 0 {
        let titles: BTreeSet<&str> = others.values().map(|finding| finding.title.as_str()).collect();
        let titles = titles.into_iter().take(4).collect::<Vec<_>>().join("; ");
        let text = format!("{count} further {} of at least medium level: {titles}", plural(count, "rule", "rules"));
        let evidence = cite(others.values().map(|finding| finding.evidence.first()));
        let weight = count.saturating_mul(FURTHER_RULE).min(FURTHER_RULES);
        scales.speaks_for(weight, evidence.map(|evidence| Claim::new(text, evidence)));
    } else if !joined(group).any(|edge| crosses(edge) && edge.strength >= Strength::Strong) {
        let text = "a single rule, and nothing joins it to another plane";
        scales.speaks_against(ONE_RULE, cite(worst_finding.evidence.iter()).map(|evidence| Claim::new(text, evidence)));
    }
}

fn chain(group: &Group, related: &Related, scales: &mut Scales) {
    let stages = tactics::stages(group);
    let grave = worst(group) > Level::Medium || !related.left.is_empty();
    if stages.len() < 2 {
        return;
    }
    let further = i32::try_from(stages.len() - 1).unwrap_or(i32::MAX);
    let most = if grave { FURTHER_TACTICS } else { FURTHER_TACTICS_MILD };
    let ordered = tactics::in_order(&stages) && grave;
    let weight = further.saturating_mul(FURTHER_TACTIC).min(most) + if ordered { IN_ORDER } else { 0 };
    let names = stages.iter().map(|stage| stage.name).collect::<Vec<_>>().join(", ");
    let order = if ordered { ", in the order in which an attack goes" } else { "" };
    let text = format!("it shows {} tactics{order}: {names}", stages.len());
    let evidence = cite(stages.iter().map(|stage| stage.first.evidence.first()));
    scales.speaks_for(weight, evidence.map(|evidence| Claim::new(text, evidence)));
}

fn bridges(group: &Group, scales: &mut Scales) {
    let mut best: BTreeMap<Bridge, &crate::model::Edge> = BTreeMap::new();
    for edge in joined(group).filter(|edge| crosses(edge) && edge.strength >= Strength::Strong) {
        let kept = best.entry(edge.bridge).or_insert(edge);
        if edge.strength > kept.strength {
            *kept = edge;
        }
    }
    let mut in_order: Vec<_> = best.into_values().collect();
    in_order.sort_by_key(|edge| std::cmp::Reverse(edge.strength));
    for (place, edge) in in_order.into_iter().enumerate() {
        let weight = match (place, edge.strength) {
            _ if edge.bridge == Bridge::B5 => LET_IN,
            (0, Strength::Exact) => EXACT,
            (0, _) => STRONG,
            _ => FURTHER_BRIDGE,
        };
        scales.speaks_for(weight, Some(Claim::new(edge.reason.clone(), edge.evidence.clone())));
    }
}

fn left(related: &Related, scales: &mut Scales) {
    let Some(first) = related.left.first() else { return };
    let addresses: BTreeSet<String> = related.left.iter().map(|left| left.address.to_string()).collect();
    let addresses = addresses.into_iter().take(4).collect::<Vec<_>>().join(", ");
    let text = format!("credential {} was used outside of its instance, from {addresses}", first.credential);
    let evidence = cite(related.left.iter().map(|left| &left.evidence));
    scales.speaks_for(LEFT, evidence.map(|evidence| Claim::new(text, evidence)));
}

fn lost(related: &Related, scales: &mut Scales) {
    for (place, loss) in related.losses.iter().enumerate().take(LOSSES_TOLD) {
        let text = format!(
            "{} {} events of {} were lost ({}): what would explain this may be among them",
            loss.count, loss.class, loss.node, loss.reason
        );
        let weight = if place == 0 { LOST } else { 0 };
        scales.speaks_against(weight, cite([&loss.evidence]).map(|evidence| Claim::new(text, evidence)));
    }
}

fn awaited(group: &Group, scales: &mut Scales) {
    let pending = group.edges.iter().filter(|edge| matches!(edge.state, EdgeState::Pending { .. }));
    for (place, edge) in pending.enumerate() {
        let weight = if place == 0 { AWAITED } else { 0 };
        scales.speaks_against(weight, Some(Claim::new(edge.reason.clone(), edge.evidence.clone())));
    }
}

fn refused(group: &Group, related: &Related, scales: &mut Scales) {
    let all_refused = !related.uses.is_empty() && related.uses.iter().all(|call| call.denied);
    let on_node = group.findings.iter().flat_map(|finding| &finding.entities).any(is_process);
    if all_refused && !on_node {
        let text = format!("all {} calls with its credentials were refused", related.uses.len());
        let evidence = cite(related.uses.iter().map(|call| &call.evidence));
        scales.speaks_against(REFUSED, evidence.map(|evidence| Claim::new(text, evidence)));
    }
}

fn by_service(group: &Group, scales: &mut Scales) {
    let service = |finding: &Finding| {
        let named = matches!(finding.entities.first(), Some(Entity::Identity { identity: Identity::Service { .. } }));
        let in_a_log = matches!(finding.evidence.first(), EvidenceRef::Audit { .. });
        let address = finding.entities.iter().any(|entity| matches!(entity, Entity::Address { .. }));
        named || (in_a_log && !address)
    };
    if group.findings.iter().all(service) {
        let text =
            "a service of the provider or of the cluster did all of it, or passed it on: no call came from an address";
        let evidence = cite(group.findings.iter().map(|finding| finding.evidence.first()));
        scales.speaks_against(BY_SERVICE, evidence.map(|evidence| Claim::new(text, evidence)));
        scales.known_benign = true;
    }
}

fn is_process(entity: &Entity) -> bool {
    matches!(entity, Entity::Process { .. })
}

const fn plural(count: i32, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

//! What keeps a plan from doing harm. Takes a step before it has a mode; gives the mode, or which guard says no. A guard has no way round it but a
//! named person's waiver, and that only for evidence.

use super::action::{Action, Phase};
use super::compile::{Autonomy, Playbook, Required};
use super::plan::{Mode, RefusedBecause};
use super::registry::Definition;
use super::situation::{Protected, Situation};
use super::target::ContainerTarget;
use crate::model::{Case, Entity, EvidenceRef, Moment};

/// The protected thing that the action would touch, if it touches one.
pub(super) fn protected(action: &Action, playbook: &Playbook, situation: &Situation) -> Option<RefusedBecause> {
    let names = names(action, situation);
    let rules = || playbook.protected.iter().chain(&situation.protected);
    let hit = names.iter().find_map(|name| rules().find(|rule| fits(rule, name)).map(|rule| (name, rule)));
    if let Some((name, rule)) = hit {
        return Some(RefusedBecause::Protected { target: name.clone(), reason: rule.reason.clone() });
    }
    match action {
        Action::SessionRevoke { role, .. } if role.starts_with("AWSServiceRoleFor") => {
            Some(RefusedBecause::Protected {
                target: role.clone(),
                reason: "AWS does not let anybody change the policies of a service-linked role".to_owned(),
            })
        }
        Action::SessionRevoke { role, .. } if role.starts_with("AWSReservedSSO_") => Some(RefusedBecause::Protected {
            target: role.clone(),
            reason: "its policies belong to a permission set of IAM Identity Center".to_owned(),
        }),
        _ => None,
    }
}

/// Evidence that the playbook wants before anything is touched.
pub(super) fn evidence_missing(case: &Case, playbook: &Playbook, situation: &Situation) -> Option<RefusedBecause> {
    let findings = case.findings.iter().flat_map(|finding| finding.evidence.iter());
    let edges = case.edges.iter().flat_map(|edge| edge.evidence.iter());
    let all: Vec<&EvidenceRef> = findings.chain(edges).collect();
    let missing = playbook.required.iter().find(|required| match required {
        Required::Event => !all.iter().any(|evidence| matches!(evidence, EvidenceRef::Event { .. })),
        Required::Audit => !all.iter().any(|evidence| matches!(evidence, EvidenceRef::Audit { .. })),
        Required::Seal => situation.seals.is_empty(),
    })?;
    let evidence = match missing {
        Required::Event => "an event of a node",
        Required::Audit => "an entry of an audit log",
        Required::Seal => "a sealed capture",
    };
    Some(RefusedBecause::EvidenceMissing { evidence: evidence.to_owned() })
}

/// The engine's own rule: what disturbs volatile evidence runs only once that evidence is sealed, or will be by a step that it waits for.
pub(super) fn not_preserved(
    definition: &Definition,
    target: &Entity,
    container: Option<&ContainerTarget>,
    situation: &Situation,
    seals_before: &[&str],
) -> Option<RefusedBecause> {
    let container = container?;
    let is_sealed = situation.seals.iter().any(|seal| seal.container_id == container.id);
    let will_be = seals_before.contains(&container.id.as_str());
    let is_waived = situation.waivers.iter().any(|waiver| waiver.entity == *target && !waiver.by.trim().is_empty());
    let refused = definition.disturbs_volatile && !is_sealed && !will_be && !is_waived;
    refused.then(|| RefusedBecause::NotPreserved { target: target.to_string() })
}

/// Who lets a step run that no guard refused.
pub(super) fn mode(autonomy: Autonomy, case: &Case, is_triggered: Triggered, phase: Phase, now: Moment) -> Mode {
    let until = |seconds: u32| Moment { ns: now.ns.saturating_add(u64::from(seconds) * 1_000_000_000), ..now };
    match (autonomy, is_triggered) {
        (Autonomy::Approve { expires_seconds }, _) => Mode::NeedsApproval {
            because: format!("the playbook lets nobody {phase} here without a person"),
            expires: until(expires_seconds),
        },
        (Autonomy::Auto { expires_seconds, .. }, Triggered::No) => Mode::NeedsApproval {
            because: "the case does not meet the playbook's trigger: a person chose it".to_owned(),
            expires: until(expires_seconds),
        },
        (Autonomy::Auto { min_confidence, .. }, Triggered::Yes) if case.confidence >= min_confidence => {
            Mode::Auto { because: format!("confidence {} is at least {min_confidence}", case.confidence) }
        }
        (Autonomy::Auto { min_confidence, expires_seconds }, Triggered::Yes) => Mode::NeedsApproval {
            because: format!("confidence {} is below {min_confidence}", case.confidence),
            expires: until(expires_seconds),
        },
    }
}

/// Whether the case meets the playbook's trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Triggered {
    Yes,
    No,
}

/// By which names the target could be protected.
fn names(action: &Action, situation: &Situation) -> Vec<String> {
    match action {
        Action::EvidenceSeal { .. } => Vec::new(),
        Action::NetQuarantine { node, container_id, .. } | Action::NetRelease { node, container_id, .. } => {
            let known = situation.containers.iter().filter(|known| known.id == *container_id);
            let known =
                known.flat_map(|known| [known.name.clone(), known.image.clone()]).filter(|name| !name.is_empty());
            [node.clone(), container_id.clone()].into_iter().chain(known).collect()
        }
        Action::KeyDeactivate { key_id, user } => [key_id.clone()].into_iter().chain(user.clone()).collect(),
        Action::KeyRestore { key_id, user, .. } => vec![key_id.clone(), user.clone()],
        Action::SessionRevoke { role, .. } | Action::SessionAllow { role, .. } => vec![role.clone()],
    }
}

fn fits(rule: &Protected, name: &str) -> bool {
    match rule.pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == rule.pattern,
    }
}

//! From a case to a plan. Takes case, playbook, situation and moment; gives the same plan for the same four. What cannot be done stays in the
//! plan with the guard that refused it.

use std::collections::BTreeMap;

use super::action::{Action, Phase, Undo};
use super::compile::{Given, Playbook, Template};
use super::guard::{self, Triggered};
use super::plan::{Mode, Plan, Purpose, RefusedBecause, Step};
use super::registry::{Definition, UndoRule};
use super::situation::Situation;
use super::target::{self, ContainerTarget};
use crate::canonical;
use crate::model::{Case, Claim, Entity, Moment, NonEmpty};

/// Name of the inline policy that denies older sessions; AWS's own console uses the same name, so people find it.
pub const REVOKE_POLICY: &str = "AWSRevokeOlderSessions";

/// Whether the case meets the playbook's trigger.
pub fn answers(playbook: &Playbook, case: &Case) -> bool {
    playbook.trigger.iter().all(|condition| condition.holds(case))
}

/// What the playbook would do about the case as things stand.
pub fn plan(case: &Case, playbook: &Playbook, situation: &Situation, now: Moment) -> Plan {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for template in &playbook.steps {
        drafts.extend(targets(case, situation, template, now));
    }
    let touched = touched(&drafts);
    let planner = Planner {
        case,
        playbook,
        situation,
        now,
        triggered: if answers(playbook, case) { Triggered::Yes } else { Triggered::No },
        too_many: (touched > playbook.max_targets)
            .then_some(RefusedBecause::TooManyTargets { targets: touched, allowed: playbook.max_targets }),
        missing: guard::evidence_missing(case, playbook, situation),
    };
    let mut steps: Vec<Step> = Vec::with_capacity(drafts.len());
    let ids = ids(&drafts);
    for (draft, id) in drafts.iter().zip(ids.clone()) {
        let needs = needs(draft, &drafts, &ids, &steps);
        let step = planner.step(draft, id, needs, &steps);
        steps.push(step);
    }
    let purpose = Purpose::Respond {
        playbook: playbook.id.clone(),
        version: playbook.version.clone(),
        sha256: playbook.sha256.clone(),
    };
    Plan::sealed(case.id.clone(), purpose, now, steps)
}

/// A step with its target, before anything is decided about it.
struct Draft<'a> {
    template: &'a Template,
    action: Action,
    entity: Entity,
    container: Option<ContainerTarget>,
    reasons: NonEmpty<Claim>,
    /// Last part of the step's id where the template has several targets.
    short: String,
    /// What is not known or is gone.
    defect: Option<RefusedBecause>,
}

struct Planner<'a> {
    case: &'a Case,
    playbook: &'a Playbook,
    situation: &'a Situation,
    now: Moment,
    triggered: Triggered,
    too_many: Option<RefusedBecause>,
    missing: Option<RefusedBecause>,
}

impl Planner<'_> {
    fn step(&self, draft: &Draft<'_>, id: String, needs: Vec<String>, before: &[Step]) -> Step {
        let template = draft.template;
        let mode = match self.refusal(draft, &needs, before) {
            Some(because) => Mode::Refused { because },
            None => guard::mode(template.autonomy, self.case, self.triggered, template.phase, self.now),
        };
        Step {
            phase: template.phase,
            target: draft.entity.clone(),
            needs,
            mode,
            reasons: draft.reasons.clone(),
            reach: draft.action.reach(),
            undo: undo(template.action),
            check: template.action.check_sentence.to_owned(),
            permissions: template.action.permissions.iter().map(|name| (*name).to_owned()).collect(),
            timeout_seconds: template.timeout_seconds,
            ttl_seconds: template.ttl_seconds,
            on_failure: template.on_failure,
            idempotency_key: canonical::digest(&(&self.case.id, &template.id, &draft.entity, &draft.action)),
            action: draft.action.clone(),
            id,
        }
    }

    fn refusal(&self, draft: &Draft<'_>, needs: &[String], before: &[Step]) -> Option<RefusedBecause> {
        let preserves = draft.template.phase == Phase::Preserve;
        if let Some(because) = guard::protected(&draft.action, self.playbook, self.situation) {
            return Some(because);
        }
        if draft.defect.is_some() {
            return draft.defect.clone();
        }
        if !preserves && (self.too_many.is_some() || self.missing.is_some()) {
            return self.too_many.clone().or_else(|| self.missing.clone());
        }
        let refused = |need: &&String| before.iter().any(|step| step.id == **need && is_refused(&step.mode));
        if let Some(step) = needs.iter().find(refused) {
            return Some(RefusedBecause::NeedsRefused { step: step.clone() });
        }
        let seals: Vec<&str> = needs.iter().filter_map(|need| sealed_by(before, need)).collect();
        guard::not_preserved(draft.template.action, &draft.entity, draft.container.as_ref(), self.situation, &seals)
    }
}

/// How a definition's undo reads in a plan.
pub(super) fn undo(definition: &Definition) -> Undo {
    match definition.undo {
        UndoRule::By { action, cost } => Undo::By { action: action.to_owned(), cost: cost.to_owned() },
        UndoRule::Irreversible { reason } => Undo::Irreversible { reason: reason.to_owned() },
    }
}

fn is_refused(mode: &Mode) -> bool {
    matches!(mode, Mode::Refused { .. })
}

/// The container that the step `id` seals.
fn sealed_by<'a>(before: &'a [Step], id: &str) -> Option<&'a str> {
    before.iter().find(|step| step.id == id).and_then(|step| match &step.action {
        Action::EvidenceSeal { container_id, .. } => Some(container_id.as_str()),
        _ => None,
    })
}

fn targets<'a>(case: &Case, situation: &Situation, template: &'a Template, now: Moment) -> Vec<Draft<'a>> {
    match template.action.name {
        "evidence.seal@1" | "node.net.quarantine@1" => target::containers(case, situation)
            .into_iter()
            .map(|found| container_draft(template, situation, found))
            .collect(),
        "aws.iam.key_deactivate@1" => target::long_term_keys(case, situation)
            .into_iter()
            .map(|found| Draft {
                template,
                short: found.what.id.clone(),
                action: Action::KeyDeactivate { key_id: found.what.id, user: found.what.user },
                entity: found.entity,
                container: None,
                reasons: found.reasons,
                defect: None,
            })
            .collect(),
        "aws.iam.session_revoke@1" => target::session_roles(case)
            .into_iter()
            .map(|found| Draft {
                template,
                short: found.what.name.clone(),
                action: Action::SessionRevoke {
                    role: found.what.name,
                    account: found.what.account,
                    issued_before: issued_before(case, template, now),
                    policy: REVOKE_POLICY.to_owned(),
                },
                entity: found.entity,
                container: None,
                reasons: found.reasons,
                defect: None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn container_draft<'a>(
    template: &'a Template,
    situation: &Situation,
    found: target::Target<ContainerTarget>,
) -> Draft<'a> {
    let container = &found.what;
    let (node, container_id) = (container.node.clone(), container.id.clone());
    let defect = match &container.known {
        Some(known) => known.gone.map(|gone| RefusedBecause::Gone {
            target: found.entity.to_string(),
            reason: format!("its cgroup was removed at {gone}"),
        }),
        None => Some(RefusedBecause::Unknown { what: "the cgroup".to_owned(), target: found.entity.to_string() }),
    };
    let action = if template.action.name == "evidence.seal@1" {
        let recorder_seconds = match template.with.get("recorder") {
            Some(Given::Seconds(seconds)) => *seconds,
            _ => 600,
        };
        Action::EvidenceSeal { node, container_id, recorder_seconds }
    } else {
        let mut allow = situation.allow.clone();
        allow.sort();
        allow.dedup();
        let cgroup_id = container.known.as_ref().map_or(0, |known| known.cgroup_id);
        let expires_seconds = template.ttl_seconds.unwrap_or(3_600);
        Action::NetQuarantine { node, container_id, cgroup_id, allow, expires_seconds }
    };
    Draft {
        template,
        short: found.what.id.chars().take(12).collect(),
        action,
        container: Some(found.what),
        entity: found.entity,
        reasons: found.reasons,
        defect,
    }
}

fn issued_before(case: &Case, template: &Template, now: Moment) -> Moment {
    match template.with.get("issued_before") {
        Some(Given::Reference(path)) if path == "case.last_activity" => case.last_activity,
        _ => now,
    }
}

/// How many different things the plan would change.
fn touched(drafts: &[Draft<'_>]) -> u32 {
    let changing = drafts.iter().filter(|draft| draft.template.phase != Phase::Preserve);
    let mut entities: Vec<&Entity> = changing.map(|draft| &draft.entity).collect();
    entities.sort();
    entities.dedup();
    u32::try_from(entities.len()).unwrap_or(u32::MAX)
}

fn ids(drafts: &[Draft<'_>]) -> Vec<String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for draft in drafts {
        *count.entry(&draft.template.id).or_default() += 1;
    }
    let several = |draft: &Draft<'_>| count.get(draft.template.id.as_str()).is_some_and(|count| *count > 1);
    drafts
        .iter()
        .map(|draft| {
            let id = draft.template.id.clone();
            if several(draft) { format!("{id}/{}", draft.short) } else { id }
        })
        .collect()
}

/// The steps of this plan that a draft waits for: of a needed template those of the same container, or all where it has none. A preserve
/// step whose container is gone is not waited for: what it would keep does not exist any more.
fn needs(draft: &Draft<'_>, drafts: &[Draft<'_>], ids: &[String], before: &[Step]) -> Vec<String> {
    let same = |other: &Draft<'_>| match (&draft.container, &other.container) {
        (Some(mine), Some(theirs)) => mine.id == theirs.id,
        _ => true,
    };
    let is_vain = |id: &String| {
        before.iter().any(|step| {
            let gone = matches!(
                step.mode,
                Mode::Refused { because: RefusedBecause::Gone { .. } | RefusedBecause::Unknown { .. } }
            );
            step.id == *id && gone && step.phase == Phase::Preserve
        })
    };
    drafts
        .iter()
        .zip(ids)
        .filter(|(other, _)| draft.template.needs.contains(&other.template.id) && same(other))
        .map(|(_, id)| id.clone())
        .filter(|id| !is_vain(id))
        .collect()
}

//! What must hold of every plan, and what a wrong playbook is told.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::registry::{DEFINITIONS, UndoRule};
use super::*;
use crate::custody::Recorded;
use crate::example;
use crate::model::Moment;

const TEXT: &str = example::PLAYBOOK;

/// A playbook, or an error that says something.
fn is_answered(text: &str) -> bool {
    parse("any.yaml", text).map_or_else(|error| !error.problem.is_empty(), |playbook| !playbook.id.is_empty())
}

fn plan_of(situation: &Situation) -> Plan {
    plan(&example::case(), &example::playbook(), situation, example::at(21, 810))
}

fn refused(plan: &Plan, id: &str) -> String {
    match plan.steps.iter().find(|step| step.id == id).map(|step| &step.mode) {
        Some(Mode::Refused { because }) => because.to_string(),
        other => format!("not refused: {other:?}"),
    }
}

fn wrong(from: &str, to: &str) -> String {
    assert!(TEXT.contains(from), "the test's text stands in the playbook");
    parse("theft.yaml", &TEXT.replacen(from, to, 1)).expect_err("the playbook is wrong now").to_string()
}

fn yes(plan: &Plan, approver: &str) -> Approval {
    Approval {
        plan_digest: plan.digest.clone(),
        approver: approver.to_owned(),
        decision: Decision::Approve,
        nonce: "n-1".to_owned(),
        given: example::at(30, 0),
        expires: example::at(600, 0),
    }
}

fn ask(plan: &Plan, approval: Approval, now: Moment, spent: &[&str]) -> Result<Approved<Plan>, Refusal> {
    let spent: BTreeSet<String> = spent.iter().map(|nonce| (*nonce).to_owned()).collect();
    let identities = identities(&example::case());
    let circumstances = Circumstances { requester: "adam", identities: &identities, spent: &spent, now };
    approve(plan, &[approval], &circumstances)
}

#[test]
fn every_playbook_of_the_program_makes_a_plan() {
    for playbook in content() {
        let plan = plan(&example::case(), &playbook, &example::situation(), example::at(21, 810));
        assert!(!plan.steps.is_empty(), "{}", playbook.id);
    }
}

#[test]
fn the_plan_of_the_example_reads_like_this() {
    let plan = plan_of(&example::situation());
    let steps: Vec<String> = plan
        .steps
        .iter()
        .map(|step| {
            let mode = match &step.mode {
                Mode::Auto { because } => format!("auto: {because}"),
                Mode::NeedsApproval { expires, .. } => format!("asks until {expires}"),
                Mode::Refused { because } => format!("refused: {because}"),
            };
            format!("{} {} [{mode}] needs {:?}\n  {}", step.id, step.action.name(), step.needs, step.reach)
        })
        .collect();
    insta::assert_snapshot!(steps.join("\n"));
}

#[test]
fn every_action_can_be_undone_or_says_why_not() {
    for definition in DEFINITIONS {
        match definition.undo {
            UndoRule::By { action, cost } => {
                assert!(registry::definition(action).is_some(), "{} is undone by {action}", definition.name);
                assert!(!cost.is_empty());
            }
            UndoRule::Irreversible { reason } => assert!(!reason.is_empty(), "{}", definition.name),
        }
        assert!(!definition.check_sentence.is_empty() && !definition.permissions.is_empty());
    }
}

#[test]
fn what_disturbs_evidence_waits_for_a_seal_or_is_refused() {
    let text = TEXT.replacen("    needs: [seal]\n    action: node.net", "    action: node.net", 1);
    let playbook = parse("theft.yaml", &text).expect("it still is a playbook");
    let mut situation = example::situation();
    let made = plan(&example::case(), &playbook, &situation, example::at(21, 810));
    assert_eq!(
        refused(&made, "quarantine"),
        "volatile evidence of container 9c1f8a4be2d0 is not sealed, and nobody waived it"
    );
    situation.waivers.push(Waiver {
        entity: example::container(),
        by: "bea".to_owned(),
        reason: "it wipes disks".to_owned(),
        evidence: example::event(1),
    });
    let waived = plan(&example::case(), &playbook, &situation, example::at(21, 810));
    assert_eq!(refused(&waived, "quarantine").get(..11), Some("not refused"));
}

#[test]
fn a_protected_container_is_not_touched() {
    let mut situation = example::situation();
    situation.containers[0].name = "kube-system/coredns".to_owned();
    assert_eq!(
        refused(&plan_of(&situation), "quarantine"),
        "kube-system/coredns is protected: the cluster's own control plane stops with it"
    );
}

#[test]
fn a_container_that_is_gone_does_not_keep_the_keys_from_being_deactivated() {
    let mut situation = example::situation();
    situation.containers[0].gone = Some(example::at(23, 0));
    let plan = plan_of(&situation);
    assert!(refused(&plan, "seal").contains("is gone: its cgroup was removed at 2026-11-21T18:10:23"));
    let deactivate = plan.steps.iter().find(|step| step.id == "deactivate").expect("the step is there");
    assert!(matches!(deactivate.mode, Mode::NeedsApproval { .. }));
}

#[test]
fn too_many_targets_are_refused_but_evidence_is_still_sealed() {
    let text = TEXT.replacen("max_targets: 12", "max_targets: 1", 1);
    let playbook = parse("theft.yaml", &text).expect("it still is a playbook");
    let plan = plan(&example::case(), &playbook, &example::situation(), example::at(21, 810));
    assert_eq!(refused(&plan, "revoke"), "the plan has 3 targets, the playbook allows 1");
    assert!(plan.steps.iter().any(|step| step.id == "seal" && matches!(step.mode, Mode::Auto { .. })));
}

#[test]
fn below_the_confidence_a_person_is_asked() {
    let mut case = example::case();
    case.confidence = 70;
    let plan = plan(&case, &example::playbook(), &example::situation(), example::at(21, 810));
    let quarantine = plan.steps.iter().find(|step| step.id == "quarantine").expect("the step is there");
    assert!(matches!(&quarantine.mode, Mode::NeedsApproval { because, .. } if because == "confidence 70 is below 85"));
}

#[test]
fn a_case_that_the_playbook_does_not_answer_runs_nothing_by_itself() {
    let mut case = example::case();
    case.verdict = crate::model::Verdict::Benign;
    assert!(!answers(&example::playbook(), &case));
    assert_eq!(automatic(&plan(&case, &example::playbook(), &example::situation(), example::at(21, 810))), None);
}

#[test]
fn without_an_approval_only_automatic_steps_are_given_out() {
    let plan = plan_of(&example::situation());
    let ids = |approved: &Approved<Plan>| approved.steps().map(|step| step.id.clone()).collect::<Vec<_>>();
    assert_eq!(automatic(&plan).as_ref().map(ids), Some(vec!["seal".to_owned(), "quarantine".to_owned()]));
    let approved = ask(&plan, yes(&plan, "bea"), example::at(40, 0), &[]).expect("bea may approve");
    assert_eq!(ids(&approved), ["deactivate", "revoke"]);
}

#[test]
fn each_wrong_approval_has_its_own_refusal() {
    let plan = plan_of(&example::situation());
    let now = example::at(40, 0);
    let said = |approval: Approval, now: Moment, spent: &[&str]| match ask(&plan, approval, now, spent) {
        Ok(_) => "approved".to_owned(),
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(said(yes(&plan, "Adam "), now, &[]), "Adam  asked for the plan and cannot approve it");
    assert_eq!(said(yes(&plan, "backup-operator"), now, &[]), "backup-operator is part of the case and cannot approve");
    assert_eq!(said(yes(&plan, "bea"), now, &["n-1"]), "the approval of bea repeats a nonce");
    assert!(said(yes(&plan, "bea"), example::at(700, 0), &[]).starts_with("the approval of bea expired at"));
    assert!(said(yes(&plan, "bea"), example::at(7_000, 0), &[]).starts_with("the plan expired at"));
    let other = Approval { plan_digest: "00".repeat(32), ..yes(&plan, "bea") };
    assert!(said(other, now, &[]).starts_with("bea approved another plan"));
    let denied = Approval { decision: Decision::Deny, ..yes(&plan, "bea") };
    assert_eq!(said(denied, now, &[]), "bea denied the plan: make a new one");
    assert_eq!(said(yes(&plan, " "), now, &[]), "an approval has no name");
}

#[test]
fn an_altered_plan_fits_no_approval() {
    let mut plan = plan_of(&example::situation());
    let approval = yes(&plan, "bea");
    plan.steps[2].mode = Mode::Auto { because: "somebody edited it".to_owned() };
    assert!(matches!(ask(&plan, approval, example::at(40, 0), &[]), Err(Refusal::PlanAltered { .. })));
    assert_eq!(automatic(&plan), None);
}

#[test]
fn an_undo_is_a_plan_in_reverse_that_waits_for_a_person() {
    let input = example::input();
    let plan = &input.plans[0].value;
    let undo = undo_plan(&input.case, plan, &input.outcomes, example::at(400, 0));
    let ids: Vec<&str> = undo.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["undo/revoke", "undo/deactivate", "undo/quarantine"]);
    assert_eq!(automatic(&undo), None);
    assert_eq!(undo.awaiting().count(), 3);
    assert_ne!(undo.digest, plan.digest);
    let restore = &undo.steps[1].action;
    let user = "backup-operator".to_owned();
    let status = "Active".to_owned();
    assert_eq!(*restore, Action::KeyRestore { key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(), user, status });
}

#[test]
fn an_undo_without_the_prior_state_is_refused() {
    let input = example::input();
    let outcomes: Vec<Recorded<Outcome>> = input
        .outcomes
        .iter()
        .cloned()
        .map(|mut recorded| {
            recorded.value.before = serde_json::Value::Null;
            recorded
        })
        .collect();
    let undo = undo_plan(&input.case, &input.plans[0].value, &outcomes, example::at(400, 0));
    assert!(refused(&undo, "undo/deactivate").starts_with("the status before of"));
}

#[test]
fn a_wrong_playbook_is_told_file_line_key_and_what_is_allowed() {
    let said = [
        wrong("owners:", "owner:"),
        wrong("apiVersion: mayfly/v1", "apiVersion: mayfly/v9"),
        wrong("action: node.net.quarantine@1", "action: node.net.quarantine@7"),
        wrong("needs: [seal]", "needs: [seel]"),
        wrong("    phase: preserve\n", "    phase: preserve\n    needs: [revoke]\n"),
        wrong("{ref: case.long_term_keys}", "{ref: case.everything}"),
        wrong("      recorder: {duration: 10m}\n", ""),
        wrong("    undo: inverse\n", ""),
        wrong("    undo: inverse\n", "    irreversible: I say so\n"),
        wrong("    verify: no_egress\n", ""),
        wrong("    ttl: 4h\n", ""),
        wrong("timeout: 30s", "timeout: 30 seconds"),
        wrong("mode: {auto: {min_confidence: 85", "mode: {perhaps: {min_confidence: 85"),
        wrong("min_confidence: 85", "min_confidence: 101"),
        wrong("fact: severity, at_least: high", "fact: severity, at_least: huge"),
        wrong("fact: verdict", "fact: mood"),
        wrong("id: revoke", "id: seal"),
        wrong("phase: preserve", "phase: recover"),
        wrong("version: 1.0.0", "version: one"),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_a_playbook_or_an_error(text in "\\PC{0,400}") {
        prop_assert!(is_answered(&text));
    }

    #[test]
    fn a_playbook_with_a_cut_and_a_patch_never_panics(start in 0usize..4_000, length in 0usize..200, patch in "[ -~\\n]{0,40}") {
        let start = (0..=start.min(TEXT.len())).rev().find(|at| TEXT.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + length..=TEXT.len()).find(|at| TEXT.is_char_boundary(*at)).unwrap_or(TEXT.len());
        let text = format!("{}{patch}{}", TEXT.get(..start).unwrap_or(""), TEXT.get(end..).unwrap_or(""));
        prop_assert!(is_answered(&text));
    }

    #[test]
    fn no_change_of_a_plan_gets_past_the_gate(byte in 0usize..20_000, to in "[a-z0-9]") {
        let plan = plan_of(&example::situation());
        let mut text = serde_json::to_string(&plan).expect("a plan is JSON");
        let at = byte % text.len();
        let original = text.get(at..=at).map(str::to_owned);
        prop_assume!(original.as_deref().is_some_and(|letter| letter.chars().all(|letter| letter.is_ascii_alphanumeric()) && letter != to));
        text.replace_range(at..=at, &to);
        let Ok(changed) = serde_json::from_str::<Plan>(&text) else { return Ok(()) };
        prop_assume!(changed != plan);
        let said = ask(&changed, yes(&plan, "bea"), example::at(40, 0), &[]);
        prop_assert!(matches!(said, Err(Refusal::PlanAltered { .. } | Refusal::DigestAltered { .. })), "{said:?}");
        prop_assert_eq!(automatic(&changed), None);
    }

    #[test]
    fn the_same_four_make_the_same_plan(confidence in 0u8..=100, seconds in 30u64..9_000) {
        let mut case = example::case();
        case.confidence = confidence;
        let make = || plan(&case, &example::playbook(), &example::situation(), example::at(seconds, 0));
        prop_assert_eq!(crate::canonical::bytes(&make()), crate::canonical::bytes(&make()));
    }
}

//! What was done about the example, as the journal holds it, and the whole input of a report.

use serde_json::{Value, json};

use super::facts::{CONTAINER, KEY, NODE, at, entries, event, events, statement};
use super::findings::{case, container};
use crate::custody::{Chain, Draft, Kind, Record, Recorded};
use crate::model::{AuditSource, Entity, EvidenceRef, Moment, NonEmpty};
use crate::playbook::{
    self, Approval, Container, Decision, Key, Outcome, Plan, Playbook, Protected, Situation, Status,
};
use crate::report::{Artifact, AuditCoverage, Input, Loss, NodeFacts, Reachable};

/// The example's own playbook: what the program's playbooks say may change, and the example still reads as it does.
pub(crate) const PLAYBOOK: &str = include_str!("playbook.yaml");

pub(crate) fn playbook() -> Playbook {
    playbook::parse("playbook.yaml", PLAYBOOK).expect("the example's playbook is one")
}

pub(crate) fn situation() -> Situation {
    Situation {
        containers: vec![Container {
            id: CONTAINER.to_owned(),
            node: NODE.to_owned(),
            cgroup_id: 8_811,
            name: "shop/frontend-7d9c5b8f6-x2x9k".to_owned(),
            image: "registry.shop.example/frontend".to_owned(),
            gone: None,
            evidence: event(4_690),
        }],
        keys: vec![Key { id: KEY.to_owned(), user: "backup-operator".to_owned() }],
        protected: vec![Protected { pattern: "break-glass".to_owned(), reason: "the last way in".to_owned() }],
        allow: vec!["10.0.0.5/32".parse().expect("a literal network")],
        ..Situation::default()
    }
}

struct Journal {
    records: Vec<Record>,
}

impl Journal {
    fn write(&mut self, time: Moment, actor: &str, kind: Kind, body: Value) -> EvidenceRef {
        let draft = Draft { time, actor: actor.to_owned(), kind, case_id: Some(case().id), body };
        let record = Chain::append(self.records.last(), draft);
        let evidence = record.evidence();
        self.records.push(record);
        evidence
    }

    fn value<T: serde::Serialize>(&mut self, time: Moment, actor: &str, kind: Kind, value: T) -> Recorded<T> {
        let body = serde_json::to_value(&value).expect("our own types are JSON");
        Recorded { evidence: self.write(time, actor, kind, body), value }
    }
}

fn outcome(
    plan: &Plan,
    step_id: &str,
    times: (Moment, Moment),
    request: &str,
    states: (Value, Value),
    verified: &str,
) -> Outcome {
    let step = plan.steps.iter().find(|step| step.id == step_id).expect("the plan has the step");
    Outcome {
        plan_digest: plan.digest.clone(),
        step_id: step_id.to_owned(),
        action: step.action.clone(),
        target: step.target.clone(),
        status: Status::Done,
        request_ids: vec![request.to_owned()],
        before: states.0,
        after: states.1,
        verified: verified.to_owned(),
        started: times.0,
        finished: times.1,
        error: String::new(),
    }
}

fn automatic(plan: &Plan) -> Vec<Outcome> {
    vec![
        outcome(
            plan,
            "seal",
            (at(21, 820), at(21, 882)),
            "order-1",
            (json!({}), json!({ "capture_id": "cap-4715" })),
            "manifest signed by the node's key; 4 artifacts stored with the hashes it lists",
        ),
        outcome(
            plan,
            "quarantine",
            (at(21, 884), at(22, 102)),
            "order-2",
            (json!({ "quarantined": false }), json!({ "quarantined": true })),
            "probe to 203.0.113.1:443 from inside the cgroup: dropped; collector: reached",
        ),
    ]
}

fn approved(plan: &Plan) -> Vec<Outcome> {
    vec![
        outcome(
            plan,
            "deactivate",
            (at(241, 0), at(241, 410)),
            "3f2c-11",
            (json!({ "user": "backup-operator", "status": "Active" }), json!({ "status": "Inactive" })),
            "ListAccessKeys: Inactive",
        ),
        outcome(
            plan,
            "revoke",
            (at(241, 412), at(242, 30)),
            "3f2c-12",
            (json!({ "document": null }), json!({ "document": "deny older sessions" })),
            "GetRolePolicy: deny with this moment",
        ),
    ]
}

fn artifacts() -> Vec<Artifact> {
    let artifact = |id: &str, kind: &str, name: &str, size, hash: &str, failure: &str| Artifact {
        capture_id: "cap-4715".to_owned(),
        artifact_id: id.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        size,
        sha256: hash.repeat(32),
        node: NODE.to_owned(),
        container_id: Some(CONTAINER.to_owned()),
        sealed: at(21, 764),
        received: failure.is_empty().then(|| at(22, 410)),
        verified: failure.is_empty().then(|| at(22, 460)),
        signed_by: failure.is_empty().then(|| "ed25519:4f6ac3".to_owned()),
        failure: failure.to_owned(),
    };
    vec![
        artifact("a1", "executable", "/memfd:worker (deleted)", 18_432, "5c", ""),
        artifact("a2", "executable", "/tmp/.x", 912_384, "9e", ""),
        artifact("a3", "recorder", "last 10 minutes", 44_120, "71", ""),
        artifact("a4", "process_facts", "pid 4215", 6_210, "0b", ""),
        artifact("a5", "open_files", "pid 4214", 0, "00", "the process had ended before its files could be listed"),
    ]
}

fn node(since: Moment) -> NodeFacts {
    NodeFacts {
        node: NODE.to_owned(),
        agent_version: "0.1.0".to_owned(),
        kernel_release: "6.1.0-28-amd64".to_owned(),
        since,
        events_received: 48_112,
        refused_hooks: Vec::new(),
        silent_hooks: Vec::new(),
        signing_key: "4f6ac3".to_owned(),
        replay: false,
        evidence: event(1),
    }
}

fn loss() -> Loss {
    Loss {
        node: NODE.to_owned(),
        class: "file".to_owned(),
        reason: "ring_full".to_owned(),
        count: 212,
        from: at(21, 400),
        to: at(21, 520),
        evidence: event(4_707),
    }
}

/// The whole input: the plan was made, half of it ran at once, the rest after Bea said yes.
pub(crate) fn input() -> Input {
    let case = case();
    let mut journal = Journal { records: Vec::new() };
    for finding in &case.findings {
        journal.write(at(21, 790), "collector", Kind::Finding, json!({ "id": finding.id, "title": finding.title }));
    }
    journal.write(at(21, 800), "collector", Kind::CaseOpened, json!({ "title": case.title }));
    let plan = playbook::plan(&case, &playbook(), &situation(), at(21, 810));
    let plan = journal.value(at(21, 810), "collector", Kind::PlanProposed, plan);
    let mut outcomes: Vec<Recorded<Outcome>> = Vec::new();
    for outcome in automatic(&plan.value) {
        outcomes.push(journal.value(outcome.finished, "collector", Kind::ActionDone, outcome));
    }
    journal.write(at(22, 410), "collector", Kind::Received, json!({ "capture_id": "cap-4715" }));
    journal.write(at(170, 0), "adam", Kind::Acknowledged, json!({}));
    let approval = Approval {
        plan_digest: plan.value.digest.clone(),
        approver: "bea".to_owned(),
        decision: Decision::Approve,
        nonce: "n-1".to_owned(),
        given: at(240, 0),
        expires: at(1_140, 0),
    };
    let approval = journal.value(at(240, 0), "bea", Kind::Approval, approval);
    for outcome in approved(&plan.value) {
        outcomes.push(journal.value(outcome.finished, "collector", Kind::ActionDone, outcome));
    }
    Input {
        case,
        events: events(),
        entries: entries(),
        journal: journal.records,
        plans: vec![plan],
        approvals: vec![approval],
        outcomes,
        artifacts: artifacts(),
        losses: vec![loss()],
        nodes: vec![node(at(2, 0))],
        completeness: vec![statement()],
        audit: vec![AuditCoverage {
            source: AuditSource::Cloudtrail,
            entries: 1_204,
            from: at(0, 0),
            to: at(900, 0),
            refused: Vec::new(),
        }],
        reachable: vec![Reachable {
            from: container(),
            to: Entity::ClusterObject { name: "secrets/shop/payment-provider".to_owned() },
            reason: "The service account of the workload may read secrets of its namespace.".to_owned(),
            evidence: NonEmpty::one(event(4_712)),
        }],
        lessons: Vec::new(),
        now: at(960, 0),
    }
}

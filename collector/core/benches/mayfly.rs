//! How many events a second one core detects and correlates, with the embedded rules. Takes nothing; prints one JSON object a line: name,
//! value, unit, goal, met. Rules alone are the baseline.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement needs a clock; judgement has none"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector_core::correlate::{Correlator, NodeFacts, Site, group};
use collector_core::detect::Detector;
use collector_core::model::event::{Entry, Exec, Flow, Raw};
use collector_core::model::{Actor, AuditEntry, AuditSource, Body, Moment, NodeEvent, Origin, ProcessKey};
use serde_json::json;

/// The collector's goal, on two cores: judgement may take no more than one of them.
const GOAL: f64 = 200_000.0;

/// Each measurement runs for at least so long.
const SPAN: Duration = Duration::from_secs(2);

fn process(pid: u32) -> ProcessKey {
    ProcessKey {
        node: "node-1".into(),
        boot_id: "1b6f2f6e-7d3a-4c1e-9f52-8d2f0f0c7a11".into(),
        pid,
        start_ns: pid.into(),
    }
}

fn raw(text: &str) -> Raw {
    Raw(text.as_bytes().to_vec())
}

/// An open that makes or changes a file.
fn open(path: &str, flags: u32) -> Body {
    Body::FileOpen {
        path: raw(path),
        flags,
        mode: 0o644,
        sensitive: String::new(),
        result: 3,
        truncated: false,
        object: None,
        created: false,
        by_handle: false,
        alias: Raw::default(),
        repeats: None,
    }
}

/// The short life of one process in a container: fork, exec, files, a connection, exit.
fn life(number: u32) -> Vec<NodeEvent> {
    let programs = [
        ("/usr/bin/git", "git -c core.quotepath=off status --porcelain=v2 --branch"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "cc1 -quiet -imultiarch x86_64-linux-gnu main.c -o /tmp/cc1.s"),
        ("/usr/bin/python3.11", "python3 -m app.worker --queue default --concurrency 4"),
        ("/usr/bin/id", "id -u"),
    ];
    let (path, line) = programs[number as usize % programs.len()];
    let (parent, child) = (process(1_000 + number % 64), process(10_000 + number));
    let actor = |process: &ProcessKey, executable: &str| Actor {
        process: process.clone(),
        parent: Some(parent.clone()),
        executable: raw(executable),
        uid: 1000,
        origin: Origin::Container { id: format!("{:064x}", number % 40) },
        entry: Entry::InitTree,
        entered: None,
        in_host_mounts: false,
    };
    let address = |text: &str| text.parse().expect("an address");
    let flow = Flow { local: address("10.1.2.3"), local_port: 40_000, remote: address("10.1.7.9"), remote_port: 5432 };
    let exec = Exec {
        path: raw(path),
        arguments: line.split(' ').map(raw).collect(),
        directory: raw("/srv/app"),
        inode: 77,
        links: 1,
        ..Exec::default()
    };
    let bodies = [
        (&parent, Body::Fork { child: child.clone() }),
        (&child, Body::Exec(Box::new(exec))),
        (&child, open("/tmp/work/out.o", 0o1101)),
        (&child, open("/var/log/app/worker.log", 0o2001)),
        (&child, Body::Connect { flow, established: true, metadata_service: false, api_server: false }),
        (&child, Body::FileUnlink { path: raw("/tmp/work/out.o"), result: 0, truncated: false, object: None }),
        (&child, Body::Close { flow, sent: 512, received: 2_048, outgoing: true }),
        (&child, Body::Exit { code: 0, signal: 0 }),
    ];
    let event = |(place, (who, body)): (usize, (&ProcessKey, Body))| {
        let position = u64::from(number) * 8 + place as u64;
        NodeEvent {
            node: "node-1".into(),
            log_id: "log".into(),
            position,
            time: Moment { ns: 1_795_262_400_000_000_000 + position * 5_000, uncertainty_us: 40 },
            actor: Some(actor(who, path)),
            attempt: false,
            body,
        }
    };
    bodies.into_iter().enumerate().map(event).collect()
}

fn entries() -> Vec<AuditEntry> {
    let entry = |number: u64| AuditEntry {
        source: AuditSource::Cloudtrail,
        id: format!("e{number}"),
        time: Moment::of_second(1_795_262_400 + number),
        action: "DescribeInstances".into(),
        source_address: "203.0.113.50".parse().ok(),
        denied: false,
        original: json!({
            "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances", "sourceIPAddress": "203.0.113.50",
            "userIdentity": {
                "type": "AssumedRole", "accessKeyId": format!("ASIA{}", number % 50),
                "arn": format!("arn:aws:sts::1:assumed-role/Role{0}/i-0a1b2c3d4e5f607{0:02}", number % 50),
                "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::1:role/Role"}},
            },
        }),
        object_sha256: "00".into(),
    };
    (0..4_000).map(entry).collect()
}

fn rate(items: usize, mut once: impl FnMut()) -> f64 {
    once();
    let begin = Instant::now();
    let mut rounds = 0_usize;
    while begin.elapsed() < SPAN {
        once();
        rounds += 1;
    }
    (items * rounds) as f64 / begin.elapsed().as_secs_f64()
}

fn print(name: &str, value: f64, unit: &str, goal: Option<f64>) {
    let met = goal.map(|goal| value >= goal);
    println!("{}", json!({"name": name, "value": value.round(), "unit": unit, "goal": goal, "met": met}));
}

fn main() {
    let (engine, errors) = rules::Engine::load(rules::content().iter().copied());
    assert!(errors.is_empty(), "{errors:?}");
    let engine = Arc::new(engine);
    let events: Vec<NodeEvent> = (0..20_000).flat_map(life).collect();
    let mut detector = Detector::new(Arc::clone(&engine));
    let mut correlator = Correlator::new(Site::default());
    correlator.node_facts(NodeFacts {
        node: "node-1".into(),
        instance_id: Some("i-0a1b2c3d4e5f60718".into()),
        addresses: Vec::new(),
    });
    let detected = rate(events.len(), || {
        for event in &events {
            black_box(detector.node_event(event));
        }
    });
    print("judge/detect", detected, "events/s", None);
    let correlated = rate(events.len(), || {
        for event in &events {
            correlator.node_event(event);
        }
    });
    print("judge/correlate", correlated, "events/s", None);
    let both = rate(events.len(), || {
        for event in &events {
            black_box(detector.node_event(event));
            correlator.node_event(event);
        }
    });
    print("judge/detect_and_correlate", both, "events/s", Some(GOAL));
    let entries = entries();
    let mut findings = Vec::new();
    let audited = rate(entries.len(), || {
        findings.clear();
        for entry in &entries {
            findings.extend(detector.audit(entry));
            correlator.audit(entry);
        }
    });
    print("judge/audit_entries", audited, "entries/s", None);
    let drawn = rate(1, || {
        let edges = correlator.edges_for(&findings, Moment::exact(u64::MAX));
        black_box(group(&findings, &edges));
    });
    print("judge/draw_cases", drawn, "drawings/s", None);
}

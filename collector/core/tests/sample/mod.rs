//! Labelled samples as events and entries. Takes the lines of one file of stitched incidents; gives what a node and the clouds would have
//! sent, with the number of the row that each came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use collector_core::correlate::NodeFacts;
use collector_core::model::event::{ContainerSeen, Entry, Exec, Flow, Raw};
use collector_core::model::{Actor, AuditEntry, AuditSource, Body, EvidenceRef, Moment, NodeEvent, Origin, ProcessKey};
use serde_json::Value;

pub(crate) enum Row {
    Event(Box<NodeEvent>),
    Entry(AuditEntry),
}

#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) all: Vec<Row>,
    /// What happened before the sample begins: containers, and the parents that rows name.
    pub(crate) background: Vec<NodeEvent>,
    pub(crate) nodes: Vec<NodeFacts>,
    numbers: BTreeMap<EvidenceRef, usize>,
}

impl Rows {
    pub(crate) fn number(&self, evidence: &EvidenceRef) -> Option<usize> {
        self.numbers.get(evidence).copied()
    }
}

pub(crate) struct Incident {
    pub(crate) name: String,
    pub(crate) rows: Rows,
    /// Rows of the attack, of those sources that Mayfly reads.
    pub(crate) expected: BTreeSet<usize>,
}

pub(crate) fn incidents(folder: &Path) -> Vec<Incident> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the sample is readable");
    let expect: Value = serde_json::from_str(&read("EXPECT.json")).expect("EXPECT.json is JSON");
    let files = expect.as_array().into_iter().flatten();
    files.map(|file| incident(file["file"].as_str().expect("each has a file"), file, &read)).collect()
}

fn incident(name: &str, expect: &Value, read: &dyn Fn(&str) -> String) -> Incident {
    let mut rows = Rows::default();
    for line in read(name).lines() {
        let row: Value = serde_json::from_str(line).expect("each line is JSON");
        take(&row, &mut rows);
    }
    let numbers: BTreeSet<usize> = rows.numbers.values().copied().collect();
    let labelled = expect["incidents"]["A"]["events"].as_array().into_iter().flatten();
    let labelled: BTreeSet<usize> = labelled.filter_map(|number| usize::try_from(number.as_u64()?).ok()).collect();
    Incident { name: name.to_owned(), rows, expected: labelled.intersection(&numbers).copied().collect() }
}

fn take(row: &Value, rows: &mut Rows) {
    let number = usize::try_from(row["n"].as_u64().expect("rows are numbered")).expect("numbers are small");
    let time = moment(text(row, "time"));
    let source = text(row, "source");
    let event = &row["event"];
    let made = match source {
        "aws.cloudtrail" => Row::Entry(entry(AuditSource::Cloudtrail, event, time)),
        "k8s.audit" => Row::Entry(entry(AuditSource::Kubernetes, event, time)),
        _ if source.starts_with("linux.") => {
            background(event, rows);
            Row::Event(Box::new(node_event(source, event, time, number as u64 + 1)))
        }
        _ => return,
    };
    let evidence = match &made {
        Row::Event(event) => event.evidence(),
        Row::Entry(entry) => entry.evidence(),
    };
    rows.numbers.insert(evidence, number);
    rows.all.push(made);
}

fn entry(source: AuditSource, event: &Value, time: Moment) -> AuditEntry {
    let (id, action, address, denied) = match source {
        AuditSource::Cloudtrail => {
            let denied = event["errorCode"].as_str().is_some_and(|code| code.contains("Denied"));
            (text(event, "eventID"), text(event, "eventName").to_owned(), text(event, "sourceIPAddress"), denied)
        }
        AuditSource::Kubernetes => {
            let object = &event["objectRef"];
            let sub = object["subresource"].as_str().map_or_else(String::new, |sub| format!("/{sub}"));
            let action = format!("{} {}{sub}", text(event, "verb"), text(object, "resource"));
            let denied = event["responseStatus"]["code"] == 403;
            (text(event, "auditID"), action, event["sourceIPs"][0].as_str().unwrap_or_default(), denied)
        }
    };
    AuditEntry {
        source,
        id: id.to_owned(),
        time,
        action,
        source_address: address.parse().ok(),
        denied,
        original: event.clone(),
        object_sha256: "00".into(),
    }
}

fn node_event(source: &str, event: &Value, time: Moment, position: u64) -> NodeEvent {
    let node = text(&event["host"], "name").to_owned();
    let container = event["container"]["id"].as_str();
    let from_outside = container.is_some() && text(event, "ParentImage").contains("containerd-shim");
    let raw = |key: &str| Raw(text(event, key).as_bytes().to_vec());
    let actor = Actor {
        process: process(&node, &event["ProcessId"]),
        parent: event["ParentProcessId"].as_u64().map(|_| process(&node, &event["ParentProcessId"])),
        executable: raw("Image"),
        uid: 33,
        origin: container.map_or(Origin::Host, |id| Origin::Container { id: id.to_owned() }),
        entry: if from_outside { Entry::CriExec } else { Entry::InitTree },
        entered: None,
        in_host_mounts: false,
    };
    let body = match source {
        "linux.process_creation" => Body::Exec(Box::new(Exec {
            path: raw("Image"),
            arguments: text(event, "CommandLine").split(' ').map(|word| Raw(word.into())).collect(),
            directory: raw("CurrentDirectory"),
            upper_layer: container.is_some() && text(event, "Image").starts_with("/tmp/"),
            ..Exec::default()
        })),
        "linux.network_connection" => {
            let address = |key: &str| text(event, key).parse().expect("addresses are addresses");
            let port = |key: &str| u16::try_from(event[key].as_u64().unwrap_or_default()).unwrap_or_default();
            let flow = Flow {
                local: address("SourceIp"),
                local_port: port("SourcePort"),
                remote: address("DestinationIp"),
                remote_port: port("DestinationPort"),
            };
            let metadata_service = text(event, "DestinationIp") == "169.254.169.254";
            Body::Connect { flow, established: true, metadata_service, api_server: false }
        }
        _ => Body::FileOpen {
            path: raw("TargetFilename"),
            flags: 0o101,
            mode: 0o644,
            sensitive: String::new(),
            result: 3,
            truncated: false,
            object: None,
            created: false,
            by_handle: false,
            alias: Raw::default(),
            repeats: None,
        },
    };
    NodeEvent { node, log_id: "log".into(), position, time, actor: Some(actor), attempt: false, body }
}

/// The node, the container and the parent that a row names without an event of their own.
fn background(event: &Value, rows: &mut Rows) {
    let host = &event["host"];
    let node = text(host, "name").to_owned();
    if !rows.nodes.iter().any(|known| known.node == node) {
        let instance_id = host["cloud"]["instance_id"].as_str().map(str::to_owned);
        let addresses = text(host, "ip").parse().into_iter().collect();
        rows.nodes.push(NodeFacts { node: node.clone(), instance_id, addresses });
    }
    let mut add = |actor: Option<Actor>, body: Body| {
        let position = 1_000_000 + rows.background.len() as u64;
        let time = Moment::exact(0);
        rows.background.push(NodeEvent {
            node: node.clone(),
            log_id: "log".into(),
            position,
            time,
            actor,
            attempt: false,
            body,
        });
    };
    if let Some(parent) = event["ParentImage"].as_str() {
        let actor = Actor {
            process: process(text(host, "name"), &event["ParentProcessId"]),
            parent: None,
            executable: Raw(parent.into()),
            uid: 0,
            origin: Origin::Host,
            entry: Entry::InitTree,
            entered: None,
            in_host_mounts: false,
        };
        let words = text(event, "ParentCommandLine").split(' ');
        let arguments = words.map(|word| Raw(word.into())).collect();
        add(Some(actor), Body::Exec(Box::new(Exec { path: Raw(parent.into()), arguments, ..Exec::default() })));
    }
    let container = &event["container"];
    if let Some(id) = container["id"].as_str() {
        add(
            None,
            Body::ContainerSeen(Box::new(ContainerSeen {
                container_id: id.to_owned(),
                pod_name: text(container, "pod").to_owned(),
                pod_namespace: text(container, "namespace").to_owned(),
                image: text(container, "image").to_owned(),
                service_account: text(container, "service_account").to_owned(),
                ..ContainerSeen::default()
            })),
        );
    }
}

fn process(node: &str, pid: &Value) -> ProcessKey {
    let pid = u32::try_from(pid.as_u64().unwrap_or_default()).unwrap_or_default();
    ProcessKey { node: node.to_owned(), boot_id: "boot".into(), pid, start_ns: 0 }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn moment(text: &str) -> Moment {
    let time: jiff::Timestamp = text.parse().expect("times are RFC 3339");
    Moment { ns: u64::try_from(time.as_nanosecond()).expect("after 1970"), uncertainty_us: 1_000_000 }
}

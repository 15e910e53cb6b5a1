//! Indicators that an event or an entry meets. Takes it as rules see it; gives one finding for each value, which names the value, who lists it
//! and why. What was not listed, or no longer, at the time of the event is none.

use rules::Event;
use rules::indicators::{Hit, Set, Words};

use super::finding;
use crate::model::{Entity, EvidenceRef, Finding, Moment, NonEmpty};

/// Fills `hits` with what the event meets; the vector is kept between calls, so that an event that meets nothing allocates nothing.
pub(super) fn look_up<E: Event>(set: &Set, view: &E, time: Moment, hits: &mut Vec<Hit>) {
    hits.clear();
    set.lookup(view, seconds(time), hits);
}

/// The finding of one hit.
pub(super) fn finding<E: Event>(
    set: &Set,
    hit: Hit,
    view: &E,
    evidence: EvidenceRef,
    time: Moment,
    entities: Vec<Entity>,
) -> Finding {
    let Words { id, title, why, level } = set.words(hit, seconds(time));
    Finding {
        id: finding::name(&id, &evidence),
        rule_id: id,
        title,
        why,
        level: finding::level(level),
        techniques: Vec::new(),
        tactics: Vec::new(),
        time,
        entities,
        evidence: NonEmpty::one(evidence),
        matched: vec![finding::shown(hit.field.to_owned(), set.value(hit, view))],
    }
}

fn seconds(time: Moment) -> i64 {
    i64::try_from(time.ns / 1_000_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rules::Engine;
    use serde_json::json;

    use super::*;
    use crate::detect::Detector;
    use crate::model::event::{Actor, Flow, Raw, Trigger};
    use crate::model::network::Dns;
    use crate::model::{AuditEntry, AuditSource, Body, NodeEvent, Origin, ProcessKey};

    const FEED: &str = "type,value,source,why,expires,level
domain,bad.example,Our CERT,control server of a miner,2026-06-01T00:00:00Z,high
network,203.0.113.0/24,Example Lab,rented by them,,
";

    const JANUARY: u64 = 1_767_225_600_000_000_000;

    fn detector() -> Detector {
        let (set, errors) = Set::load([("cert.csv", FEED)]);
        assert!(errors.is_empty(), "{errors:?}");
        Detector::new(Engine::default()).with_indicators(set)
    }

    fn event(position: u64, ns: u64, body: Body) -> NodeEvent {
        let actor = Actor {
            process: ProcessKey { node: "node-1".into(), boot_id: "boot".into(), pid: 7, start_ns: 1 },
            parent: None,
            executable: Raw(b"/usr/bin/curl".to_vec()),
            uid: 0,
            origin: Origin::Host,
            entry: crate::model::event::Entry::None,
            entered: None,
            in_host_mounts: false,
        };
        let (node, log_id, time) = ("node-1".into(), "log".into(), Moment::exact(ns));
        NodeEvent { node, log_id, position, time, actor: Some(actor), attempt: false, body }
    }

    fn asked(name: &str) -> Body {
        let flow = "192.0.2.1".parse().expect("an address");
        let flow = Flow { local: flow, local_port: 4000, remote: flow, remote_port: 53 };
        Body::Dns(Box::new(Dns {
            flow,
            tcp: false,
            answer: false,
            id: 1,
            name: Raw(name.into()),
            record_type: "A".into(),
            code: 0,
            addresses: Vec::new(),
            names: Vec::new(),
            results: Raw::default(),
            truncated: false,
        }))
    }

    fn told(finding: &Finding) -> String {
        format!("{} ({}) {} {:?}", finding.title, finding.level, finding.why, finding.matched)
    }

    #[test]
    fn a_name_that_is_listed_is_a_finding_with_who_says_so_and_why() {
        let findings = detector().node_event(&event(1, JANUARY, asked("a.bad.example")));
        assert_eq!(
            findings.iter().map(told).collect::<Vec<_>>(),
            [
                "Indicator: domain bad.example (high) Our CERT lists it: control server of a miner; until 2026-06-01T00:00:00Z. \
              [(\"QueryName\", \"a.bad.example\")]"
            ]
        );
        assert_eq!(findings[0].entities[0].to_string(), "process 7 (/usr/bin/curl)");
    }

    #[test]
    fn what_was_not_listed_at_the_time_of_the_event_is_no_finding() {
        let half_a_year = 183 * 86_400_000_000_000;
        assert!(detector().node_event(&event(1, JANUARY + half_a_year, asked("bad.example"))).is_empty());
        assert!(detector().node_event(&event(1, JANUARY, asked("good.example"))).is_empty());
    }

    #[test]
    fn a_call_from_a_listed_address_is_a_finding_in_each_audit_log() {
        let logs = [
            (AuditSource::Cloudtrail, json!({"eventName": "ListBuckets", "sourceIPAddress": "203.0.113.9"})),
            (AuditSource::Kubernetes, json!({"verb": "list", "sourceIPs": ["10.0.0.1", "203.0.113.9"]})),
        ];
        for (source, original) in logs {
            let entry = AuditEntry {
                source,
                id: "e1".into(),
                time: Moment::exact(JANUARY),
                action: "list".into(),
                source_address: "203.0.113.9".parse().ok(),
                denied: false,
                original,
                object_sha256: "00".into(),
            };
            let findings = detector().audit(&entry);
            assert_eq!(findings.len(), 1, "{source}");
            assert_eq!(findings[0].title, "Indicator: network 203.0.113.0/24");
            assert_eq!(findings[0].why, "Example Lab lists it: rented by them.");
            assert_eq!(findings[0].matched[0].1, "203.0.113.9");
        }
    }

    #[test]
    fn the_node_s_own_match_is_the_same_finding() {
        let mut detector = detector();
        let ours = detector.node_event(&event(4, JANUARY, asked("bad.example")));
        let trigger = Trigger {
            rule_id: ours[0].rule_id.clone(),
            rule_title: "Indicator: domain bad.example".into(),
            level: "high".into(),
            event_position: 4,
            ..Trigger::default()
        };
        let theirs = detector.node_event(&event(5, JANUARY, Body::Trigger(Box::new(trigger))));
        assert_eq!(ours[0].id, theirs[0].id);
        assert_eq!((theirs[0].why.as_str(), theirs[0].evidence.iter().count()), (ours[0].why.as_str(), 2));
    }
}

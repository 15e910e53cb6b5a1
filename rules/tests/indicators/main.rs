//! Indicators from files to matches: what each form gives, what is refused and how that is told, and what events meet.

mod lookup;
mod robustness;

use rules::indicators::{Indicator, Set};

const CSV: &str = include_str!("feed.csv");
const STIX: &str = include_str!("bundle.json");
const MISP: &str = include_str!("event.json");

/// What a set holds, one line each.
fn told(set: &Set) -> Vec<String> {
    let line = |indicator: &Indicator| {
        let Indicator { kind, source, why, expires, level, confidence, .. } = indicator;
        let expires = expires.map(|moment| format!(" until {moment}")).unwrap_or_default();
        let sure = confidence.map(|sure| format!(" {sure}%")).unwrap_or_default();
        format!("{} {kind} | {source} | {why} | {}{sure}{expires}", kind.word(), level.name())
    };
    set.indicators().iter().map(line).collect()
}

fn check(file: &str, text: &str, indicators: &[&str], errors: &[&str]) {
    let (set, found) = Set::load([(file, text)]);
    assert_eq!(told(&set), indicators);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), errors);
}

#[test]
fn a_csv_file_says_its_columns_and_each_line_stands_for_itself() {
    check(
        "feed.csv",
        CSV,
        &[
            "domain files.bad.example | Our CERT | delivers, then runs \"stage two\" | high 90% until 1801526400",
            "network 203.0.113.0/28 | feed.csv |  | medium",
            "sha256 abababababababababababababababababababababababababababababababab | feed.csv | dropper | medium",
            "file_name /tmp/.x/run | Our CERT | where it lies | low",
        ],
        &[
            "feed.csv:6: value: meets 10.0.0.0/8, which is private: it means another machine in each place",
            "feed.csv:7: type: `email` is not one of md5, sha1, sha256, address, network, domain, url, file_name",
            "feed.csv:8: expires: must be as 2026-12-31T10:00:00Z or 2026-12-31",
            "feed.csv:9: a quote does not end on its line",
        ],
    );
}

#[test]
fn a_stix_bundle_gives_its_indicators_with_the_name_of_who_made_them() {
    check(
        "bundle.json",
        STIX,
        &[
            "domain bad.example | Example Lab | control server of a miner | high 85% until 1798761600",
            "address 198.51.100.7 | Example Lab | two ways out | medium",
            "network 198.51.100.64/26 | Example Lab | two ways out | medium",
        ],
        &[
            "bundle.json: indicator--00000000-0000-4000-8000-000000000003: pattern: `AND` cannot be expressed: an indicator is one \
             value by itself; OR is allowed",
            "bundle.json: indicator--00000000-0000-4000-8000-000000000004: pattern_type: `sigma` is not allowed; `stix` is",
            "bundle.json: objects[7]: must be an object",
            "bundle.json: objects[8]: pattern: is missing",
        ],
    );
}

#[test]
fn a_misp_event_gives_what_is_marked_for_detection() {
    check(
        "event.json",
        MISP,
        &[
            "address 198.51.100.9 | Example CERT | Miner on build servers: pool | high",
            "sha256 cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd | Example CERT | Miner on build servers | high",
            "domain pool.bad.example | Example CERT | Miner on build servers | high",
            "address 198.51.100.10 | Example CERT | Miner on build servers | high",
            "url http://bad.example/a.sh | Example CERT | Miner on build servers | high",
        ],
        &[
            "event.json: 5e000000-0000-4000-8000-000000000004: type: `regkey` is not one of md5, sha1, sha256, filename, filename|md5, \
             filename|sha1, filename|sha256, malware-sample, ip-src, ip-dst, ip-src|port, ip-dst|port, domain, domain|ip, hostname, \
             hostname|port, url",
            "event.json: Attribute[4]: value: must be text",
        ],
    );
}

#[test]
fn a_file_of_no_known_form_is_said() {
    check(
        "a.json",
        "{\"objects\": 5}",
        &[],
        &["a.json: holds neither a STIX bundle (`objects`) nor a MISP event (`Event` with `Attribute`)"],
    );
    check("a.csv", "# nothing\n\n", &[], &["a.csv: is empty: neither columns nor JSON"]);
    check(
        "a.csv",
        "indicator,kind\n1,2\n",
        &[],
        &["a.csv:1: column `indicator` is not one of type, value, source, why, expires, level, confidence"],
    );
}

#[test]
fn what_stands_before_broken_json_is_kept_and_the_rest_is_said_to_be_missing() {
    let good = r#"{"type": "indicator", "id": "indicator--1", "pattern": "[domain-name:value = 'bad.example']"}"#;
    let text = format!("{{\"type\": \"bundle\",\n \"objects\": [{good},\n oh no");
    let (set, errors) = Set::load([("a.json", text)]);
    assert_eq!(told(&set), ["domain bad.example | a.json |  | medium"]);
    assert!(errors[0].to_string().starts_with("a.json:3: is not JSON from here on"), "{}", errors[0]);
}

#[test]
fn one_value_of_one_source_again_holds_as_long_as_the_longer_one() {
    let lines = "type,value,source,why,expires,level\n\
                 domain,bad.example,A,c2,2026-01-01,low\n\
                 domain,BAD.example.,A,c2,2027-01-01,high\n\
                 domain,bad.example,B,c2,,\n";
    check(
        "a.csv",
        lines,
        &["domain bad.example | A | c2 | high until 1798848000", "domain bad.example | B | c2 | medium"],
        &[],
    );
}

#[test]
fn a_value_that_very_many_sources_give_is_kept_for_eight() {
    let lines: Vec<String> = (0..10).map(|number| format!("domain,bad.example,{number}")).collect();
    let (set, errors) = Set::load([("a.csv", format!("type,value,source\n{}\n", lines.join("\n")))]);
    assert_eq!(set.indicators().len(), 8);
    assert_eq!(errors[0].to_string(), "all indicators: 2 of a value that 8 others give already are left out");
}

//! What the configuration takes, and how it refuses the rest.

use super::*;

/// The error of a text, or what it gives in a word.
fn check(text: &str) -> String {
    match Config::parse(Path::new("agent.toml"), text) {
        Ok(_) => String::from("taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = Config::parse(Path::new("agent.toml"), "").expect("the defaults are within their bounds");
    assert_eq!(config.log, LogBounds::default());
    assert!(!config.node.is_empty(), "the host's name");
}

#[test]
fn each_field_can_be_set() {
    let text = r#"
        data = "/var/lib/other"
        node = "node-7"
        instance = "i-0abc"
        [collector]
        endpoint = "https://collector.example:7443"
        ca = "ca.pem"
        certificate = "node.pem"
        key = "node.key"
        window = "8MiB"
        backoff_min = "1s"
        backoff_max = "1m"
        timeout = "5s"
        [kernel]
        pins = ""
        stay = false
        away = "1h"
        [log]
        max_age = "10m"
        max_bytes = "64MiB"
        block_bytes = "128KiB"
        block_age = "100ms"
        sync = "1s"
        level = 3
        [recorder]
        before = "2m"
        [files]
        sensitive = [{ class = "shadow", path = "/etc/shadow" }]
        [rules]
        folders = ["/etc/mayfly/rules"]
        indicators = ["/etc/mayfly/indicators", "/srv/feeds/cert.csv"]
        [respond]
        waiting = 8
        captures_max_bytes = "1GiB"
        artifact_max_bytes = "8MiB"
        hold = "30m"
        hash_secret = "/etc/mayfly/hash.secret"
        never_touch = ["/usr/bin/important"]
    "#;
    let config = Config::parse(Path::new("agent.toml"), text).expect("all of it is allowed");
    assert_eq!(config.log.max_age, Duration::from_mins(10));
    assert_eq!(config.collector.expect("set").window, Bytes(8 << 20));
    assert_eq!(config.respond.never_touch, [PathBuf::from("/usr/bin/important")]);
    assert_eq!((config.respond.artifact_max_bytes, config.respond.hold), (Bytes(8 << 20), Duration::from_mins(30)));
    assert_eq!(config.respond.hash_secret, Some(PathBuf::from("/etc/mayfly/hash.secret")));
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_what_is_allowed() {
    let text = check("data = \"/x\"\n[log]\nmax_agee = \"1h\"\n");
    assert!(text.starts_with("agent.toml:3: unknown field `max_agee`, expected one of `max_age`"), "{text}");
}

#[test]
fn a_number_without_unit_is_no_duration() {
    let text = check("[log]\n\nmax_age = 60\n");
    assert!(text.starts_with("agent.toml:3:"), "{text}");
    let text = check("[log]\nmax_age = \"60\"\n");
    assert!(text.contains("agent.toml:2: \"60\" is not a duration: a whole number and us, ms, s, m, h or d"), "{text}");
}

#[test]
fn a_value_out_of_its_bounds_is_an_error_with_line_field_and_bounds() {
    let text = check("data = \"/x\"\n[log]\nlevel = 22\n");
    assert_eq!(text, "agent.toml:3: log.level: 22 is not between 1 and 9");
    let text = check("[log]\nmax_age = \"2m\"\n[recorder]\nbefore = \"5m\"\n");
    assert_eq!(text, "agent.toml:4: recorder.before: 300s is not between 1s and 120s");
    let text = check("[respond]\nhold = \"2d\"\n");
    assert_eq!(text, "agent.toml:2: respond.hold: 172800s is not between 1s and 86400s");
    let text = check("[respond]\nwaiting = 8\nartifact_max_bytes = \"2GiB\"\n");
    assert_eq!(
        text,
        "agent.toml:3: respond.artifact_max_bytes: 2147483648 is not between 1048576 and 1073741824 bytes"
    );
}

#[test]
fn a_collector_without_encryption_is_refused() {
    let text = check("[collector]\nendpoint = \"http://x\"\nca = \"a\"\ncertificate = \"b\"\nkey = \"c\"\n");
    assert!(text.starts_with("agent.toml:2: collector.endpoint:"), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::read(Path::new("/nonexistent/agent.toml")).expect_err("it is not there");
    assert_eq!(error.to_string(), "read configuration /nonexistent/agent.toml");
}

#[test]
fn text_that_is_not_toml_is_an_error_and_no_panic() {
    for text in ["[", "= 1", "data = ", "\u{0}", "[log]\n[log]", "a.b.c.d = [[["] {
        assert_ne!(check(text), "taken", "{text:?}");
    }
}

#[test]
fn the_configurations_that_we_publish_are_taken() {
    let readme = include_str!("../../../README.md");
    let example = readme.split("```toml").find(|block| block.contains("/etc/mayfly/agent.toml")).expect("an example");
    assert_eq!(check(example.split("```").next().expect("it ends")), "taken");

    let manifest = include_str!("../../deploy/daemonset.yaml");
    let (_, block) = manifest.split_once("agent.toml: |\n").expect("a configuration");
    let (block, _) = block.split_once("\n---").expect("another document follows");
    assert_eq!(check(block), "taken");
}

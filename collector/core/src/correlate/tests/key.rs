//! B6, and what comes near it without being it.

use super::*;
use crate::correlate::Sighting;

pub(super) fn sighting(milliseconds: i64, container: &str, pid: u32) -> Sighting {
    Sighting {
        time: at(milliseconds),
        process: process(pid),
        executable: "/usr/bin/curl".into(),
        container: Some(container.into()),
        evidence: crate::model::EvidenceRef::Artifact {
            capture_id: "c".into(),
            artifact_id: "process_facts".into(),
            sha256: "5c9e".into(),
        },
    }
}

const KEY: &str = "AKIAEXAMPLE";

fn world(sighted: &str, used: &str) -> World {
    let entries = vec![call("e1", 600_000, "sam", used, "203.0.113.7")];
    World {
        events: vec![event(0, WEB, 7, 1, Body::Exit { code: 0, signal: 0 })],
        entries,
        sighted: vec![(sighted.into(), sighting(2_000, WEB, 7))],
        ..World::default()
    }
}

#[test]
fn a_key_in_a_process_is_joined_to_its_use() {
    world(KEY, KEY).check(HOUR, &["B6 Exact joined: process 7 (/usr/bin/curl) -> access key AKIAEXAMPLE 598 s"]);
}

#[test]
fn another_key_is_not_joined() {
    world(KEY, "AKIAOTHER").check(HOUR, &[]);
}

#[test]
fn a_key_that_stood_in_another_container_is_not_joined() {
    let mut world = world(KEY, KEY);
    world.sighted = vec![(KEY.into(), sighting(2_000, OTHER, 8))];
    world.check(HOUR, &[]);
}

//! A user's access key stands in the environment of what the node captured; later it is used from elsewhere. The call is joined to that very
//! process by the key's hash, and the id itself never left the node.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::clock::now;
use tests::world::cloud::USER;
use tests::world::incident::{Incident, PATIENCE, Respond, joined};
use tests::world::network::ELSEWHERE;
use tests::world::place::quoted;
use tests::world::program::eventually;
use tests::world::trail::{Caller, deliver};

use crate::bundle::Bundle;
use crate::skip;

#[test]
fn a_key_seen_in_a_process_is_joined_to_its_use() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident = Incident::prepare("hash", 2)?;
    let statements = seen_and_used(&incident)?;
    let carried = |statement: &Value| statement.pointer("/predicate/keyedHash/key").is_some();
    assert!(statements.iter().all(carried), "nobody could compare the hashes: {statements:#?}");
    Ok(())
}

#[test]
fn a_key_that_was_hashed_with_a_shared_secret_is_joined_and_the_evidence_does_not_carry_the_secret() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident = Incident::with("shar", 2, |place| {
        let path = place.path("hash.secret");
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "a secret of this deployment alone")?;
        let line = format!("hash_secret = {}", quoted(&path));
        Ok(Respond { collector: line.clone(), agent: line })
    })?;
    let statements = seen_and_used(&incident)?;
    let carried = |statement: &Value| statement.pointer("/predicate/keyedHash/key").is_some();
    assert!(!statements.iter().any(carried), "the evidence carries the secret: {statements:#?}");
    Ok(())
}

/// The attack, then a call with the key that stood in the container; the edge between them. Gives what the node signed.
fn seen_and_used(incident: &Incident) -> Result<Vec<Value>> {
    incident.strike();
    let id = incident.case()?;
    let key = &incident.attack.shop_key;
    let bundle = eventually("a capture with a hashed key", PATIENCE, || {
        let bundle = export(incident, &id)?;
        Ok(bundle.statements()?.iter().any(|statement| pids(statement).next().is_some()).then_some(bundle))
    })?;
    for (name, bytes) in &bundle.files {
        assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()), "the key's id is in {name}");
    }

    let thief = Caller::user(USER, key, ELSEWHERE);
    let call = thief.call(0, now(), ("sts.amazonaws.com", "GetCallerIdentity"), &Value::Null, &Value::Null);
    deliver(&incident.collector.trail, now(), 1, std::slice::from_ref(&call))?;
    let case = incident.case_when(&id, "B6 in the case", |case| !joined(case, "B6").is_empty())?;

    let statements = export(incident, &id)?.statements()?;
    for edge in joined(&case, "B6") {
        assert_eq!(edge["strength"], "exact", "{edge:#}");
        assert_eq!(edge.pointer("/to/identity/id"), Some(&Value::from(key.as_str())), "{edge:#}");
        let evidence = edge["evidence"].as_array().context("an edge has evidence")?;
        let of = |kind: &str| evidence.iter().find(|piece| piece["kind"] == kind);
        let seen = of("artifact").with_context(|| format!("no captured facts: {edge:#}"))?;
        let used = of("audit").with_context(|| format!("no call: {edge:#}"))?;
        assert_eq!(used["id"], call["eventID"], "another call: {edge:#}");
        let process = edge.pointer("/from/key/pid").context("the edge begins at a process")?;
        let facts = format!("{process}-access_keys.json");
        assert_eq!(seen["artifact_id"], facts.as_str(), "another process's facts: {edge:#}");
        let capture = statements.iter().find(|statement| statement["predicate"]["captureId"] == seen["capture_id"]);
        let capture = capture.with_context(|| format!("a capture that is not in the bundle: {edge:#}"))?;
        assert!(pids(capture).any(|pid| pid == process), "no key stood in that process: {capture:#}");
        let reason = edge["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(&incident.attack.container.id[..12]), "the container is not named: {reason}");
    }
    Ok(statements)
}

fn export(incident: &Incident, id: &str) -> Result<Bundle> {
    let path = incident.place.path("bundle.zip");
    incident.collector.show(&["evidence", "export", id, "--out", &path.display().to_string()])?;
    Bundle::read(&path)
}

/// Processes of a capture in which an access key stood.
fn pids(statement: &Value) -> impl Iterator<Item = &Value> {
    let keys = statement.pointer("/predicate/accessKeys").and_then(Value::as_array);
    keys.into_iter().flatten().map(|key| &key["pid"])
}

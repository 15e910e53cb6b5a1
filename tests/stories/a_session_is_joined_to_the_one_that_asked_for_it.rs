//! The stolen role's session asks for another role; what was done in that role is joined to the session that asked, by the key that the
//! answer gave out, and through it to the pod.

use anyhow::{Context, Result};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::world::cloud::ACCOUNT;
use tests::world::incident::{Incident, joined};
use tests::world::network::ELSEWHERE;
use tests::world::trail::{Caller, deliver};

use crate::skip;

/// The role that the attacker changes into.
const NEXT: &str = "store-admin";

#[test]
fn a_session_is_joined_to_the_one_that_asked_for_it() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident = Incident::prepare("chai", 2)?;
    incident.strike();
    let id = incident.case()?;
    let begun = incident.begun;
    let key = &incident.attack.role_key;
    let next_key = format!("ASIA{}", key[4..].chars().rev().collect::<String>());
    let request = json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{NEXT}"), "roleSessionName": "night"});
    let response = json!({
        "credentials": {"accessKeyId": next_key, "sessionToken": "not-a-token", "expiration": "Jan 1, 2099, 12:00:00 AM"},
        "assumedRoleUser": {
            "assumedRoleId": "AROAEXAMPLESTOREADMIN:night",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{NEXT}/night")
        }
    });
    let after = |seconds| begun + SignedDuration::from_secs(seconds);
    let session = incident.session();
    let asked = session.caller().call(90, after(4), ("sts.amazonaws.com", "AssumeRole"), &request, &response);
    let night = Caller::session(NEXT, "night", &next_key, after(4), ELSEWHERE);
    let used = night.call(0, after(9), ("s3.amazonaws.com", "ListBuckets"), &Value::Null, &Value::Null);
    // The use is delivered first, as it may be: the two calls are of two regions' files.
    deliver(&incident.collector.trail, begun, 1, std::slice::from_ref(&used))?;
    deliver(&incident.collector.trail, begun, 2, std::slice::from_ref(&asked))?;

    let case = incident.case_when(&id, "B1 and C2 in the case", |case| {
        ["B1", "C2"].iter().all(|bridge| !joined(case, bridge).is_empty())
    })?;
    let edges = joined(&case, "C2");
    let edge = edges.first().context("an edge")?;
    assert_eq!(edges.len(), 1, "{edges:#?}");
    assert_eq!(edge["strength"], "exact", "{edge:#}");
    assert_eq!(edge.pointer("/from/identity/id"), Some(&Value::from(key.as_str())), "{edge:#}");
    assert_eq!(edge.pointer("/to/identity/id"), Some(&Value::from(next_key.as_str())), "{edge:#}");
    let cited: Vec<&Value> = edge["evidence"].as_array().into_iter().flatten().map(|piece| &piece["id"]).collect();
    assert_eq!(cited, [&asked["eventID"], &used["eventID"]], "{edge:#}");
    assert_eq!(edge["delta_ns"], 5_000_000_000_i64, "{edge:#}");
    // The way from the container to the second role is whole: the first key came out of the container.
    let out_of_it =
        joined(&case, "B1").iter().any(|edge| edge.pointer("/to/identity/id") == Some(&Value::from(key.as_str())));
    assert!(out_of_it, "nothing leads from the container to the first key: {case:#}");
    Ok(())
}

//! What needs a person's word waits for it: not the requester's, not twice the same, not for another plan, and none after somebody's no. Then
//! it is done, checked, and can be taken back.

use anyhow::Result;
use serde_json::Value;
use tests::world::incident::{Incident, steps};

use crate::skip;

#[test]
fn containment_waits_for_approval() -> Result<()> {
    if skip::without_cloud() {
        return Ok(());
    }
    let incident = Incident::prepare("appr", 2)?;
    incident.strike();
    let id = incident.case()?;
    let made = incident.use_stolen_keys()?;
    let ready = |plan: &Value| !steps(plan, "aws.iam.key_deactivate", "needs_approval").is_empty();
    incident.plan_when(&id, "a plan for the key", ready)?;
    let cloud = incident.cloud.as_ref().expect("it is there: the story is skipped otherwise");
    assert_eq!(cloud.key_status(&made)?, "Active", "nobody said yes");

    let propose = || -> Result<String> {
        let plan = incident.collector.ask(&["plan", &id, "--new", "--as", "alice"])?;
        Ok(plan["digest"].as_str().unwrap_or_default().to_owned())
    };
    let word = |digest: &str, who: &str| incident.collector.ask(&["approve", &id, "--plan", digest, "--as", who]);
    let denied = propose()?;
    let no = incident.collector.ask(&["approve", &id, "--plan", &denied, "--deny", "--as", "dave"])?;
    assert_eq!((no["decision"].as_str(), no["outcomes"].as_array().map(Vec::len)), (Some("deny"), Some(0)), "{no:#}");
    refused(word(&denied, "bob"), "dave denied the plan: make a new one")?;
    let said = incident.collector.show(&["approve", &id, "--plan", &denied, "--deny", "--as", "carol"])?;
    assert!(said.contains("nobody can approve this plan any more"), "{said}");
    assert_eq!(cloud.key_status(&made)?, "Active", "a denied plan did something");

    let digest = propose()?;
    refused(word(&digest, "alice"), "asked for the plan")?;
    refused(word("0123456789abcdef", "bob"), "no plan")?;
    assert_eq!(cloud.key_status(&made)?, "Active", "a refused word did something");

    let done = word(&digest, "bob")?;
    let outcomes = done["outcomes"].as_array().cloned().unwrap_or_default();
    assert!(outcomes.iter().any(|outcome| outcome["status"] == "done"), "{done:#}");
    assert_eq!(cloud.key_status(&made)?, "Inactive");
    assert!(cloud.role_policies()?.iter().any(|name| name == "AWSRevokeOlderSessions"));
    let again = word(&digest, "carol")?;
    assert_eq!(again["outcomes"].as_array().map(Vec::len), Some(0), "it was done twice: {again:#}");

    let undo = incident.collector.ask(&["undo", &id, "--plan", &digest, "--as", "bob"])?;
    word(undo["digest"].as_str().unwrap_or_default(), "alice")?;
    assert_eq!(cloud.key_status(&made)?, "Active");
    assert!(cloud.role_policies()?.is_empty());
    Ok(())
}

fn refused(answer: Result<Value>, why: &str) -> Result<()> {
    match answer {
        Ok(done) => anyhow::bail!("it was not refused: {done:#}"),
        Err(error) => {
            let said = format!("{error:#}");
            anyhow::ensure!(said.contains(why), "refused for another reason: {said}");
            Ok(())
        }
    }
}

//! A plan that says so takes back what it did when a later step fails: the role is gone, so the key is active again, and the journal has
//! both.

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::cloud::ROLE;
use tests::world::incident::{Incident, Respond, steps};
use tests::world::place::quoted;

use crate::skip;

#[test]
fn a_failed_action_is_undone() -> Result<()> {
    if skip::without_cloud() {
        return Ok(());
    }
    let incident = Incident::with("fail", 2, |place| {
        let folder = place.path("playbooks");
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("all_or_nothing.yaml"), include_str!("../fixtures/all_or_nothing.yaml"))?;
        Ok(Respond { collector: format!("playbooks = [{}]", quoted(&folder)), ..Respond::default() })
    })?;
    incident.strike();
    let id = incident.case()?;
    let made = incident.use_stolen_keys()?;
    let ready = |plan: &Value| {
        !steps(plan, "aws.iam.key_deactivate", "needs_approval").is_empty()
            && !steps(plan, "aws.iam.session_revoke", "needs_approval").is_empty()
    };
    let plan = incident.plan_when(&id, "a plan for key and role", ready)?;
    let cloud = incident.cloud.as_ref().context("a stand-in cloud")?;
    cloud.call("DeleteRole", &[("RoleName", ROLE)])?;
    let digest = plan["digest"].as_str().context("a digest")?;
    let done = incident.collector.ask(&["approve", &id, "--plan", digest, "--as", "alice"])?;
    let statuses: Vec<(&str, &str)> = done["outcomes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|outcome| {
            (
                outcome.pointer("/action/action").and_then(Value::as_str).unwrap_or_default(),
                outcome["status"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert!(statuses.contains(&("aws.iam.key_deactivate@1", "done")), "{statuses:?}");
    assert!(statuses.contains(&("aws.iam.key_restore@1", "done")), "{statuses:?}");
    assert_eq!(cloud.key_status(&made)?, "Active", "the key was not given back");
    let report = incident.collector.show(&["report", &id, "--format", "md"])?;
    assert!(report.contains("key_restore"), "the report does not tell it");
    Ok(())
}

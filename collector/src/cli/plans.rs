//! `mayfly plan`, `approve` and `undo`: what would be done, whose word it needs, what came of it.

use anyhow::Result;
use collector_core::playbook::{Mode, Outcome, Plan, Undo};
use serde_json::{Value, json};

use super::client::{Client, quote};
use super::say::{self, list as items};

/// The newest plan, or a new one.
pub(crate) async fn plan(client: &Client, id: &str, new: bool, speaker: Option<String>, json: bool) -> Result<()> {
    let path = format!("/cases/{}/plan", quote(id));
    let answer = if new { client.post(&path, &json!({"as": speaker})).await? } else { client.get(&path).await? };
    show(&answer, json)
}

/// Yes or no.
pub(crate) async fn word(
    client: &Client,
    id: &str,
    digest: &str,
    deny: bool,
    speaker: Option<String>,
    json: bool,
) -> Result<()> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| anyhow::anyhow!("the kernel gives no random numbers: {error}"))?;
    let decision = if deny { "deny" } else { "approve" };
    let body = json!({"digest": digest, "decision": decision, "nonce": hex::encode(nonce), "as": speaker});
    let answer = client.post(&format!("/cases/{}/word", quote(id)), &body).await?;
    if json {
        return say::json(&answer);
    }
    if deny {
        return say::line(&format!(
            "Denied: nobody can approve this plan any more. Another one: mayfly plan {id} --new"
        ));
    }
    let outcomes = items(&answer, "/outcomes");
    if outcomes.is_empty() {
        return say::line("Approved. Nothing was left to do: every step was done before.");
    }
    for outcome in outcomes {
        say::line(&outcome_line(outcome))?;
    }
    Ok(())
}

/// A plan to take back.
pub(crate) async fn undo(
    client: &Client,
    id: &str,
    digest: Option<String>,
    speaker: Option<String>,
    json: bool,
) -> Result<()> {
    let answer = client.post(&format!("/cases/{}/undo", quote(id)), &json!({"digest": digest, "as": speaker})).await?;
    show(&answer, json)
}

fn show(answer: &Value, json: bool) -> Result<()> {
    if json {
        return say::json(answer);
    }
    let plan: Plan = serde_json::from_value(answer.clone())?;
    say::line(&format!("Plan {} of case {}, made {}", plan.digest, plan.case_id, plan.created))?;
    for (number, step) in plan.steps.iter().enumerate() {
        say::line(&format!("\n{}. {} [{}]  {}", number + 1, step.id, step.phase, step.target))?;
        say::line(&format!("   {}", mode(&step.mode)))?;
        say::line(&format!("   reach: {}", step.reach))?;
        say::line(&format!("   check: {}", step.check))?;
        say::line(&format!("   undo:  {}", undo_line(&step.undo)))?;
        say::line(&format!("   why:   {}", step.reasons.first().text))?;
    }
    if let Some(expires) = plan.expires() {
        let short = plan.digest.get(..16).unwrap_or(&plan.digest);
        say::line(&format!("\nApprove until {expires}:  mayfly approve {} --plan {short}", plan.case_id))?;
    }
    Ok(())
}

fn mode(mode: &Mode) -> String {
    match mode {
        Mode::Auto { because } => format!("automatic: {because}"),
        Mode::NeedsApproval { because, .. } => format!("needs your approval: {because}"),
        Mode::Refused { because } => format!("refused: {because}"),
    }
}

fn undo_line(undo: &Undo) -> String {
    match undo {
        Undo::By { action, cost } => format!("{action}; {cost}"),
        Undo::Irreversible { reason } => format!("none: {reason}"),
    }
}

/// One outcome, one line.
pub(crate) fn outcome_line(outcome: &Value) -> String {
    let Ok(outcome) = serde_json::from_value::<Outcome>(outcome.clone()) else { return String::new() };
    let milliseconds = outcome.started.delta_ns(outcome.finished) / 1_000_000;
    let said = if outcome.error.is_empty() { &outcome.verified } else { &outcome.error };
    format!("  - {}: {} in {milliseconds} ms. {said}", outcome.step_id, outcome.status)
}

//! `mayfly cases`, `case` and `report`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::ReportFormat;
use super::client::{Client, quote};
use super::say::{self, list as items, number, text, words};

/// All cases.
pub(crate) async fn list(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/cases").await?;
    if json {
        return say::json(&answer);
    }
    let cases = items(&answer, "/cases");
    if cases.is_empty() {
        return say::line("No cases. `mayfly nodes` shows who reports; `mayfly events` what they saw.");
    }
    let mut table = say::table(&["case", "status", "severity", "verdict", "sure", "last activity", "what"]);
    for case in cases {
        let title = text(case, "/title");
        let replay = if case["replay"].as_bool() == Some(true) { " (replay)" } else { "" };
        table.add_row([
            text(case, "/id").to_owned(),
            text(case, "/status").to_owned(),
            text(case, "/severity").to_owned(),
            words(text(case, "/verdict")),
            format!("{} %", number(case, "/confidence")),
            text(case, "/last_activity").to_owned(),
            format!("{title}{replay}"),
        ]);
    }
    say::line(&table.to_string())
}

/// One case.
pub(crate) async fn one(client: &Client, id: &str, json: bool) -> Result<()> {
    let answer = client.get(&format!("/cases/{}", quote(id))).await?;
    if json {
        return say::json(&answer);
    }
    let case = &answer["case"];
    say::line(&format!("{}  {}", text(case, "/id"), text(case, "/title")))?;
    say::line(&format!(
        "{} · {} · {} ({} %) · {}",
        text(case, "/status"),
        text(case, "/severity"),
        words(text(case, "/verdict")),
        number(case, "/confidence"),
        techniques(case),
    ))?;
    if case["replay"].as_bool() == Some(true) {
        say::line("REPLAY: everything here comes from a recorded run, not from a kernel.")?;
    }
    reasons(case, "/reasons_for", "For")?;
    reasons(case, "/reasons_against", "Against, or not known")?;
    findings(case)?;
    joins(case)?;
    outcomes(&answer)?;
    say::line(&format!("\nNext: mayfly plan {0}   mayfly report {0} --format html --out {0}.html", text(case, "/id")))
}

fn techniques(case: &Value) -> String {
    items(case, "/techniques").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

fn reasons(case: &Value, path: &str, head: &str) -> Result<()> {
    let reasons = items(case, path);
    if reasons.is_empty() {
        return Ok(());
    }
    say::line(&format!("\n{head}:"))?;
    for reason in reasons {
        say::line(&format!("  - {}", text(reason, "/text")))?;
    }
    Ok(())
}

fn findings(case: &Value) -> Result<()> {
    let mut table = say::table(&["time (UTC)", "level", "finding", "technique", "who"]);
    for finding in items(case, "/findings") {
        table.add_row([
            say::moment(number(finding, "/time/ns")),
            text(finding, "/level").to_owned(),
            text(finding, "/title").to_owned(),
            techniques(finding),
            items(finding, "/entities").first().map(who).unwrap_or_default(),
        ]);
    }
    say::line(&format!("\nFindings:\n{table}"))
}

/// An entity in the words of judgement.
fn who(entity: &Value) -> String {
    serde_json::from_value::<collector_core::model::Entity>(entity.clone())
        .map(|entity| entity.to_string())
        .unwrap_or_default()
}

fn joins(case: &Value) -> Result<()> {
    let mut shown = Vec::new();
    for edge in items(case, "/edges").iter().filter(|edge| text(edge, "/bridge") != "Lineage") {
        let line = format!("  - {} ({}): {}", text(edge, "/bridge"), text(edge, "/strength"), text(edge, "/reason"));
        if !shown.contains(&line) {
            shown.push(line);
        }
    }
    if shown.is_empty() { Ok(()) } else { say::line(&format!("\nJoined:\n{}", shown.join("\n"))) }
}

fn outcomes(answer: &Value) -> Result<()> {
    let outcomes = items(answer, "/outcomes");
    if outcomes.is_empty() {
        return Ok(());
    }
    say::line("\nDone:")?;
    for outcome in outcomes {
        say::line(&super::plans::outcome_line(&outcome["value"]))?;
    }
    Ok(())
}

/// The report, printed or written.
pub(crate) async fn report(
    client: &Client,
    id: &str,
    format: Option<ReportFormat>,
    out: Option<&Path>,
    json: bool,
) -> Result<()> {
    let default = if json { ReportFormat::Json } else { ReportFormat::Md };
    let format = match format.unwrap_or(default) {
        ReportFormat::Md => "md",
        ReportFormat::Html => "html",
        ReportFormat::Json => "json",
    };
    let bytes = client.bytes(&format!("/cases/{}/report?format={format}", quote(id))).await?;
    match out {
        Some(path) => {
            std::fs::write(path, &bytes).with_context(|| format!("write {}", path.display()))?;
            if json {
                return say::json(&json!({"report": path, "bytes": bytes.len()}));
            }
            say::line(&format!("{} ({} bytes)", path.display(), bytes.len()))
        }
        None => say::line(String::from_utf8_lossy(&bytes).trim_end()),
    }
}

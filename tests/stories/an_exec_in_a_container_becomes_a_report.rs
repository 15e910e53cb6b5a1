//! The main way, once through: what ran in a container is seen, kept, judged and told, and every sentence names its evidence.

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::incident::Incident;

use crate::skip;

#[test]
fn an_exec_in_a_container_becomes_a_report() -> Result<()> {
    if skip::without_containers() {
        return Ok(());
    }
    let incident = Incident::prepare("repo", 2)?;
    incident.strike();
    let id = incident.case()?;
    let case = incident.case_when(&id, "a true positive", |case| text(case, "/case/verdict") == "true_positive")?;
    assert!(text(&case, "/case/title").len() > 10, "{case:#}");
    let report = incident.collector.show(&["report", &id, "--format", "md"])?;
    for part in [
        "Executive summary",
        "Timeline",
        "Technical analysis",
        "Impact",
        "Response",
        "Root cause",
        "Lessons",
        "Completeness",
        "Indicators",
        "Artifacts",
    ] {
        assert!(report.contains(part), "the report has no {part}: {report}");
    }
    assert!(report.contains("/tmp/.cache-x"), "the dropped file is not in the report");
    let json = incident.collector.ask(&["report", &id])?;
    let file = incident.place.path("report.html");
    let words = ["report", &id, "--format", "html", "--out", &file.display().to_string()];
    let written = incident.collector.ask(&words)?;
    assert_eq!(written["bytes"].as_u64(), Some(std::fs::metadata(&file)?.len()), "{written:#}");
    let claims = claims(&json);
    assert!(claims.len() > 10, "only {} sentences", claims.len());
    for claim in claims {
        let evidence = claim.get("evidence").and_then(Value::as_array).context("a sentence with evidence")?;
        assert!(!evidence.is_empty(), "a sentence without evidence: {claim}");
    }
    Ok(())
}

/// Every object with a text and evidence, wherever it stands.
fn claims(value: &Value) -> Vec<&Value> {
    let own = value.get("text").is_some() && value.get("evidence").is_some();
    let below: Vec<&Value> = match value {
        Value::Array(items) => items.iter().flat_map(claims).collect(),
        Value::Object(fields) => fields.values().flat_map(claims).collect(),
        _ => Vec::new(),
    };
    own.then_some(value).into_iter().chain(below).collect()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

//! Cases, plans, words, reports and bundles. Takes a case's name; what may be done is decided in `collector_core`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use collector_core::model::CaseId;
use collector_core::playbook::{Decision, Plan};
use collector_core::report;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::peer::Peer;
use super::response::Problem;
use crate::respond::answer::Word;
use crate::respond::{bundle as bundles, gather};

pub(crate) async fn list(State(context): State<Context>) -> Result<Json<Value>, Problem> {
    let cases = context.store.state.cases().await.map_err(|error| Problem::broken(&error))?;
    let all: Vec<Value> = cases
        .iter()
        .map(|stored| {
            let case = &stored.case;
            json!({
                "id": case.id,
                "title": case.title,
                "status": case.status,
                "severity": case.severity,
                "verdict": case.verdict,
                "confidence": case.confidence,
                "findings": case.findings.len(),
                "first_activity": case.first_activity.to_string(),
                "last_activity": case.last_activity.to_string(),
                "replay": case.replay,
            })
        })
        .collect();
    Ok(Json(json!({"cases": all})))
}

pub(crate) async fn one(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let case = context.answers.case(&CaseId(id)).await?;
    let outcomes = gather::outcomes(&context.store, &case.id);
    Ok(Json(json!({"case": case, "outcomes": outcomes})))
}

pub(crate) async fn plan(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<Plan>, Problem> {
    Ok(Json(context.answers.newest(&CaseId(id)).await?))
}

/// Who speaks, where root speaks for somebody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Speaker {
    #[serde(rename = "as")]
    other: Option<String>,
}

pub(crate) async fn plan_anew(
    State(context): State<Context>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<String>,
    Json(speaker): Json<Speaker>,
) -> Result<Json<Plan>, Problem> {
    let by = peer.speaks_as(speaker.other.as_deref())?;
    Ok(Json(context.answers.plan_anew(&CaseId(id), &by).await?))
}

/// `{"digest": "…", "decision": "approve", "nonce": "…"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    digest: String,
    decision: Decision,
    nonce: String,
    #[serde(rename = "as")]
    other: Option<String>,
}

pub(crate) async fn word(
    State(context): State<Context>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<String>,
    Json(said): Json<Said>,
) -> Result<Json<Value>, Problem> {
    let by = peer.speaks_as(said.other.as_deref())?;
    let word = Word { by, digest: said.digest, decision: said.decision, nonce: said.nonce };
    let outcomes = context.answers.word(&CaseId(id), word).await?;
    Ok(Json(json!({"decision": said.decision, "outcomes": outcomes})))
}

/// `{"digest": "…"}`; without one the newest plan that did something is taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Back {
    digest: Option<String>,
    #[serde(rename = "as")]
    other: Option<String>,
}

pub(crate) async fn undo(
    State(context): State<Context>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<String>,
    Json(back): Json<Back>,
) -> Result<Json<Plan>, Problem> {
    let by = peer.speaks_as(back.other.as_deref())?;
    Ok(Json(context.answers.undo(&CaseId(id), back.digest.as_deref(), &by).await?))
}

/// `?format=md|html|json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Format {
    format: String,
}

pub(crate) async fn report(
    State(context): State<Context>,
    Path(id): Path<String>,
    Query(asked): Query<Format>,
) -> Result<Response, Problem> {
    let case = context.answers.case(&CaseId(id)).await?;
    let input = gather::input(&context.store, case).await?;
    let document = report::narrate(&input);
    let (kind, text) = match asked.format.as_str() {
        "md" => ("text/markdown; charset=utf-8", report::markdown(&document)),
        "html" => ("text/html; charset=utf-8", report::html(&document)),
        "json" => ("application/json", report::json(&document)),
        other => return Err(Problem::wrong(format!("there is no format {other}: md, html, json"))),
    };
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

pub(crate) async fn evidence(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let case = context.answers.case(&CaseId(id)).await?;
    let input = gather::input(&context.store, case).await?;
    Ok(Json(json!({"artifacts": input.artifacts})))
}

pub(crate) async fn bundle(
    State(context): State<Context>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let case = context.answers.case(&CaseId(id)).await?;
    let bytes = bundles::make(&context.store, case, &peer.name()).await.map_err(|error| Problem::broken(&error))?;
    Ok(([(CONTENT_TYPE, "application/zip")], Bytes::from(bytes)).into_response())
}

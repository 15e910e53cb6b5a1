//! What is known: nodes, events, losses, health. Read only, but for a node's new certificate.

use axum::Json;
use axum::extract::{Path, Query, State};
use collector_core::completeness::{Statement, Subject};
use collector_core::model::Moment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::response::Problem;
use crate::respond::{completeness, covered};
use crate::store::events::query::{LIMIT, Question};
use crate::store::events::row::KINDS;

/// `?node=…&container=…&kind=…&from=…&to=…&limit=…`, times in nanoseconds since 1970.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    node: Option<String>,
    container: Option<String>,
    kind: Option<String>,
    from: Option<u64>,
    to: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn events(State(context): State<Context>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let limit = asked.limit.unwrap_or(100).min(LIMIT);
    let kind = match asked.kind {
        Some(name) => match KINDS.iter().find(|kind| **kind == name) {
            Some(kind) => Some(*kind),
            None => return Err(Problem::wrong(format!("no kind {name:?}; kinds are {}", KINDS.join(", ")))),
        },
        None => None,
    };
    let question = Question {
        node: asked.node,
        container: asked.container,
        kind,
        from_ns: asked.from,
        to_ns: asked.to,
        limit: Some(limit.saturating_add(1)),
        ..Question::default()
    };
    let mut found = context.store.events.query(&question).await.map_err(|error| Problem::broken(&error))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let found = covered::with_tiers(&context.store, found).await.map_err(|error| Problem::broken(&error))?;
    Ok(Json(json!({"events": found, "more": more})))
}

/// `?at=…`, nanoseconds since 1970.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsOf {
    at: Option<u64>,
}

pub(crate) async fn coverage(
    State(context): State<Context>,
    Path(name): Path<String>,
    Query(asked): Query<AsOf>,
) -> Result<Json<Value>, Problem> {
    let told = covered::at(&context.store, &name, asked.at.map(Moment::exact)).await;
    match told.map_err(|error| Problem::broken(&error))? {
        Some(coverage) => Ok(Json(coverage)),
        None => Err(Problem::wrong(format!(
            "{name} has told nothing of its coverage: `mayfly nodes` says who was ever connected"
        ))),
    }
}

pub(crate) async fn nodes(State(context): State<Context>) -> Result<Json<Value>, Problem> {
    let nodes = context.store.state.nodes().await.map_err(|error| Problem::broken(&error))?;
    let all: Vec<Value> = nodes
        .iter()
        .map(|node| {
            json!({
                "name": node.name,
                "connected": context.orders.is_connected(&node.name),
                "agent_version": node.agent_version,
                "instance_id": node.instance_id,
                "log_id": node.log_id,
                "replay": node.replay,
                "first_seen_ns": node.first_seen_ns,
                "last_seen_ns": node.last_seen_ns,
            })
        })
        .collect();
    Ok(Json(json!({"nodes": all})))
}

pub(crate) async fn losses(State(context): State<Context>) -> Result<Json<Value>, Problem> {
    let losses = context.store.state.losses(None).await.map_err(|error| Problem::broken(&error))?;
    Ok(Json(json!({"losses": losses})))
}

/// `?container=…` or `?node=…`, and `&from=…&to=…`, times in nanoseconds since 1970.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    node: Option<String>,
    container: Option<String>,
    from: u64,
    to: u64,
}

pub(crate) async fn completeness(
    State(context): State<Context>,
    Query(span): Query<Span>,
) -> Result<Json<Statement>, Problem> {
    let subject = match (span.container, span.node) {
        (Some(id), None) => Subject::Container { id },
        (None, Some(name)) => Subject::Node { name },
        _ => return Err(Problem::wrong("either a container or a node")),
    };
    let (from, to) = (Moment::exact(span.from), Moment::exact(span.to));
    let stated = completeness::statement(&context.store, subject, from, to).await;
    Ok(Json(stated.map_err(|error| Problem::broken(&error))?))
}

pub(crate) async fn status(State(context): State<Context>) -> Result<Json<Value>, Problem> {
    let nodes = context.store.state.nodes().await.map_err(|error| Problem::broken(&error))?;
    let connected = nodes.iter().filter(|node| context.orders.is_connected(&node.name)).count();
    let complaints: Vec<Value> =
        context.health.complaints().into_iter().map(|(part, why)| json!({"part": part, "why": why})).collect();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "nodes": nodes.len(),
        "connected": connected,
        "complaints": complaints,
    })))
}

/// A certificate for a node. Its key is made here, given once and not kept.
pub(crate) async fn add_node(State(context): State<Context>, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let credentials =
        context.pki.issue(&name).map_err(|error| Problem::new(axum::http::StatusCode::BAD_REQUEST, &error))?;
    Ok(Json(json!({
        "node": name,
        "authority": credentials.authority,
        "certificate": credentials.certificate,
        "key": credentials.key,
    })))
}

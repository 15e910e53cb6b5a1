//! What is done on a node: its recorder sealed, a container cut off, and let back. Takes typed actions; sends an order whose id is the step's
//! idempotency key, so that an order that arrives twice is done once; gives what the node says it did and what its own probe saw.

use std::time::Duration;

use collector_core::playbook::Action;
use proto::v1::{self, order};
use serde_json::{Value, json};

use super::super::contain::{Applied, Before, Contain, ContainError, Context, Doing, Seen};
use crate::ingest::orders::{NodeOrders, OrderError};

/// How long an order waits for a node that is away; the step's own timeout is usually shorter.
const PATIENCE: Duration = Duration::from_mins(1);

/// The hands on the nodes.
#[derive(Clone, Debug)]
pub struct NodeContain {
    orders: NodeOrders,
}

impl NodeContain {
    /// Sends through these sessions.
    pub fn new(orders: NodeOrders) -> Self {
        Self { orders }
    }

    async fn send(&self, action: &Action, context: &Context) -> Result<v1::OrderResult, ContainError> {
        let (node, wire) = order_of(action).ok_or_else(|| not_ours(action))?;
        let order = v1::Order {
            id: context.idempotency_key.clone(),
            case_id: context.case_id.clone(),
            plan_digest: context.plan_digest.clone(),
            not_after_ns: context.not_after_ns,
            action: Some(wire),
        };
        let result = self.orders.send(&node, order, PATIENCE).await.map_err(|error| explain(&error))?;
        match result.status() {
            v1::OrderStatus::Done | v1::OrderStatus::Already => Ok(result),
            v1::OrderStatus::Failed | v1::OrderStatus::Refused | v1::OrderStatus::Unspecified => {
                let code = result.status().as_str_name().trim_start_matches("ORDER_STATUS_").to_lowercase();
                Err(ContainError::Refused { call: "the order to the node", code, message: result.detail })
            }
        }
    }
}

impl Contain for NodeContain {
    fn does(&self, action: &Action) -> bool {
        order_of(action).is_some()
    }

    /// The node reads the state itself, in the moment in which it changes it, and says it in its result.
    fn read<'a>(&'a self, _action: &'a Action) -> Doing<'a, Before> {
        Box::pin(async { Ok(Before { state: Value::Null, already: false }) })
    }

    fn apply<'a>(&'a self, action: &'a Action, _before: &'a Before, context: &'a Context) -> Doing<'a, Applied> {
        Box::pin(async move {
            let result = self.send(action, context).await?;
            Ok(Applied { request_ids: vec![result.order_id.clone()], answer: told(&result) })
        })
    }

    /// The node probed before it answered: its words are the check.
    fn verify<'a>(&'a self, _action: &'a Action, applied: &'a Applied) -> Doing<'a, Seen> {
        Box::pin(async move {
            let what = applied.answer.get("verified").and_then(Value::as_str).unwrap_or_default();
            Ok(Seen { holds: !what.is_empty(), after: applied.answer.clone(), what: what.to_owned() })
        })
    }
}

fn told(result: &v1::OrderResult) -> Value {
    json!({
        "status": result.status().as_str_name(),
        "detail": result.detail,
        "verified": result.verified,
        "prior": result.prior,
        "capture": result.capture_id,
        "milliseconds": result.finished_ns.saturating_sub(result.started_ns) / 1_000_000,
    })
}

/// The node and the order; `None` where the action is not one of a node's.
fn order_of(action: &Action) -> Option<(String, order::Action)> {
    match action {
        Action::EvidenceSeal { node, container_id, recorder_seconds } => {
            let (container_id, recorder_seconds) = (container_id.clone(), *recorder_seconds);
            let capture = v1::Capture { target: None, container_id, recorder_seconds };
            Some((node.clone(), order::Action::Capture(capture)))
        }
        Action::NetQuarantine { node, container_id, cgroup_id, allow, expires_seconds } => {
            let quarantine = v1::Quarantine {
                container_id: container_id.clone(),
                cgroup_id: *cgroup_id,
                allow: allow.iter().map(ToString::to_string).collect(),
                expires_seconds: *expires_seconds,
            };
            Some((node.clone(), order::Action::Quarantine(quarantine)))
        }
        Action::NetRelease { node, container_id, cgroup_id } => {
            let lift = v1::LiftQuarantine { container_id: container_id.clone(), cgroup_id: *cgroup_id };
            Some((node.clone(), order::Action::LiftQuarantine(lift)))
        }
        _ => None,
    }
}

fn explain(error: &OrderError) -> ContainError {
    ContainError::Unreachable { call: "the order to the node", message: error.to_string() }
}

fn not_ours(action: &Action) -> ContainError {
    ContainError::NotConfigured { action: format!("{action:?}"), advice: "it is not an action of a node".to_owned() }
}

//! What was planned, approved, done and ordered. Takes bodies as the core's types write them; gives them back in the order in which they
//! came. Never changes one.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;

use super::{State, StateError, from_json, signed, to_json, unsigned};

/// Which kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// A plan, by its digest.
    Plan,
    /// An approval of a plan.
    Approval,
    /// What came of a step.
    Outcome,
}

/// An order to a node and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its id.
    pub id: String,
    /// The node.
    pub node: String,
    /// The case it is for.
    pub case_id: String,
    /// When it was sent first.
    pub sent_ns: u64,
    /// The `Order`, as on the wire.
    pub wire: Vec<u8>,
    /// The `OrderResult`, as on the wire; absent while it is awaited.
    pub result: Option<Vec<u8>>,
}

impl State {
    /// Keeps a plan; the same digest again changes nothing.
    pub async fn put_plan<T: Serialize>(
        &self,
        digest: &str,
        case_id: &str,
        at_ns: u64,
        plan: &T,
    ) -> Result<(), StateError> {
        sqlx::query("INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?)")
            .bind(digest)
            .bind(case_id)
            .bind(signed(at_ns))
            .bind(to_json("plan", plan)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// One plan by its digest.
    pub async fn plan<T: DeserializeOwned>(&self, digest: &str) -> Result<Option<T>, StateError> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM plans WHERE digest = ?")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        body.map(|body| from_json("plan", &body)).transpose()
    }

    /// Keeps an approval.
    pub async fn put_approval<T: Serialize>(
        &self,
        digest: &str,
        case_id: &str,
        at_ns: u64,
        approval: &T,
    ) -> Result<(), StateError> {
        sqlx::query("INSERT INTO approvals (plan_digest, case_id, given_ns, body) VALUES (?, ?, ?, ?)")
            .bind(digest)
            .bind(case_id)
            .bind(signed(at_ns))
            .bind(to_json("approval", approval)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Keeps what came of a step.
    pub async fn put_outcome<T: Serialize>(
        &self,
        digest: &str,
        case_id: &str,
        step: &str,
        at_ns: u64,
        outcome: &T,
    ) -> Result<(), StateError> {
        sqlx::query("INSERT INTO outcomes (plan_digest, case_id, step, finished_ns, body) VALUES (?, ?, ?, ?, ?)")
            .bind(digest)
            .bind(case_id)
            .bind(step)
            .bind(signed(at_ns))
            .bind(to_json("outcome", outcome)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// All documents of a kind that belong to a case, oldest first.
    pub async fn documents<T: DeserializeOwned>(&self, what: Document, case_id: &str) -> Result<Vec<T>, StateError> {
        let (name, query) = match what {
            Document::Plan => ("plan", "SELECT body FROM plans WHERE case_id = ? ORDER BY created_ns, rowid"),
            Document::Approval => ("approval", "SELECT body FROM approvals WHERE case_id = ? ORDER BY id"),
            Document::Outcome => ("outcome", "SELECT body FROM outcomes WHERE case_id = ? ORDER BY id"),
        };
        let bodies: Vec<String> = sqlx::query_scalar(query).bind(case_id).fetch_all(&self.pool).await?;
        bodies.iter().map(|body| from_json(name, body)).collect()
    }

    /// Keeps an order before it is sent; the same id again changes nothing.
    pub async fn put_order(&self, order: &OrderRow) -> Result<(), StateError> {
        sqlx::query("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&order.id)
            .bind(&order.node)
            .bind(&order.case_id)
            .bind(signed(order.sent_ns))
            .bind(&order.wire)
            .bind(&order.result)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Keeps what came of an order; the first result stays.
    pub async fn put_order_result(&self, id: &str, result: &[u8]) -> Result<(), StateError> {
        sqlx::query("UPDATE orders SET result = ? WHERE id = ? AND result IS NULL")
            .bind(result)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// One order by its id.
    pub async fn order(&self, id: &str) -> Result<Option<OrderRow>, StateError> {
        let row = sqlx::query("SELECT * FROM orders WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| OrderRow {
            id: row.get("id"),
            node: row.get("node"),
            case_id: row.get("case_id"),
            sent_ns: unsigned(row.get("sent_ns")),
            wire: row.get("wire"),
            result: row.get("result"),
        }))
    }
}

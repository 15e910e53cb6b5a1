//! Findings, edges and cases. Takes what judgement made; keeps each under its own name, and gives a case its name for people once
//! and for good.

use collector_core::canonical;
use collector_core::model::{Case, CaseId, Edge, Finding};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{State, StateError, from_json, signed, to_json, unsigned};

/// A case and when the collector touched it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCase {
    /// The case.
    pub case: Case,
    /// What grouping calls it.
    pub key: String,
    /// When it was opened, by the collector's clock.
    pub opened_ns: u64,
    /// When it last changed.
    pub changed_ns: u64,
}

impl State {
    /// Those of these findings that are not kept yet.
    pub async fn new_findings(&self, findings: &[Finding]) -> Result<Vec<Finding>, StateError> {
        let mut new = Vec::new();
        for finding in findings {
            let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM findings WHERE id = ?")
                .bind(&finding.id.0)
                .fetch_optional(&self.pool)
                .await?;
            if known.is_none() {
                new.push(finding.clone());
            }
        }
        Ok(new)
    }

    /// Keeps findings; one that got more evidence replaces what it was.
    pub async fn put_findings(&self, findings: &[Finding]) -> Result<(), StateError> {
        let mut change = self.pool.begin().await?;
        for finding in findings {
            sqlx::query("INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?)")
                .bind(&finding.id.0)
                .bind(&finding.rule_id)
                .bind(signed(finding.time.ns))
                .bind(to_json("finding", finding)?)
                .execute(&mut *change)
                .await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// All findings in order of time.
    pub async fn findings(&self) -> Result<Vec<Finding>, StateError> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM findings ORDER BY time_ns, id").fetch_all(&self.pool).await?;
        bodies.iter().map(|body| from_json("finding", body)).collect()
    }

    /// Keeps exactly these edges.
    pub async fn put_edges(&self, edges: &[Edge]) -> Result<(), StateError> {
        let mut change = self.pool.begin().await?;
        sqlx::query("DELETE FROM edges").execute(&mut *change).await?;
        for edge in edges {
            let body = serde_json::to_value(edge).map_err(|cause| StateError::Body { what: "edge", cause })?;
            sqlx::query("INSERT OR REPLACE INTO edges VALUES (?, ?)")
                .bind(canonical::digest(&body))
                .bind(body.to_string())
                .execute(&mut *change)
                .await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// All edges, sorted by their digests.
    pub async fn edges(&self) -> Result<Vec<Edge>, StateError> {
        let bodies: Vec<String> =
            sqlx::query_scalar("SELECT body FROM edges ORDER BY id").fetch_all(&self.pool).await?;
        bodies.iter().map(|body| from_json("edge", body)).collect()
    }

    /// The name that the case of this key has, where it has one.
    pub async fn case_name(&self, key: &str) -> Result<Option<CaseId>, StateError> {
        let id: Option<String> =
            sqlx::query_scalar("SELECT id FROM cases WHERE key = ?").bind(key).fetch_optional(&self.pool).await?;
        Ok(id.map(CaseId))
    }

    /// The name that the next new case of this year gets.
    pub async fn next_case_name(&self, year: i16) -> Result<CaseId, StateError> {
        let prefix = format!("MF-{year:04}-");
        let last: Option<String> = sqlx::query_scalar(
            "SELECT id FROM cases WHERE substr(id, 1, length(?1)) = ?1 ORDER BY length(id) DESC, id DESC LIMIT 1",
        )
        .bind(&prefix)
        .fetch_optional(&self.pool)
        .await?;
        let number = last.and_then(|id| id.strip_prefix(&prefix)?.parse::<u64>().ok()).unwrap_or(0) + 1;
        Ok(CaseId(format!("{prefix}{number:04}")))
    }

    /// Keeps a case under its key.
    pub async fn put_case(&self, key: &str, case: &Case, at_ns: u64) -> Result<(), StateError> {
        let body = serde_json::to_value(case).map_err(|cause| StateError::Body { what: "case", cause })?;
        sqlx::query(
            "INSERT INTO cases VALUES (?1, ?2, ?3, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET key = ?2, changed_ns = ?3, \
             digest = ?4, body = ?5",
        )
        .bind(&case.id.0)
        .bind(key)
        .bind(signed(at_ns))
        .bind(canonical::digest(&body))
        .bind(body.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// One case by its name.
    pub async fn case(&self, id: &CaseId) -> Result<Option<StoredCase>, StateError> {
        let row = sqlx::query("SELECT * FROM cases WHERE id = ?").bind(&id.0).fetch_optional(&self.pool).await?;
        row.as_ref().map(stored).transpose()
    }

    /// All cases by name.
    pub async fn cases(&self) -> Result<Vec<StoredCase>, StateError> {
        let rows = sqlx::query("SELECT * FROM cases ORDER BY length(id), id").fetch_all(&self.pool).await?;
        rows.iter().map(stored).collect()
    }
}

fn stored(row: &SqliteRow) -> Result<StoredCase, StateError> {
    Ok(StoredCase {
        case: from_json("case", row.get("body"))?,
        key: row.get("key"),
        opened_ns: unsigned(row.get("opened_ns")),
        changed_ns: unsigned(row.get("changed_ns")),
    })
}

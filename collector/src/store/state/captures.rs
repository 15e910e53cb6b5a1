//! What is known about stored evidence: contents by hash, the artifacts that have them, the captures they belong to. The bytes
//! themselves are in the object store; a row here is written after them.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{State, StateError, signed, unsigned};

/// Content that is in the evidence store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its hash, hex: its address.
    pub sha256: String,
    /// Its size.
    pub size: u64,
    /// Where it lies in the object store.
    pub object: String,
    /// When it was stored.
    pub stored_ns: u64,
}

/// A file of a capture, whose content is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The capture.
    pub capture_id: String,
    /// Unique within the capture.
    pub artifact_id: String,
    /// Its content.
    pub sha256: String,
    /// The node it came from.
    pub node: String,
    /// What it is (`executable`, `recorder`, …).
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
}

/// A capture, by its signed manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Its id.
    pub id: String,
    /// The node that made it.
    pub node: String,
    /// The DSSE envelope, as it came.
    pub envelope: Vec<u8>,
    /// sha256 of the envelope, hex.
    pub manifest_sha256: String,
    /// The key that signed it.
    pub signing_key: Vec<u8>,
    /// When it came.
    pub received_ns: u64,
}

impl State {
    /// Takes note of stored content; the same again changes nothing.
    pub async fn put_stored(&self, stored: &Stored) -> Result<(), StateError> {
        sqlx::query("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)")
            .bind(&stored.sha256)
            .bind(signed(stored.size))
            .bind(&stored.object)
            .bind(signed(stored.stored_ns))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Stored content by its hash.
    pub async fn stored(&self, sha256: &str) -> Result<Option<Stored>, StateError> {
        let row =
            sqlx::query("SELECT * FROM evidence WHERE sha256 = ?").bind(sha256).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| Stored {
            sha256: row.get("sha256"),
            size: unsigned(row.get("size")),
            object: row.get("object"),
            stored_ns: unsigned(row.get("stored_ns")),
        }))
    }

    /// Takes note of a complete artifact.
    pub async fn put_artifact(&self, artifact: &Artifact) -> Result<(), StateError> {
        sqlx::query("INSERT OR IGNORE INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&artifact.capture_id)
            .bind(&artifact.artifact_id)
            .bind(&artifact.sha256)
            .bind(&artifact.node)
            .bind(&artifact.kind)
            .bind(&artifact.name)
            .bind(&artifact.media_type)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Complete artifacts of one capture, or of all.
    pub async fn artifacts(&self, capture_id: Option<&str>) -> Result<Vec<Artifact>, StateError> {
        let rows =
            sqlx::query("SELECT * FROM artifacts WHERE ?1 IS NULL OR capture_id = ?1 ORDER BY capture_id, artifact_id")
                .bind(capture_id)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.iter().map(artifact).collect())
    }

    /// Takes note of a capture's manifest; the first one stays.
    pub async fn put_capture(&self, capture: &Capture) -> Result<(), StateError> {
        sqlx::query("INSERT OR IGNORE INTO captures VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&capture.id)
            .bind(&capture.node)
            .bind(&capture.envelope)
            .bind(&capture.manifest_sha256)
            .bind(&capture.signing_key)
            .bind(signed(capture.received_ns))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// One capture.
    pub async fn capture(&self, id: &str) -> Result<Option<Capture>, StateError> {
        let row = sqlx::query("SELECT * FROM captures WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        Ok(row.as_ref().map(capture))
    }

    /// All captures in the order in which they came.
    pub async fn captures(&self) -> Result<Vec<Capture>, StateError> {
        let rows = sqlx::query("SELECT * FROM captures ORDER BY received_ns, id").fetch_all(&self.pool).await?;
        Ok(rows.iter().map(capture).collect())
    }
}

fn artifact(row: &SqliteRow) -> Artifact {
    Artifact {
        capture_id: row.get("capture_id"),
        artifact_id: row.get("artifact_id"),
        sha256: row.get("sha256"),
        node: row.get("node"),
        kind: row.get("kind"),
        name: row.get("name"),
        media_type: row.get("media_type"),
    }
}

fn capture(row: &SqliteRow) -> Capture {
    Capture {
        id: row.get("id"),
        node: row.get("node"),
        envelope: row.get("envelope"),
        manifest_sha256: row.get("manifest_sha256"),
        signing_key: row.get("signing_key"),
        received_ns: unsigned(row.get("received_ns")),
    }
}

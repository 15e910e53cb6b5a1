//! Which audit entries and files were taken already, so that a restart does not take them twice.

use collector_core::model::{AuditEntry, AuditSource};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{State, StateError, signed, unsigned};

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFile {
    /// Path.
    pub path: String,
    /// Size when it was read.
    pub size: u64,
    /// Its modification time then.
    pub modified_ns: u64,
    /// Which file had this name then.
    pub inode: u64,
    /// Bytes that were taken.
    pub read_bytes: u64,
    /// What was wrong with it; empty: nothing.
    pub trouble: String,
}

impl State {
    /// Those entries that were not taken before, each id once.
    pub async fn new_entries(&self, entries: Vec<AuditEntry>) -> Result<Vec<AuditEntry>, StateError> {
        let mut new: Vec<AuditEntry> = Vec::with_capacity(entries.len());
        let mut seen = std::collections::HashSet::new();
        for entry in entries {
            let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM audit_entries WHERE source = ? AND id = ?")
                .bind(entry.source.to_string())
                .bind(&entry.id)
                .fetch_optional(&self.pool)
                .await?;
            if known.is_none() && seen.insert((entry.source, entry.id.clone())) {
                new.push(entry);
            }
        }
        Ok(new)
    }

    /// Takes note of entries that are durable.
    pub async fn put_entries(&self, entries: &[AuditEntry]) -> Result<(), StateError> {
        let mut change = self.pool.begin().await?;
        for entry in entries {
            sqlx::query("INSERT OR IGNORE INTO audit_entries VALUES (?, ?, ?, ?)")
                .bind(entry.source.to_string())
                .bind(&entry.id)
                .bind(&entry.object_sha256)
                .bind(signed(entry.time.ns))
                .execute(&mut *change)
                .await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// The object in which an entry came.
    pub async fn entry_object(&self, source: AuditSource, id: &str) -> Result<Option<String>, StateError> {
        Ok(sqlx::query_scalar("SELECT object_sha256 FROM audit_entries WHERE source = ? AND id = ?")
            .bind(source.to_string())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// How far a file was read.
    pub async fn audit_file(&self, source: AuditSource, path: &str) -> Result<Option<AuditFile>, StateError> {
        let row = sqlx::query("SELECT * FROM audit_files WHERE source = ? AND path = ?")
            .bind(source.to_string())
            .bind(path)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| AuditFile {
            path: row.get("path"),
            size: unsigned(row.get("size")),
            modified_ns: unsigned(row.get("modified_ns")),
            inode: unsigned(row.get("inode")),
            read_bytes: unsigned(row.get("read_bytes")),
            trouble: row.get("trouble"),
        }))
    }

    /// Takes note of how far a file was read.
    pub async fn put_audit_file(&self, source: AuditSource, file: &AuditFile) -> Result<(), StateError> {
        sqlx::query("INSERT OR REPLACE INTO audit_files VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(source.to_string())
            .bind(&file.path)
            .bind(signed(file.size))
            .bind(signed(file.modified_ns))
            .bind(signed(file.inode))
            .bind(signed(file.read_bytes))
            .bind(&file.trouble)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Files that could not be read whole, with what was wrong.
    pub async fn troubled_files(&self) -> Result<Vec<(String, String)>, StateError> {
        let rows = sqlx::query("SELECT path, trouble FROM audit_files WHERE trouble <> '' ORDER BY path")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(|row| (row.get("path"), row.get("trouble"))).collect())
    }
}

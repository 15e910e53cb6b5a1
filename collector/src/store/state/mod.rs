//! What the collector knows beside the events themselves: nodes, cursors, cases, evidence, what was planned and done. Takes the core's
//! values and keeps them in `SQLite` (write-ahead log, every commit synced); gives them back as they were. Decides nothing.

mod captures;
mod cases;
mod cursors;
mod nodes;
mod response;
mod sources;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

pub use captures::{Artifact, Capture, Stored};
pub use cases::StoredCase;
pub use cursors::{BlockPlace, SegmentRow};
pub use nodes::{LossRow, Node};
pub use response::{Document, OrderRow};
pub use sources::AuditFile;

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database refuses (disk full, damaged file).
    #[error("state database")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("bring the state database up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored body is not what this version reads.
    #[error("read a stored {what}")]
    Body {
        /// What it was to be.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
}

/// The state database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    pool: SqlitePool,
}

impl State {
    /// Opens, or makes, the database at `path` and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Closes the database after what runs on it has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A named number that the collector keeps, such as how far a reader came.
    pub async fn progress(&self, name: &str) -> Result<u64, StateError> {
        let value: Option<i64> = sqlx::query_scalar("SELECT value FROM progress WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(value.map_or(0, unsigned))
    }

    /// Keeps a named number.
    pub async fn set_progress(&self, name: &str, value: u64) -> Result<(), StateError> {
        sqlx::query("INSERT INTO progress VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")
            .bind(name)
            .bind(signed(value))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// `SQLite` counts in `i64`; positions and nanoseconds fit for three centuries, and larger ones are kept as the largest.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, StateError> {
    serde_json::to_string(value).map_err(|cause| StateError::Body { what, cause })
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StateError> {
    serde_json::from_str(text).map_err(|cause| StateError::Body { what, cause })
}

//! How far the lake is: which segments of the landing log are in it, and where each node's log stood then. Written in one commit per
//! segment, so that a crash leaves either all of it or none.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{State, StateError, from_json, signed, to_json, unsigned};
use crate::store::events::cursor::{Cursor, LogKey};

/// One segment that is in the lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRow {
    /// Its first frame.
    pub first_sequence: u64,
    /// Its last frame.
    pub last_sequence: u64,
    /// Size of the segment as it came.
    pub bytes: u64,
    /// Object with the segment as it came.
    pub blocks_object: String,
    /// Parquet of its events.
    pub events_object: Option<String>,
    /// Parquet of its audit entries.
    pub audit_object: Option<String>,
    /// How many events.
    pub events: u64,
    /// Time of the earliest event.
    pub from_ns: u64,
    /// Time of the latest event.
    pub to_ns: u64,
}

/// Where one block lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// The log it is of.
    pub key: LogKey,
    /// Its first position.
    pub first_position: u64,
    /// Its last position.
    pub last_position: u64,
}

impl State {
    /// Takes note that a segment is in the lake, with its blocks, and where the logs stand after it.
    pub async fn put_segment(
        &self,
        row: &SegmentRow,
        blocks: &[BlockPlace],
        cursors: &[(LogKey, Cursor)],
    ) -> Result<(), StateError> {
        let mut change = self.pool.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(signed(row.first_sequence))
            .bind(signed(row.last_sequence))
            .bind(signed(row.bytes))
            .bind(&row.blocks_object)
            .bind(&row.events_object)
            .bind(&row.audit_object)
            .bind(signed(row.events))
            .bind(signed(row.from_ns))
            .bind(signed(row.to_ns))
            .execute(&mut *change)
            .await?;
        for block in blocks {
            sqlx::query("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, ?)")
                .bind(&block.key.node)
                .bind(&block.key.log_id)
                .bind(signed(block.first_position))
                .bind(signed(block.last_position))
                .bind(signed(row.first_sequence))
                .execute(&mut *change)
                .await?;
        }
        for (key, cursor) in cursors {
            sqlx::query("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?)")
                .bind(&key.node)
                .bind(&key.log_id)
                .bind(signed(cursor.next))
                .bind(&cursor.link)
                .bind(&cursor.boot_id)
                .bind(signed(cursor.time_ns))
                .bind(to_json("list of gaps", &cursor.gaps)?)
                .execute(&mut *change)
                .await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// All segments in the lake, in order.
    pub async fn segments(&self) -> Result<Vec<SegmentRow>, StateError> {
        let rows = sqlx::query("SELECT * FROM segments ORDER BY first_sequence").fetch_all(&self.pool).await?;
        Ok(rows.iter().map(segment).collect())
    }

    /// The segment in the lake that begins with this frame.
    pub async fn segment(&self, first_sequence: u64) -> Result<Option<SegmentRow>, StateError> {
        let row = sqlx::query("SELECT * FROM segments WHERE first_sequence = ?")
            .bind(signed(first_sequence))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(segment))
    }

    /// The last frame that is in the lake; 0: none.
    pub async fn stored_sequence(&self) -> Result<u64, StateError> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT max(last_sequence) FROM segments").fetch_one(&self.pool).await?;
        Ok(last.map_or(0, unsigned))
    }

    /// The segments that hold blocks of these positions.
    pub async fn segments_of(&self, key: &LogKey, first: u64, last: u64) -> Result<Vec<SegmentRow>, StateError> {
        let rows = sqlx::query(
            "SELECT * FROM segments WHERE first_sequence IN (SELECT segment FROM blocks WHERE node = ? AND log_id = ? AND \
             last_position >= ? AND first_position <= ?) ORDER BY first_sequence",
        )
        .bind(&key.node)
        .bind(&key.log_id)
        .bind(signed(first))
        .bind(signed(last))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(segment).collect())
    }

    /// Where the logs stood at the end of the lake.
    pub async fn cursors(&self) -> Result<Vec<(LogKey, Cursor)>, StateError> {
        let rows = sqlx::query("SELECT * FROM cursors ORDER BY node, log_id").fetch_all(&self.pool).await?;
        rows.iter().map(cursor).collect()
    }
}

fn segment(row: &SqliteRow) -> SegmentRow {
    SegmentRow {
        first_sequence: unsigned(row.get("first_sequence")),
        last_sequence: unsigned(row.get("last_sequence")),
        bytes: unsigned(row.get("bytes")),
        blocks_object: row.get("blocks_object"),
        events_object: row.get("events_object"),
        audit_object: row.get("audit_object"),
        events: unsigned(row.get("events")),
        from_ns: unsigned(row.get("from_ns")),
        to_ns: unsigned(row.get("to_ns")),
    }
}

fn cursor(row: &SqliteRow) -> Result<(LogKey, Cursor), StateError> {
    let key = LogKey { node: row.get("node"), log_id: row.get("log_id") };
    let cursor = Cursor {
        next: unsigned(row.get("next")),
        link: row.get("link"),
        boot_id: row.get("boot_id"),
        time_ns: unsigned(row.get("time_ns")),
        gaps: from_json("list of gaps", row.get("gaps"))?,
    };
    Ok((key, cursor))
}

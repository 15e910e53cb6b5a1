//! Nodes and what was lost of their logs. Takes what a session said and what admission found; gives it back sorted.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{State, StateError, from_json, signed, to_json, unsigned};

/// One node, as its last session introduced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Name, by its certificate.
    pub name: String,
    /// Boot of the last session.
    pub boot_id: String,
    /// Log of the last session.
    pub log_id: String,
    /// Version of its agent.
    pub agent_version: String,
    /// ed25519 key of its manifests.
    pub signing_key: Vec<u8>,
    /// Cloud instance, where known.
    pub instance_id: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// It replays a recorded run.
    pub replay: bool,
    /// First session.
    pub first_seen_ns: u64,
    /// Last message that changed something here.
    pub last_seen_ns: u64,
}

/// Something of a node's log that is lost, by the node's or by our own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossRow {
    /// The node.
    pub node: String,
    /// Its log.
    pub log_id: String,
    /// First position lost, or position of the loss event where the positions are not known.
    pub first_position: u64,
    /// Last position lost.
    pub last_position: u64,
    /// Why (`not_received`, `ring_full`, …).
    pub reason: String,
    /// What (`process`, `network`, `file`, `all`).
    pub class: String,
    /// How many events.
    pub count: u64,
    /// From when, by the node's clock.
    pub from_ns: u64,
    /// To when.
    pub to_ns: u64,
}

impl State {
    /// Takes note of a node's session. Its first sighting stays.
    pub async fn put_node(&self, node: &Node) -> Result<(), StateError> {
        let addresses = to_json("list of addresses", &node.addresses)?;
        let mut change = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO nodes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET boot_id = ?2, \
             log_id = ?3, agent_version = ?4, signing_key = ?5, instance_id = ?6, addresses = ?7, replay = ?8, \
             last_seen_ns = ?10",
        )
        .bind(&node.name)
        .bind(&node.boot_id)
        .bind(&node.log_id)
        .bind(&node.agent_version)
        .bind(&node.signing_key)
        .bind(&node.instance_id)
        .bind(addresses)
        .bind(node.replay)
        .bind(signed(node.first_seen_ns))
        .bind(signed(node.last_seen_ns))
        .execute(&mut *change)
        .await?;
        sqlx::query("INSERT OR IGNORE INTO node_keys VALUES (?, ?, ?)")
            .bind(&node.name)
            .bind(&node.signing_key)
            .bind(signed(node.last_seen_ns))
            .execute(&mut *change)
            .await?;
        change.commit().await?;
        Ok(())
    }

    /// All nodes by name.
    pub async fn nodes(&self) -> Result<Vec<Node>, StateError> {
        let rows = sqlx::query("SELECT * FROM nodes ORDER BY name").fetch_all(&self.pool).await?;
        rows.iter().map(node).collect()
    }

    /// One node.
    pub async fn node(&self, name: &str) -> Result<Option<Node>, StateError> {
        let row = sqlx::query("SELECT * FROM nodes WHERE name = ?").bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(node).transpose()
    }

    /// Takes note of a loss; the same loss again changes nothing.
    pub async fn put_loss(&self, loss: &LossRow) -> Result<(), StateError> {
        sqlx::query("INSERT OR IGNORE INTO losses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(&loss.node)
            .bind(&loss.log_id)
            .bind(signed(loss.first_position))
            .bind(signed(loss.last_position))
            .bind(&loss.reason)
            .bind(&loss.class)
            .bind(signed(loss.count))
            .bind(signed(loss.from_ns))
            .bind(signed(loss.to_ns))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Losses of one node, or of all, in order.
    pub async fn losses(&self, node: Option<&str>) -> Result<Vec<LossRow>, StateError> {
        let rows = sqlx::query(
            "SELECT * FROM losses WHERE ?1 IS NULL OR node = ?1 ORDER BY node, log_id, first_position, reason, class",
        )
        .bind(node)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(loss).collect())
    }
}

fn node(row: &SqliteRow) -> Result<Node, StateError> {
    Ok(Node {
        name: row.get("name"),
        boot_id: row.get("boot_id"),
        log_id: row.get("log_id"),
        agent_version: row.get("agent_version"),
        signing_key: row.get("signing_key"),
        instance_id: row.get("instance_id"),
        addresses: from_json("list of addresses", row.get("addresses"))?,
        replay: row.get("replay"),
        first_seen_ns: unsigned(row.get("first_seen_ns")),
        last_seen_ns: unsigned(row.get("last_seen_ns")),
    })
}

fn loss(row: &SqliteRow) -> LossRow {
    LossRow {
        node: row.get("node"),
        log_id: row.get("log_id"),
        first_position: unsigned(row.get("first_position")),
        last_position: unsigned(row.get("last_position")),
        reason: row.get("reason"),
        class: row.get("class"),
        count: unsigned(row.get("count")),
        from_ns: unsigned(row.get("from_ns")),
        to_ns: unsigned(row.get("to_ns")),
    }
}

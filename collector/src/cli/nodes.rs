//! `mayfly nodes`, `node add` and `status`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::client::{Client, quote};
use super::say::{self, list as items, number, text};

/// All nodes.
pub(crate) async fn list(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/nodes").await?;
    if json {
        return say::json(&answer);
    }
    let mut table = say::table(&["node", "connected", "agent", "instance", "last seen"]);
    for node in items(&answer, "/nodes") {
        let connected = if node["connected"].as_bool() == Some(true) { "yes" } else { "no" };
        let replay = if node["replay"].as_bool() == Some(true) { " (replay)" } else { "" };
        table.add_row([
            format!("{}{replay}", text(node, "/name")),
            connected.to_owned(),
            text(node, "/agent_version").to_owned(),
            text(node, "/instance_id").to_owned(),
            say::moment(number(node, "/last_seen_ns")),
        ]);
    }
    say::line(&table.to_string())
}

/// A certificate for a node.
pub(crate) async fn add(client: &Client, name: &str, out: &Path, json: bool) -> Result<()> {
    let answer = client.post(&format!("/nodes/{}", quote(name)), &json!({})).await?;
    fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    for (file, field) in [("ca.pem", "/authority"), ("node.pem", "/certificate"), ("node.key", "/key")] {
        let path = out.join(file);
        // Readable by its owner only, from its first byte on.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(text(&answer, field).as_bytes()).with_context(|| format!("write {}", path.display()))?;
    }
    if json {
        return say::json(&json!({"node": name, "folder": out}));
    }
    say::line(&format!("Certificate for {name} in {}: give the folder to its agent and nobody else.", out.display()))
}

/// Whether the collector is well.
pub(crate) async fn status(client: &Client, json: bool) -> Result<()> {
    let answer = client.get("/status").await?;
    if json {
        return say::json(&answer);
    }
    say::line(&format!(
        "mayfly {}: {} of {} nodes connected",
        text(&answer, "/version"),
        number(&answer, "/connected"),
        number(&answer, "/nodes")
    ))?;
    for complaint in items(&answer, "/complaints") {
        say::line(&format!("  {}: {}", text(complaint, "/part"), text(complaint, "/why")))?;
    }
    Ok(())
}

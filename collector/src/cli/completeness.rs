//! `mayfly completeness`: whether what is here is all that there was.

use anyhow::Result;
use clap::Args;
use collector_core::completeness::Statement;

use super::client::{Client, quote};
use super::events::moment;
use super::say;

/// Of whom, and when.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Of the container of this full id.
    #[arg(long, required_unless_present = "node", conflicts_with = "node")]
    container: Option<String>,
    /// Of everything on this node.
    #[arg(long)]
    node: Option<String>,
    /// From then: `2026-11-21T18:10:23Z`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: u64,
    /// Until then.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: u64,
}

/// Prints the statement.
pub(crate) async fn show(client: &Client, wanted: &Wanted, json: bool) -> Result<()> {
    let mut query = format!("/completeness?from={}&to={}", wanted.from, wanted.to);
    for (name, value) in [("node", &wanted.node), ("container", &wanted.container)] {
        if let Some(value) = value {
            query.extend(["&", name, "=", &quote(value)]);
        }
    }
    let answer = client.get(&query).await?;
    if json {
        return say::json(&answer);
    }
    say::line(&serde_json::from_value::<Statement>(answer)?.to_string())
}

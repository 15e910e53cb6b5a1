//! `mayfly coverage`: what a node watches, by which way into the kernel, and whether that was seen to work; a row a hook.

use anyhow::Result;
use clap::Args;
use collector_core::model::Moment;
use collector_core::model::event::{Coverage, HookCoverage};
use serde_json::Value;

use super::client::{Client, quote};
use super::events::moment;
use super::say;

/// Of which node, and when.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Of this node.
    #[arg(long)]
    node: String,
    /// As it stood then: `2026-11-21T18:10:23Z`. Default: the newest.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<u64>,
}

/// Prints the table.
pub(crate) async fn show(client: &Client, wanted: &Wanted, json: bool) -> Result<()> {
    let at = wanted.at.map_or(String::new(), |at| format!("?at={at}"));
    let answer = client.get(&format!("/nodes/{}/coverage{at}", quote(&wanted.node))).await?;
    if json {
        return say::json(&answer);
    }
    let coverage: Coverage = serde_json::from_value(answer["coverage"].clone())?;
    let time: Moment = serde_json::from_value(answer["time"].clone())?;
    say::line(&format!("{} at {time}: {}", wanted.node, if coverage.ready { "ready" } else { "not ready" }))?;
    for lack in &coverage.lacks {
        say::line(&format!("  {lack}"))?;
    }
    let mut table = say::table(&["noun", "hook", "tier", "canary", "last seen", "left out", "why not, or not better"]);
    for hook in &coverage.hooks {
        table.add_row(row(hook, &coverage, time, &answer["refusals"]));
    }
    say::line(&table.to_string())
}

fn row(hook: &HookCoverage, coverage: &Coverage, time: Moment, refusals: &Value) -> [String; 7] {
    let tier = match (hook.tier.as_str(), hook.absent.as_str()) {
        ("", "") => "refused",
        ("", _) => "absent",
        (tier, _) => tier,
    };
    let seen = match hook.seen_ns {
        0 => "-".to_owned(),
        seen => say::moment(time.ns.saturating_sub(coverage.boot_ns.saturating_sub(seen))),
    };
    let canary = if hook.tier.is_empty() { "-" } else { &hook.canary };
    [
        hook.noun.clone(),
        hook.name.clone(),
        tier.to_owned(),
        canary.to_owned(),
        seen,
        left_out(hook),
        why(hook, refusals),
    ]
}

/// Runs that the kernel left out. Of probes older kernels do not say how many calls they missed.
fn left_out(hook: &HookCoverage) -> String {
    match (hook.missed, hook.tier.as_str()) {
        (Some(missed), _) => (hook.skipped + missed).to_string(),
        (None, "kprobe") => format!("{} and what the kernel does not say", hook.skipped),
        (None, "") => "-".to_owned(),
        (None, _) => hook.skipped.to_string(),
    }
}

/// In short: the first words of each reason.
fn why(hook: &HookCoverage, refusals: &Value) -> String {
    if !hook.absent.is_empty() {
        return hook.absent.clone();
    }
    let started = say::list(refusals, &format!("/{}", hook.name)).iter().filter_map(Value::as_str);
    let mut reasons: Vec<String> = started.map(short).collect();
    if reasons.is_empty() && !hook.refusal.is_empty() {
        reasons.push(short(&hook.refusal));
    }
    if !hook.canary_why.is_empty() && !hook.tier.is_empty() {
        reasons.push(format!("canary: {}", hook.canary_why));
    }
    reasons.join("; ")
}

fn short(reason: &str) -> String {
    const LETTERS: usize = 80;
    match reason.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", reason.get(..end).unwrap_or(reason)),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(hook: HookCoverage) -> String {
        let coverage = Coverage { boot_ns: 5_000_000_000, ..Coverage::default() };
        let refusals = json!({"open": ["not by lsm: bpf is not among the active security modules"]});
        let hook = HookCoverage { noun: "file".into(), name: "open".into(), ..hook };
        row(&hook, &coverage, Moment::exact(9_000_000_000), &refusals).join(" | ")
    }

    #[test]
    fn a_row_says_way_canary_and_what_was_not_granted() {
        let seen =
            HookCoverage { tier: "kprobe".into(), canary: "seen".into(), seen_ns: 4_000_000_000, ..Default::default() };
        assert_eq!(
            check(HookCoverage { skipped: 2, missed: Some(3), ..seen.clone() }),
            "file | open | kprobe | seen | 1970-01-01T00:00:08.000Z | 5 | not by lsm: bpf is not among the active security modules"
        );
        let older = check(HookCoverage { skipped: 2, ..seen });
        assert!(older.contains("| 2 and what the kernel does not say |"), "{older}");
    }

    #[test]
    fn what_this_kernel_cannot_do_is_absent_and_what_it_refuses_is_refused() {
        let absent = HookCoverage { absent: "this kernel cannot load modules".into(), ..HookCoverage::default() };
        assert_eq!(check(absent), "file | open | absent | - | - | - | this kernel cannot load modules");
        assert!(check(HookCoverage::default()).starts_with("file | open | refused | - | - | - | not by lsm"));
    }

    #[test]
    fn a_long_reason_is_cut_at_a_letter() {
        assert_eq!(short(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
        assert_eq!(short("short"), "short");
    }
}

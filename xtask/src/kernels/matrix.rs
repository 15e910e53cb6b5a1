//! Kernels side by side: which hook came in by which tier, and what its programs cost. Takes what each kernel gave; gives a table
//! for a person, or one object of JSON a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use super::Tried;
use super::said::{Cost, Hook};

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    kernel: &'a str,
    release: &'a str,
    passed: usize,
    failed: usize,
    skipped: BTreeMap<&'a str, &'a str>,
    refusal: &'a str,
    hooks: &'a [Hook],
    seen: &'a BTreeSet<String>,
    programs: &'a [Cost],
}

pub(super) fn print_json(tried: &[Tried]) -> Result<()> {
    for one in tried {
        let line = Line {
            kernel: one.name,
            release: &one.said.release,
            passed: one.count.passed,
            failed: one.count.failed,
            skipped: one.count.skipped.iter().map(|skip| (skip.test.as_str(), skip.why.as_str())).collect(),
            refusal: one.said.check.as_ref().map_or("no answer", |check| &check.refusal),
            hooks: one.said.check.as_ref().map_or(&[], |check| &check.hooks),
            seen: &one.said.seen,
            programs: &one.said.programs,
        };
        println!("{}", serde_json::to_string(&line)?);
    }
    Ok(())
}

/// Hooks against kernels, refusals in full, programs against kernels, results.
pub(super) fn table(tried: &[Tried]) -> String {
    let mut text = String::new();
    rows(&mut text, "hook", tried, |one| {
        let hooks = one.said.check.iter().flat_map(|check| &check.hooks);
        hooks.map(|hook| (hook.name.as_str(), cell(one, hook))).collect()
    });
    rows(&mut text, "verified instructions, nanoseconds a run × runs", tried, |one| {
        one.said.programs.iter().map(|cost| (cost.name.as_str(), spent(cost))).collect()
    });
    for one in tried {
        for (why, ways) in refusals(one) {
            line(&mut text, &format!("refused: {}: {}: {why}", one.name, ways.join(", ")));
        }
        for skip in &one.count.skipped {
            line(&mut text, &format!("skipped: {}: {}: {}", one.name, skip.test, skip.why));
        }
    }
    for one in tried {
        let (passed, failed, skipped) = (one.count.passed, one.count.failed, one.count.skipped.len());
        let release = if one.said.release.is_empty() { "did not start" } else { &one.said.release };
        line(&mut text, &format!("{}: {passed} passed, {failed} failed, {skipped} skipped ({release})", one.name));
    }
    // Last, where whoever reads only the end finds it.
    for (one, wrong) in tried.iter().flat_map(|one| one.wrong.iter().map(move |wrong| (one, wrong))) {
        line(&mut text, &format!("{}: {wrong}", one.name));
    }
    text
}

/// Why ways were refused, and which hooks' ways they were: a reason that holds for many is told once.
fn refusals(one: &Tried) -> BTreeMap<&str, Vec<String>> {
    let mut refusals: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for hook in one.said.check.iter().flat_map(|check| &check.hooks) {
        for refusal in &hook.refusals {
            let (way, why) = refusal.split_once(": ").unwrap_or(("", refusal));
            refusals.entry(why).or_default().push(format!("{} {way}", hook.name));
        }
    }
    refusals
}

/// The hook's tier, whole or in part, and whether a test saw it at work.
fn cell(one: &Tried, hook: &Hook) -> String {
    let part = if hook.attached || hook.programs.is_empty() { "" } else { ", in part" };
    format!("{}{part}{}", hook.tier, if one.said.seen.contains(&hook.name) { " ✓" } else { "" })
}

fn spent(cost: &Cost) -> String {
    let verified = if cost.verified == 0 { "?".to_owned() } else { cost.verified.to_string() };
    let each = cost.nanoseconds.checked_div(cost.runs).map_or_else(|| "–".to_owned(), |each| each.to_string());
    format!("{verified}, {each} × {}", cost.runs)
}

fn rows<'a>(text: &mut String, title: &str, tried: &'a [Tried], cells: impl Fn(&'a Tried) -> Vec<(&'a str, String)>) {
    let columns: Vec<BTreeMap<&str, String>> = tried.iter().map(|one| cells(one).into_iter().collect()).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in tried.iter().flat_map(&cells) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let first = names.iter().map(|name| name.len()).chain([title.len()]).max().unwrap_or(0);
    let width =
        columns.iter().flat_map(BTreeMap::values).map(|cell| cell.chars().count()).chain([10]).max().unwrap_or(0);
    let heads = tried.iter().map(|one| format!("{:width$}", one.name)).collect::<Vec<_>>().join("  ");
    line(text, &format!("{title:first$}  {heads}"));
    for name in names {
        let cells = columns.iter().map(|column| format!("{:width$}", column.get(name).map_or("–", String::as_str)));
        line(text, &format!("{name:first$}  {}", cells.collect::<Vec<_>>().join("  ")));
    }
    line(text, "");
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{}", line.trim_end()).expect("a string takes every line");
}

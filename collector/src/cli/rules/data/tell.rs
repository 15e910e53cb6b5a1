//! Scores in words and as JSON. Takes scores; prints tables for people, with what was missed and what was found falsely below them, or one value for
//! machines.

use anyhow::Result;
use serde_json::{Value, json};

use super::score::{Place, Quiet, Scores, share};
use crate::cli::rules::printable;
use crate::cli::say;

/// Of a command line no more letters are shown.
const LETTERS: usize = 120;

/// Prints all tables that have something to say.
pub(super) fn print(scores: &Scores) -> Result<()> {
    verdicts(scores)?;
    attacks(scores)?;
    tests(scores)?;
    quiet(scores)?;
    if !scores.not_tried.is_empty() {
        say::line(&format!("\n{}", say::bold("Not tried")))?;
        for ((source, why), events) in &scores.not_tried {
            say::line(&printable(&format!("  {source}: {events} events, {why}")))?;
        }
    }
    problems(scores)
}

fn problems(scores: &Scores) -> Result<()> {
    if scores.problems.is_empty() {
        return Ok(());
    }
    say::line(&format!("\n{}", say::bold("Lines that cannot be read")))?;
    scores.problems.iter().try_for_each(|problem| say::line(&format!("  {}", printable(problem))))
}

fn verdicts(scores: &Scores) -> Result<()> {
    if scores.verdicts.is_empty() {
        return Ok(());
    }
    say::line(&say::bold("Verdicts, by rules of medium and above"))?;
    let head = ["source", "log source", "events", "alerts", "found", "missed", "false", "recall", "precision"];
    let mut table = say::table(&head);
    for (source, one) in &scores.verdicts {
        table.add_row([
            printable(source),
            printable(&one.log_sources.iter().cloned().collect::<Vec<_>>().join(" ")),
            one.events.to_string(),
            one.alerts.to_string(),
            one.found.to_string(),
            one.misses.len().to_string(),
            one.falsely.len().to_string(),
            ratio(one.recall()),
            ratio(one.precision()),
        ]);
    }
    say::line(&table.to_string())?;
    for (source, one) in &scores.verdicts {
        places(&format!("{source}: missed"), &one.misses)?;
        places(&format!("{source}: found falsely"), &one.falsely)?;
    }
    Ok(())
}

fn attacks(scores: &Scores) -> Result<()> {
    if scores.attacks.is_empty() {
        return Ok(());
    }
    let real = || scores.attacks.values().filter(|attack| attack.events > 0);
    let hit = real().filter(|attack| attack.hit > 0).count();
    let title = format!("Attacks, by rules of medium and above: {hit} of {} hit", real().count());
    say::line(&format!("\n{}", say::bold(&title)))?;
    let mut table = say::table(&["attack", "its events", "hit", "other events", "of these hit"]);
    say::whole_column(&mut table, 0);
    for (file, attack) in &scores.attacks {
        table.add_row([
            printable(file.trim_end_matches(".jsonl")),
            attack.events.to_string(),
            if attack.events > 0 && attack.hit == 0 { "missed".to_owned() } else { attack.hit.to_string() },
            attack.background.to_string(),
            attack.background_hits.len().to_string(),
        ]);
    }
    say::line(&table.to_string())?;
    for (file, attack) in scores.attacks.iter().filter(|(_, attack)| attack.hit > 0) {
        say::line(&format!("\n  {}: hit by", printable(file)))?;
        attack.rules.iter().try_for_each(|rule| say::line(&format!("    {}", printable(rule))))?;
    }
    for (file, attack) in &scores.attacks {
        places(&format!("{file}: hit beside it"), &attack.background_hits)?;
    }
    Ok(())
}

fn tests(scores: &Scores) -> Result<()> {
    let all = scores.tests.len();
    if all == 0 {
        return Ok(());
    }
    let hit = scores.tests.values().filter(|test| test.hit).count();
    let counts = scores.tests.values().filter(|test| test.counts).count();
    let title = format!(
        "Tests: {hit} of {all} hit ({}), {counts} by rules of medium and above ({})",
        percent(share(hit, all)),
        percent(share(counts, all))
    );
    say::line(&format!("\n{}", say::bold(&title)))?;
    let missed = scores.tests.values().filter(|test| !test.hit);
    let mut missed: Vec<_> = missed.filter_map(|test| test.first.clone()).collect();
    missed.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    places("missed", &missed)
}

fn quiet(scores: &Scores) -> Result<()> {
    if scores.quiet.is_empty() {
        return Ok(());
    }
    say::line(&format!("\n{}", say::bold("What should be quiet, by rules of medium and above")))?;
    let mut table = say::table(&["file", "events", "hit", "of these high", "rate"]);
    for (file, one) in &scores.quiet {
        let Quiet { events, high, hits } = one;
        let rate = percent(Some(one.rate()));
        table.add_row([printable(file), events.to_string(), hits.len().to_string(), high.to_string(), rate]);
    }
    say::line(&table.to_string())?;
    scores.quiet.iter().try_for_each(|(file, one)| places(&format!("{file}: hit"), &one.hits))
}

fn places(head: &str, places: &[Place]) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    say::line(&format!("\n  {}", printable(head)))?;
    for place in places {
        let name: String = place.name.replace('\n', " ").chars().take(LETTERS).collect();
        let rules = if place.rules.is_empty() { String::new() } else { format!(" <- {}", place.rules.join("; ")) };
        say::line(&printable(&format!("    {}:{} {name}{rules}", place.file, place.line)))?;
    }
    Ok(())
}

fn ratio(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// The same for machines.
pub(super) fn json(scores: &Scores) -> Value {
    let verdicts = scores.verdicts.iter().map(|(source, one)| {
        json!({
            "source": source, "log_sources": one.log_sources, "events": one.events, "alerts": one.alerts, "found": one.found,
            "recall": one.recall(), "precision": one.precision(),
            "misses": told(&one.misses), "false_hits": told(&one.falsely),
        })
    });
    let attacks = scores.attacks.iter().map(|(file, one)| {
        json!({
            "file": file, "events": one.events, "hit": one.hit, "rules": one.rules, "background": one.background,
            "background_hits": told(&one.background_hits),
        })
    });
    let tests = scores.tests.iter().map(|(id, one)| {
        let place = one.first.as_ref().map(|place| json!({"file": place.file, "line": place.line}));
        json!({"id": id, "name": one.name, "hit": one.hit, "hit_at_medium": one.counts, "first": place})
    });
    let quiet = scores.quiet.iter().map(|(file, one)| {
        json!({"file": file, "events": one.events, "high": one.high, "rate": one.rate(), "hits": told(&one.hits)})
    });
    let not_tried = (scores.not_tried.iter())
        .map(|((source, why), events)| json!({"source": source, "events": events, "why": why}));
    json!({
        "events": scores.lines,
        "level": super::score::COUNTS.name(),
        "verdicts": verdicts.collect::<Vec<_>>(),
        "attacks": attacks.collect::<Vec<_>>(),
        "tests": tests.collect::<Vec<_>>(),
        "quiet": quiet.collect::<Vec<_>>(),
        "not_tried": not_tried.collect::<Vec<_>>(),
        "problems": scores.problems,
    })
}

fn told(places: &[Place]) -> Vec<Value> {
    let one = |place: &Place| {
        let Place { file, line, name, rules } = place;
        json!({"file": file, "line": line, "name": name, "rules": rules})
    };
    places.iter().map(one).collect()
}

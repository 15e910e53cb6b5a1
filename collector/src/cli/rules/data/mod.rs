//! `mayfly rules test --data`: rules on labelled events, and what came of it. Takes an engine and a folder; prints counts by source with each miss and each
//! false hit by its place. Judges nothing itself: what should be found stands in the labels.

mod read;
mod score;
mod tell;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, bail};
use rules::{Engine, JsonEvent};

use super::sources;
use crate::cli::say;
use crate::rule_files::Loaded;
use read::Labelled;
use score::{Hit, Scores};

/// Prints what the rules find.
pub(super) fn test(loaded: &Loaded, folder: &Path, json: bool) -> Result<()> {
    let scores = score(&loaded.engine, folder)?;
    if scores.lines == 0 {
        bail!("no labelled events below {}: lines of .jsonl files with `source` and `event`", folder.display());
    }
    if json { say::json(&tell::json(&scores)) } else { tell::print(&scores) }
}

/// Tries the rules on all labelled events below a folder.
fn score(engine: &Engine, folder: &Path) -> Result<Scores> {
    let files = read::files(folder)?;
    let bar = say::bar(files.len(), "tries rules on events");
    let mut scores = Scores::default();
    for (path, name) in files {
        read::lines(&path, &name, |line| match line {
            Ok(line) => one(engine, line, &mut scores),
            Err(problem) => scores.problems.push(problem),
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(scores)
}

fn one(engine: &Engine, line: Labelled, scores: &mut Scores) {
    scores.lines += 1;
    let Some(source) = line.log_source().or_else(|| sources::named(&line.source, &line.event)) else {
        return scores.not_tried(&line.source, "rules have no log source for it");
    };
    if !engine.rules().any(|(_, rule)| rule.source.applies_to(&source)) {
        return scores.not_tried(&line.source, "no rule is about it");
    }
    let mut matches = Vec::new();
    engine.evaluate(&JsonEvent::new(&line.event, source), &mut matches);
    // What only serves a correlation is no finding of its own.
    let hits = matches.iter().map(|rule| engine.rule(*rule)).filter(|rule| rule.generate);
    let hits = hits.map(|rule| Hit { level: rule.level, title: rule.title.clone() }).collect();
    let words = sources::words(&source);
    scores.add(line, &words, hits);
}

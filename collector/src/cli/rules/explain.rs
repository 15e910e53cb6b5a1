//! `mayfly rules explain`: which part of which rule rests on which field. Takes rules and events, one after another as JSON; prints for each event the
//! rules that match, or for one rule also why it does not.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collector_core::model::event::Raw;
use rules::{Engine, JsonEvent, LogSource, Part, RuleIndex, RuleSource};
use serde_json::{Value, json};

use super::{printable, source_words, sources, summary};
use crate::cli::say;
use crate::rule_files::Loaded;

/// Events are read whole; more than this is a log, not a question.
const BYTES: u64 = 16 << 20;
/// Of a value no more letters are shown: the event has the rest.
const LETTERS: usize = 160;

/// Which rule, which events.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// This rule alone, by its id: also why it does not match. Default: all rules that match.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// What the events are: `aws.cloudtrail`, `k8s.audit`, `linux.process_creation`, … Default: what they say themselves, what they look like, or
    /// what the rule is about.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// File with events, `-` for standard input: JSON, as the source writes it. Default, with --rule: the rule's own examples.
    #[arg(value_name = "EVENT.json|-")]
    event: Option<PathBuf>,
}

/// An event and where it comes from.
struct Asked {
    name: String,
    event: Value,
    source: Option<RuleSource>,
}

/// Prints why.
pub(super) fn explain(loaded: &Loaded, wanted: &Wanted, json: bool) -> Result<()> {
    let engine = &loaded.engine;
    let rule = wanted.rule.as_deref().map(|id| find(engine, id)).transpose()?;
    let asked = match (&wanted.event, rule) {
        (Some(path), _) => events(path, wanted.source.as_deref())?,
        (None, Some(rule)) => own_examples(engine, rule),
        (None, None) => bail!("which event? Give a file, or `-` for standard input"),
    };
    if asked.is_empty() {
        bail!("there is no event to explain");
    }
    for one in &asked {
        let own = rule.map(|rule| engine.rule(rule).source.as_log_source());
        let source =
            one.source.as_ref().map(RuleSource::as_log_source).or_else(|| sources::recognised(&one.event)).or(own);
        let Some(source) = source else {
            bail!("{}: what is it? Say `--source` and one of {}", printable(&one.name), sources::known());
        };
        let event = JsonEvent::new(&one.event, source);
        match rule {
            Some(rule) => explain_rule(engine, rule, one, &event, &source, json)?,
            None => explain_all(engine, one, &event, &source, json)?,
        }
    }
    Ok(())
}

/// A rule by its id, or by the first letters where only one begins so.
fn find(engine: &Engine, id: &str) -> Result<RuleIndex> {
    if let Some(rule) = engine.find(id).or_else(|| engine.find(&id.to_ascii_lowercase())) {
        return Ok(rule);
    }
    let lower = id.to_ascii_lowercase();
    let mut like = engine.rules().filter(|(_, rule)| lower.len() >= 4 && rule.id.starts_with(&lower));
    match (like.next(), like.next()) {
        (Some((rule, _)), None) => Ok(rule),
        (Some(_), Some(_)) => bail!("{} begins more than one id", printable(id)),
        _ if engine.correlations().any(|(_, one)| one.rule.id.eq_ignore_ascii_case(id)) => {
            bail!(
                "{} is a correlation: explain the rules that it is of, which `mayfly rules show` names",
                printable(id)
            )
        }
        _ => bail!("there is no rule {}: `mayfly rules list` names them", printable(id)),
    }
}

fn own_examples(engine: &Engine, rule: RuleIndex) -> Vec<Asked> {
    let rule = engine.rule(rule);
    let name = |name: &str, matches| {
        let kind = if matches { "an example that matches" } else { "an example that must not match" };
        format!("{kind}: {name}")
    };
    let examples = rule.examples.iter().map(|example| Asked {
        name: name(&example.name, example.matches),
        event: example.event.clone(),
        source: Some(rule.source.clone()),
    });
    examples.collect()
}

fn events(path: &Path, source: Option<&str>) -> Result<Vec<Asked>> {
    let mut bytes = Vec::new();
    let mut input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("read {}", path.display()))?)
    };
    let read = input.by_ref().take(BYTES + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("read {}", path.display()))?;
    if bytes.len() as u64 > BYTES {
        bail!("{}: more than {} MiB of events; take those that you ask about", path.display(), BYTES >> 20);
    }
    let mut asked = Vec::new();
    for (number, event) in serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>().enumerate() {
        let event = event.with_context(|| format!("{}: event {}", path.display(), number + 1))?;
        let name = format!("{}, event {}", path.display(), number + 1);
        match event {
            Value::Array(events) => {
                for event in events {
                    asked.push(one(name.clone(), event, source)?);
                }
            }
            event => asked.push(one(name, event, source)?),
        }
    }
    Ok(asked)
}

/// An event as its source writes it, or within a line of labelled events.
fn one(name: String, mut event: Value, source: Option<&str>) -> Result<Asked> {
    let mut said = source.map(str::to_owned);
    if let (Some(Value::String(labelled)), Some(Value::Object(_))) = (event.get("source"), event.get("event")) {
        said = said.or_else(|| Some(labelled.clone()));
        event = event["event"].take();
    }
    let Some(said) = said else { return Ok(Asked { name, event, source: None }) };
    let Some(found) = sources::named(&said, &event) else {
        bail!("{}: no rules are about `{}`; there are {}", printable(&name), printable(&said), sources::known());
    };
    let [category, product, service] =
        [found.category, found.product, found.service].map(|word| word.map(str::to_owned));
    Ok(Asked { name, event, source: Some(RuleSource { category, product, service }) })
}

fn explain_all(engine: &Engine, one: &Asked, event: &JsonEvent<'_>, source: &LogSource<'_>, json: bool) -> Result<()> {
    let mut matches = Vec::new();
    engine.evaluate(event, &mut matches);
    matches.sort_by_key(|rule| std::cmp::Reverse(engine.rule(*rule).level));
    if json {
        let matches: Vec<_> = matches.iter().map(|rule| explained(engine, *rule, event, true)).collect();
        return say::json_line(&json!({"event": one.name, "source": sources::words(source), "matches": matches}));
    }
    let number = match matches.len() {
        0 => "no rule matches".to_owned(),
        1 => "1 rule matches".to_owned(),
        more => format!("{more} rules match"),
    };
    say::line(&format!("{} ({}): {number}", printable(&one.name), printable(&sources::words(source))))?;
    for rule in matches {
        say::line(&format!("\n{}", head(engine, rule)))?;
        say::line(&matching(&engine.explain_parts(rule, event)))?;
    }
    Ok(())
}

fn explain_rule(
    engine: &Engine,
    index: RuleIndex,
    one: &Asked,
    event: &JsonEvent<'_>,
    source: &LogSource<'_>,
    json: bool,
) -> Result<()> {
    let mut found = Vec::new();
    engine.evaluate(event, &mut found);
    let matched = found.contains(&index);
    if json {
        let mut told = explained(engine, index, event, matched);
        told["event"] = json!(one.name);
        told["source"] = json!(sources::words(source));
        return say::json_line(&told);
    }
    let rule = engine.rule(index);
    let word = if matched { say::level_word("matches", "high") } else { say::bold("does not match") };
    say::line(&format!("{}: {word}\n{}", printable(&one.name), head(engine, index)))?;
    if !rule.source.applies_to(source) {
        let (asks, is) = (source_words(engine, rule), sources::words(source));
        say::line(&format!("  the rule is about {}, the event is of {}", printable(&asks), printable(&is)))?;
    }
    let parts = engine.explain_parts(index, event);
    say::line(&format!("{}\n", if matched { matching(&parts) } else { parts_text(&parts) }))
}

fn head(engine: &Engine, rule: RuleIndex) -> String {
    let rule = engine.rule(rule);
    let place = printable(&format!("{} · {}:{}", rule.id, rule.file, rule.line));
    format!("{} {} · {place}", say::level(rule.level.name()), say::bold(&printable(&rule.title)))
}

fn explained(engine: &Engine, rule: RuleIndex, event: &JsonEvent<'_>, matches: bool) -> Value {
    let mut told = summary(engine.rule(rule));
    told["matches"] = json!(matches);
    told["parts"] = parts_json(&engine.explain_parts(rule, event));
    told
}

/// Of a rule that matches: the parts that hold with the fields that decided, and in a word those that do not.
fn matching(parts: &[Part]) -> String {
    let mut lines: Vec<_> = parts.iter().filter(|part| part.matches).flat_map(part_lines).collect();
    for (excludes, head) in [(false, "not needed"), (true, "filters, none of which holds")] {
        let names = parts.iter().filter(|part| !part.matches && part.excludes == excludes);
        let names: Vec<_> = names.map(|part| printable(&part.name)).collect();
        if !names.is_empty() {
            lines.push(format!("  {head}: {}", names.join(", ")));
        }
    }
    lines.join("\n")
}

/// Of any rule: of a part that holds the fields that decided, of one that does not what was not as asked.
pub(super) fn parts_text(parts: &[Part]) -> String {
    parts.iter().flat_map(part_lines).collect::<Vec<_>>().join("\n")
}

fn part_lines(part: &Part) -> Vec<String> {
    let role = match (part.matches, part.excludes) {
        (true, false) => "holds",
        (true, true) => "holds, and excludes the event",
        (false, true) => "does not hold, as it should not",
        (false, false) => "does not hold",
    };
    let field = |field: &str| if field.is_empty() { "any text".to_owned() } else { printable(field) };
    let mut lines = vec![printable(&format!("  {}: {role}", part.name))];
    lines.extend(part.fitting.iter().map(|one| format!("      {} = {}", field(&one.field), value(&one.value))));
    // A filter that does not hold decides nothing against the rule: what it lacks would only be noise.
    for one in part.unfitting.iter().filter(|_| !part.excludes) {
        let values: Vec<_> = one.values.iter().map(|one| value(one)).collect();
        lines.push(match (one.field.as_str(), values.is_empty()) {
            ("", _) => "      no text has what is asked".to_owned(),
            (_, true) => format!("      {} is not there", field(&one.field)),
            (_, false) => format!("      {} is not as asked: {}", field(&one.field), values.join(", ")),
        });
    }
    lines
}

/// The same for machines.
pub(super) fn parts_json(parts: &[Part]) -> Value {
    let part = |part: &Part| {
        let matched = part.fitting.iter().map(|one| json!({"field": one.field, "value": Raw(one.value.clone())}));
        let unmet = part.unfitting.iter().map(|one| {
            let values: Vec<_> = one.values.iter().cloned().map(Raw).collect();
            json!({"field": one.field, "values": values})
        });
        json!({
            "part": part.name,
            "holds": part.matches,
            "excludes": part.excludes,
            "matched": matched.collect::<Vec<_>>(),
            "unmet": unmet.collect::<Vec<_>>(),
        })
    };
    parts.iter().map(part).collect()
}

fn value(bytes: &[u8]) -> String {
    let text = Raw(bytes.get(..LETTERS * 8).unwrap_or(bytes).to_vec()).escape();
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}

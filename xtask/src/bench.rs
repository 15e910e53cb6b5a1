//! `cargo xtask bench`: measures the release build. Takes the lines of JSON that each crate's `benches/mayfly.rs` prints; gives
//! them on, or a table for a person. A goal that is not met is shown, and is no error: machines differ.

use std::fmt::Write;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::build;
use crate::ebpf;
use crate::place::Place;
use crate::setup::{self, Scope};
use crate::step::{Step, tail};

/// The name of the benchmark target in each crate that has one.
const TARGET: &str = "mayfly";

#[derive(Deserialize)]
struct Measure {
    name: String,
    value: Value,
    unit: String,
    goal: Value,
    met: Option<bool>,
}

/// How the result is shown.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Table,
    Json,
}

/// Builds all benchmarks and runs them, or only these: a crate's, by its folder, or a part of the one that has parts. Gives whether
/// all could run.
pub(crate) fn run(place: &Place, only: &[String], form: Form) -> Result<bool> {
    ebpf::build(place)?;
    setup::bring(place, Scope::Start)?;
    let step = Step::begin(&place.logs(), "build: release")?;
    // One command: another choice of packages would be another choice of features, and compile half of the dependencies again.
    let arguments = ["build", "--release", "--workspace", "--exclude", "fuzz", "--bins", "--bench", TARGET];
    let programs = build::programs(&step, &mut build::cargo(place, &arguments))?;
    let benches: Vec<_> = programs.iter().filter(|program| program.test && program.name == TARGET).collect();
    step.end(&format!("{} benchmarks", benches.len()));
    let told = build::surroundings(place, &programs)?;
    let folder =
        |bench: &build::Program| bench.folder.strip_prefix(&place.root).unwrap_or(&bench.folder).display().to_string();
    let packages: Vec<String> = benches.iter().map(|bench| folder(bench)).collect();
    let mut measures = Vec::new();
    let mut success = true;
    for bench in benches {
        let package = folder(bench);
        let Some(parts) = parts(&package, only, &packages) else { continue };
        let step = Step::begin(&place.logs(), &format!("bench: {package}"))?;
        let mut command = Command::new(&bench.path);
        command
            .arg("--bench")
            .args(parts)
            .current_dir(&bench.folder)
            .envs(told.iter().map(|(name, path)| (name, path)));
        let printed = step.try_run(&mut command)?;
        let found: Vec<&str> = printed.text.lines().filter(|line| line.starts_with('{')).collect();
        step.end(&format!("{} measures", found.len()));
        for line in printed.text.lines().filter(|line| line.starts_with("skipped: ")) {
            eprintln!("{line}");
        }
        if !printed.success {
            success = false;
            eprintln!("bench: {package} failed:\n{}", tail(&printed.text));
        }
        for line in found {
            let measure = read(line).with_context(|| format!("what the benchmark of {package} printed"))?;
            measures.push((line.to_owned(), measure));
        }
    }
    match form {
        Form::Json => measures.iter().for_each(|(line, _)| println!("{line}")),
        Form::Table => println!("{}", table(measures.iter().map(|(_, measure)| measure))),
    }
    Ok(success)
}

/// What the benchmark of a crate is asked for; nothing: it is not to run. What is no crate's folder is a part of the tests' benchmark.
fn parts<'a>(package: &str, only: &'a [String], packages: &[String]) -> Option<Vec<&'a String>> {
    if only.is_empty() || only.iter().any(|name| name == package) {
        return Some(Vec::new());
    }
    let parts: Vec<&String> = only.iter().filter(|name| !packages.contains(name)).collect();
    (package == "tests" && !parts.is_empty()).then_some(parts)
}

fn read(line: &str) -> Result<Measure> {
    serde_json::from_str(line).with_context(|| format!("read `{line}`"))
}

fn table<'a>(measures: impl Iterator<Item = &'a Measure>) -> String {
    let rows: Vec<[String; 5]> = std::iter::once(["what", "measured", "unit", "goal", "met"].map(str::to_owned))
        .chain(measures.map(|measure| {
            let met = measure.met.map_or("", |met| if met { "yes" } else { "NO" });
            [measure.name.clone(), show(&measure.value), measure.unit.clone(), show(&measure.goal), met.to_owned()]
        }))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut text = String::new();
    for [name, value, unit, goal, met] in &rows {
        let [one, two, three, four] = [widths[0], widths[1], widths[2], widths[3]];
        let line = format!("{name:one$}  {value:>two$}  {unit:three$}  {goal:>four$}  {met}");
        writeln!(text, "{}", line.trim_end()).expect("a string takes every line");
    }
    text
}

/// A number as a person reads it: grouped when large, two digits after the point when small.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.as_f64().map_or_else(|| other.to_string(), number),
    }
}

fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digit.is_ascii_digit() && (digits.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::{number, parts, read, table};

    #[test]
    fn only_what_was_asked_for_is_run() {
        let packages = ["agent", "tests"].map(str::to_owned);
        let only = ["agent", "added"].map(str::to_owned);
        assert_eq!(parts("agent", &[], &packages), Some(vec![]));
        assert_eq!(parts("agent", &only, &packages), Some(vec![]));
        assert_eq!(parts("agent", &only[1..], &packages), None);
        assert_eq!(parts("tests", &only, &packages), Some(vec![&only[1]]));
        assert_eq!(parts("tests", &only[..1], &packages), None);
    }

    #[test]
    fn a_table_says_what_was_measured_and_what_was_asked() {
        let lines = [
            r#"{"name":"agent: events","value":412345.6,"unit":"events/s","goal":300000,"met":true}"#,
            r#"{"name":"spawn","value":1.5,"unit":"ratio","goal":null,"met":null}"#,
        ];
        let measures: Vec<_> = lines.iter().map(|line| read(line).expect("a line of the agreed form")).collect();
        let expected = "what           measured  unit         goal  met\n\
                        agent: events   412 346  events/s  300 000  yes\n\
                        spawn              1.50  ratio           –\n";
        assert_eq!(table(measures.iter()), expected);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([number(0.5), number(1234.0), number(-123_456.0)], ["0.50", "1 234", "-123 456"]);
    }
}

//! Printing. Takes values; gives lines, tables and, on a terminal only, colours and a sign of life. A reader that closes the pipe early is no error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// Prints text and a line's end.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}") {
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Prints a value for machines.
pub(crate) fn json(value: &Value) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints a value for machines that read a line at a time.
pub(crate) fn json_line(value: &Value) -> Result<()> {
    line(&value.to_string())
}

/// A table with this head.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    if !io::stdout().is_terminal() {
        table.set_width(160);
    }
    table
}

/// Keeps a column as wide as what stands in it: what is copied shall not be broken.
pub(crate) fn whole_column(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// Whether there is somebody who sees colours and has not asked for none.
fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What stands out on a terminal.
pub(crate) fn bold(text: &str) -> String {
    if colours() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// A level of rules, in its colour.
pub(crate) fn level(name: &str) -> String {
    level_word(name, name)
}

/// A word in the colour of a level.
pub(crate) fn level_word(word: &str, level: &str) -> String {
    match shade(level) {
        Some((code, _)) if colours() => format!("\x1b[{code}m{word}\x1b[0m"),
        _ => word.to_owned(),
    }
}

/// The same as a cell of a table.
pub(crate) fn level_cell(level: &str) -> Cell {
    match shade(level) {
        Some((_, colour)) if colours() => Cell::new(level).fg(colour),
        _ => Cell::new(level),
    }
}

/// For a terminal and for a table.
fn shade(level: &str) -> Option<(u8, Color)> {
    match level {
        "critical" => Some((35, Color::DarkMagenta)),
        "high" => Some((31, Color::DarkRed)),
        "medium" => Some((33, Color::DarkYellow)),
        "informational" => Some((90, Color::DarkGrey)),
        _ => None,
    }
}

/// A paragraph, each line after `before` and not longer than people read.
pub(crate) fn wrapped(text: &str, before: &str) -> String {
    const LETTERS: usize = 100;
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::from(before);
        for word in paragraph.split_whitespace() {
            if line.len() > before.len() && line.chars().count() + 1 + word.chars().count() > LETTERS {
                lines.push(std::mem::replace(&mut line, before.to_owned()));
            }
            if line.len() > before.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Shows on a terminal how many of some things are done.
pub(crate) fn bar(things: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}").expect("the template is ours");
    ProgressBar::new(things as u64).with_style(style).with_message(what)
}

/// Shows on a terminal that something takes its time.
pub(crate) fn while_working<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    let done = work();
    bar.finish_and_clear();
    done
}

/// A text at a JSON pointer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A list at a JSON pointer.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A number at a JSON pointer.
pub(crate) fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

/// `true_positive` as people write it.
pub(crate) fn words(text: &str) -> String {
    text.replace('_', " ")
}

/// A moment in UTC with milliseconds.
pub(crate) fn moment(ns: u64) -> String {
    collector_core::model::Moment::exact(ns).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_broken_between_words() {
        let text = format!("{0} {0}\nlast", "a".repeat(60));
        assert_eq!(wrapped(&text, "  "), format!("  {0}\n  {0}\n  last", "a".repeat(60)));
        assert_eq!(wrapped("a  b", ""), "a b");
    }

    #[test]
    fn there_are_no_colours_where_nobody_sees_them() {
        if !io::stdout().is_terminal() {
            assert_eq!((bold("x"), level("high")), ("x".to_owned(), "high".to_owned()));
        }
    }
}

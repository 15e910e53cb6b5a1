//! Printing. Takes values; gives lines, tables and, on a terminal only, colours. A reader that closes the pipe early is no error.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
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

/// A table with this head.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    if !io::stdout().is_terminal() {
        table.set_width(160);
    }
    table
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

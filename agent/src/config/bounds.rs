//! How a value is held to its bounds, and where in its file a field stands. Takes a field's name and value, or the file's text; gives
//! what is wrong in words, or a line.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Bytes;

pub(super) fn within<T: PartialOrd + Copy + std::fmt::Display>(
    field: &'static str,
    value: T,
    bounds: RangeInclusive<T>,
) -> Result<(), (&'static str, String)> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err((field, format!("{value} is not between {} and {}", bounds.start(), bounds.end())))
}

pub(super) fn size(
    field: &'static str,
    value: Bytes,
    bounds: RangeInclusive<u64>,
) -> Result<(), (&'static str, String)> {
    within(field, value.0, bounds).map_err(|(field, what)| (field, format!("{what} bytes")))
}

pub(super) fn span(
    field: &'static str,
    value: Duration,
    bounds: RangeInclusive<Duration>,
) -> Result<(), (&'static str, String)> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err((field, format!("{value:?} is not between {:?} and {:?}", bounds.start(), bounds.end())))
}

pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// The line that sets `section.key`; 0 where none does.
pub(super) fn line_of(text: &str, field: &str) -> usize {
    let (section, key) = field.rsplit_once('.').unwrap_or(("", field));
    let mut here = "";
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(name) = line.strip_prefix('[') {
            here = name.split(']').next().unwrap_or_default().trim();
        } else if here == section && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return number;
        }
    }
    0
}

//! CSV: a line with the names of the columns, then one indicator a line. Takes text; gives indicators and errors by line.
//!
//! Columns are `type`, `value`, `source`, `why`, `expires`, `level` and `confidence`, in any order; the first two must be there.
//! A value may stand in double quotes, with `""` for one; it ends on its line. Empty lines and those that begin with `#`
//! are passed over.

use super::kinds;
use super::limits::{SOURCE_BYTES, TEXT_BYTES, WHY_BYTES};
use super::reading::{Place, Reading, Said};
use super::time;
use crate::error::allowed;
use crate::rule::Level;

const COLUMNS: [&str; 7] = ["type", "value", "source", "why", "expires", "level", "confidence"];

/// Where each of [`COLUMNS`] stands in a line.
type Order = [Option<usize>; COLUMNS.len()];

pub(super) fn read(text: &str, reading: &mut Reading) {
    let mut order = None;
    for (number, line) in text.lines().enumerate() {
        let place = Place { line: u32::try_from(number + 1).unwrap_or(u32::MAX), entry: "" };
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let values = match split(line) {
            Ok(values) => values,
            Err(why) => {
                reading.fault(place, "", why);
                if order.is_none() {
                    return;
                }
                continue;
            }
        };
        match &order {
            Some(order) => entry(place, order, &values, reading),
            None => match header(&values) {
                Ok(found) => order = Some(found),
                Err(why) => return reading.fault(place, "", why),
            },
        }
    }
    if order.is_none() {
        reading.fault(Place::default(), "", "is empty: neither columns nor JSON");
    }
}

fn header(names: &[String]) -> Result<Order, String> {
    let mut order = Order::default();
    for (position, name) in names.iter().enumerate() {
        let name = name.to_ascii_lowercase();
        let column = COLUMNS.iter().position(|column| *column == name);
        let column = column.and_then(|column| order.get_mut(column));
        let column = column.ok_or_else(|| format!("column `{name}` is not one of {}", allowed(COLUMNS)))?;
        if column.replace(position).is_some() {
            return Err(format!("column `{name}` stands there twice"));
        }
    }
    match order {
        [Some(_), Some(_), ..] => Ok(order),
        _ => Err(format!("the first line must name the columns, `type` and `value` of {}", allowed(COLUMNS))),
    }
}

fn entry(place: Place<'_>, order: &Order, values: &[String], reading: &mut Reading) {
    let columns = order.iter().flatten().count();
    if values.len() > columns {
        return reading.fault(place, "", format!("has {} values for {columns} columns", values.len()));
    }
    let text = order.map(|position| position.and_then(|position| values.get(position)).map_or("", String::as_str));
    let [word, value, source, why, expires, level, confidence] = text;
    let Some(kind) = kinds::named(word, value) else {
        return reading.fault(place, "type", format!("`{word}` is not one of {}", allowed(kinds::WORDS)));
    };
    let expires = match expires {
        "" => None,
        text => match time::parse(text) {
            Some(moment) => Some(moment),
            None => return reading.fault(place, "expires", "must be as 2026-12-31T10:00:00Z or 2026-12-31"),
        },
    };
    let level = match level {
        "" => Some(Level::Medium),
        word => Level::from_name(word),
    };
    let Some(level) = level else {
        return reading.fault(place, "level", format!("must be one of {}", allowed(Level::ALL.map(Level::name))));
    };
    let confidence = match confidence {
        "" => None,
        text => match text.parse().ok().filter(|number| *number <= 100) {
            Some(number) => Some(number),
            None => return reading.fault(place, "confidence", "must be a whole number from 0 to 100"),
        },
    };
    let source = if source.is_empty() { reading.own_source() } else { reading.word(source, SOURCE_BYTES) };
    let why = reading.word(why, WHY_BYTES);
    reading.value(place, "value", kind, &Said { source, why, expires, level, confidence });
}

/// The values of one line.
fn split(line: &str) -> Result<Vec<String>, String> {
    if line.len() > TEXT_BYTES {
        return Err(format!("is longer than {TEXT_BYTES} bytes"));
    }
    let mut values = Vec::with_capacity(COLUMNS.len());
    let mut rest = line;
    loop {
        if values.len() > COLUMNS.len() {
            return Err(format!("has more than {} values", COLUMNS.len()));
        }
        let (value, after) = if let Some(quoted) = rest.trim_start().strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            (value.trim().to_owned(), after)
        };
        values.push(value);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(values),
        }
    }
}

/// A value after its first quote, and what comes behind it.
fn unquote(mut rest: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quote does not end on its line")?;
        value.push_str(part);
        if let Some(more) = after.strip_prefix('"') {
            value.push('"');
            rest = more;
        } else {
            let after = after.trim_start();
            let is_end = after.is_empty() || after.starts_with(',');
            return if is_end { Ok((value, after)) } else { Err("text behind a quote".to_owned()) };
        }
    }
}

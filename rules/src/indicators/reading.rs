//! What all three readers give to: indicators and errors, of one file after the other. Takes a file's bytes; checks their
//! size, nesting and encoding before anything is parsed, and asks the reader of its form. Never ends at an entry that is broken.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::Error;
use super::limits::{ERRORS, FILE_BYTES, INDICATORS, NESTING, SOURCE_BYTES, WHY_BYTES};
use super::{Indicator, Kind, csv, json};
use crate::rule::Level;

/// Where in a file something stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) line: u32,
    pub(super) entry: &'a str,
}

/// What an entry says beside its value.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) source: Arc<str>,
    pub(super) why: Arc<str>,
    pub(super) expires: Option<i64>,
    pub(super) level: Level,
    pub(super) confidence: Option<u8>,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) indicators: Vec<Indicator>,
    pub(super) errors: Vec<Error>,
    /// A list of entries was there at all.
    pub(super) has_entries: bool,
    file: Arc<str>,
    // Of this file: errors told, and those that were only counted.
    told: usize,
    counted: usize,
    is_full: bool,
    // Sources and reasons repeat by the thousand: each is kept once.
    words: HashSet<Arc<str>>,
}

impl Reading {
    /// Reads one file.
    pub(super) fn file(&mut self, file: &str, bytes: &[u8]) {
        self.file = self.word(file, WHY_BYTES);
        (self.told, self.counted, self.has_entries) = (0, 0, false);
        if let Err((line, message)) = self.text(bytes) {
            self.fault(Place { line, entry: "" }, "", message);
        }
        if self.counted > 0 {
            let message = format!("{} more of its entries cannot be used", self.counted);
            self.errors.push(Error { file: file.to_owned(), message, ..Error::default() });
        }
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), (u32, String)> {
        if bytes.len() > FILE_BYTES {
            return Err((0, format!("has {} bytes; at most {FILE_BYTES} are allowed", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (line_at(good), "is not UTF-8".to_owned())
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.trim_start().starts_with(['{', '[']) {
            csv::read(text, self);
            return Ok(());
        }
        if let Some(line) = too_deep(text.as_bytes()) {
            return Err((line, format!("nests deeper than {NESTING}")));
        }
        json::read(text, self)
    }

    /// The name of the file: the source of what names none.
    pub(super) fn own_source(&mut self) -> Arc<str> {
        Arc::clone(&self.file)
    }

    /// Tells what is wrong.
    pub(super) fn fault(&mut self, place: Place<'_>, field: &str, message: impl Into<String>) {
        if self.told >= ERRORS {
            self.counted += 1;
            return;
        }
        self.told += 1;
        self.errors.push(Error {
            file: self.file.as_ref().to_owned(),
            line: place.line,
            entry: plain(place.entry, SOURCE_BYTES),
            field: field.to_owned(),
            message: message.into(),
        });
    }

    /// Keeps a value that was checked, or tells why it was refused.
    pub(super) fn value(&mut self, place: Place<'_>, field: &str, kind: Result<Kind, String>, said: &Said) {
        match kind {
            Err(why) => self.fault(place, field, why),
            Ok(_) if self.indicators.len() >= INDICATORS => {
                if !self.is_full {
                    let message = format!("from here on nothing is kept: at most {INDICATORS} indicators are allowed");
                    self.fault(place, field, message);
                }
                self.is_full = true;
            }
            Ok(kind) => {
                let Said { source, why, expires, level, confidence } = said.clone();
                let file = Arc::clone(&self.file);
                self.indicators.push(Indicator { kind, source, why, expires, level, confidence, file });
            }
        }
    }

    /// Words for people, kept once, at most so many bytes of them.
    pub(super) fn word(&mut self, text: &str, most: usize) -> Arc<str> {
        let text = plain(text, most);
        if let Some(known) = self.words.get(text.as_str()) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }
}

/// One line of visible words, cut where it is too long: what others wrote stands in logs and reports.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut plain = String::with_capacity(text.len().min(most));
    let is_gap = |letter: char| letter.is_whitespace() || letter.is_control();
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
        if plain.len() > most {
            let end = (0..=most).rev().find(|end| plain.is_char_boundary(*end)).unwrap_or(0);
            plain.truncate(end);
            plain.push('…');
            break;
        }
    }
    plain
}

/// The line, from 1, on which the text after these bytes stands.
pub(super) fn line_at(before: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', before).count() + 1).unwrap_or(u32::MAX)
}

/// The line on which brackets nest too deeply.
fn too_deep(text: &[u8]) -> Option<u32> {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (position, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                if depth > NESTING {
                    return Some(line_at(text.get(..position).unwrap_or_default()));
                }
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

//! What is wrong with a rule file, and where: one error type for reading, parsing and compiling.
//!
//! Takes nothing; gives [`LoadError`], which a person can act on without opening the engine. It never ends the loading
//! of other rules.

/// One rule, or one file, that could not be used. The others are loaded all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {key}: {message}")]
pub struct LoadError {
    /// The name the file was given under.
    pub file: String,
    /// The line (from 1) where the offending key or value starts; 0 when the whole file is meant.
    pub line: u32,
    /// The path of keys to the fault, as `detection.selection.CommandLine|contains`; `file` for the file as a whole.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A fault inside one document, before the file's name is known.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) line: u32,
    pub(crate) key: String,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(line: u32, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { line, key: key.into(), message: message.into() }
    }

    pub(crate) fn in_file(self, file: &str) -> LoadError {
        LoadError { file: file.to_owned(), line: self.line, key: shown(&self.key), message: shown(&self.message) }
    }
}

/// Text that may come from a rule, as it can be shown: without control characters, and not longer than people read.
fn shown(text: &str) -> String {
    const LONGEST: usize = 1000;
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() >= LONGEST {
            shown.push('…');
            break;
        }
        if character.is_control() && character != '\n' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A list of what is allowed, as it stands in messages.
pub(crate) fn allowed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

//! What is wrong with an indicator file, and where.
//!
//! Takes nothing; gives [`Error`], which a person can act on. It never ends the reading of other entries.

use std::fmt;

/// One entry, or one file, that could not be used. The others are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Error {
    /// The name the file was given under.
    pub file: String,
    /// The line, from 1; 0 where it is not known.
    pub line: u32,
    /// The object, by its id or its place; empty where the line says it, or the whole file is meant.
    pub entry: String,
    /// The field of the entry; empty where the whole entry is meant.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        for part in [&self.entry, &self.field].into_iter().filter(|part| !part.is_empty()) {
            write!(formatter, ": {part}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}

impl std::error::Error for Error {}

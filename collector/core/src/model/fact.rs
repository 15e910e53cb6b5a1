//! One fact of an event, by its name: for tables, lines and JSON, where all events of a noun are shown alike. Takes values; never decides
//! anything.

use std::fmt;

use super::event::Raw;

/// A value of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// A number.
    Number(u64),
    /// A number that may be negative.
    Signed(i64),
    /// Set or not.
    Flag(bool),
    /// A word of ours.
    Word(&'a str),
    /// Bytes that an attacker may have chosen.
    Text(&'a Raw),
}

impl fmt::Display for Fact<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Signed(number) => write!(formatter, "{number}"),
            Self::Flag(flag) => write!(formatter, "{flag}"),
            Self::Word(word) => formatter.write_str(word),
            Self::Text(text) => write!(formatter, "{text}"),
        }
    }
}

/// A fact and its name.
pub type Named<'a> = (&'static str, Fact<'a>);

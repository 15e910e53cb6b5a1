//! Regular expressions: built within bounds, with the literals that they cannot match without, and how far they look.
//!
//! Takes the text of an expression and its flags; gives an [`Expression`]. The engine that matches it never goes back, so
//! that time grows with the length of the text; how much it may grow is bounded by looking less far with a larger one.
//! Most are never asked, because a literal is missing: so each is tried when it is loaded, and kept from its first use on.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::modifiers::RegexFlags;
use crate::evaluate::text::head;
use crate::limits;

/// One regular expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: Box<str>,
    flags: RegexFlags,
    /// Empty until it is asked for the first time.
    regex: OnceLock<Regex>,
    /// In lower case: at least one of them stands in every text that fits; none when that cannot be said.
    pub(crate) required: Vec<Vec<u8>>,
    /// The least of the sizes that are tried in which it could be built.
    pub(crate) bytes: usize,
}

impl Expression {
    pub(super) fn new(expression: &str, flags: RegexFlags) -> Result<Self, String> {
        let mut bytes = limits::REGEX_BYTES / 64;
        loop {
            match build(expression, flags, bytes) {
                Ok(_) => break,
                Err(regex::Error::CompiledTooBig(_)) if bytes < limits::REGEX_BYTES => bytes *= 4,
                Err(error) => return Err(format!("not a regular expression that is allowed: {error}")),
            }
        }
        // Letters that fold are classes, not literals, so that case needs no further thought.
        let required = ParserBuilder::new()
            .utf8(false)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .build()
            .parse(expression)
            .ok()
            .and_then(|parsed| required(&parsed))
            .unwrap_or_default();
        Ok(Self { text: expression.into(), flags, regex: OnceLock::new(), required, bytes })
    }

    /// Whether it fits somewhere in the part of the text that it looks at.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let regex = self.regex.get_or_init(|| {
            build(&self.text, self.flags, self.bytes).expect("it was built in these bytes when it was loaded")
        });
        regex.is_match(head(text, limits::REGEX_STEPS / self.bytes))
    }
}

fn build(expression: &str, flags: RegexFlags, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(expression)
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .size_limit(bytes)
        .dfa_size_limit(limits::REGEX_CACHE_BYTES)
        .build()
}

/// Literals of which one must stand in every text that fits.
fn required(expression: &Hir) -> Option<Vec<Vec<u8>>> {
    match expression.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(parts) => {
            parts.iter().filter_map(required).max_by_key(|set| set.iter().map(Vec::len).min().unwrap_or_default())
        }
        HirKind::Alternation(branches) => {
            let sets: Option<Vec<_>> = branches.iter().map(required).collect();
            sets.map(|sets| sets.concat())
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

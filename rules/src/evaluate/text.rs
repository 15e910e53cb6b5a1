//! Text against patterns with `*` and `?`, over bytes, without allocation.
//!
//! Takes a compiled [`TextPattern`] and bytes; gives whether they fit. ASCII case is folded unless the pattern is
//! cased; patterns with other letters are compiled to regular expressions elsewhere. It never assumes UTF-8: `?`
//! stands for one well-formed character or one stray byte.

use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::{memchr2_iter, memmem};

use crate::limits;

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Atom {
    /// These bytes; in lower case where the pattern folds case.
    Bytes(Vec<u8>),
    /// Any one character.
    One,
    /// Anything, nothing included.
    Any,
    /// A dash that starts an option, or what Windows takes for one.
    Dash,
}

/// A pattern over the whole of a text.
#[derive(Debug, Clone)]
pub(crate) struct TextPattern {
    cased: bool,
    shape: Shape,
}

/// Nearly all patterns are one literal; those skip the general matcher.
#[derive(Debug, Clone)]
enum Shape {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Contains(Literal),
    Glob(Box<[Segment]>),
}

/// What stands between two stars, with the literal that it begins with, if it does.
#[derive(Debug, Clone)]
struct Segment {
    atoms: Box<[Atom]>,
    first: Option<Literal>,
}

/// Bytes that are looked for.
#[derive(Debug, Clone)]
struct Literal {
    bytes: Box<[u8]>,
    /// The position of the byte that texts have least often: places are looked for by it.
    rare: usize,
    /// For long ones: comparing at each place of a text would cost the product of both lengths.
    automaton: Option<AhoCorasick>,
}

impl TextPattern {
    /// Compiles atoms. With `cased` false, `Bytes` must be ASCII in lower case.
    pub(crate) fn new(mut atoms: Vec<Atom>, cased: bool) -> Self {
        atoms.dedup_by(|next, previous| *next == Atom::Any && *previous == Atom::Any);
        let shape = match atoms.as_mut_slice() {
            [] => Shape::Exact(Box::default()),
            [Atom::Bytes(bytes)] => Shape::Exact(std::mem::take(bytes).into()),
            [Atom::Bytes(bytes), Atom::Any] => Shape::Prefix(std::mem::take(bytes).into()),
            [Atom::Any, Atom::Bytes(bytes)] => Shape::Suffix(std::mem::take(bytes).into()),
            [Atom::Any, Atom::Bytes(bytes), Atom::Any] => Shape::Contains(Literal::new(std::mem::take(bytes), cased)),
            _ => Shape::Glob(atoms.split(|atom| *atom == Atom::Any).map(|atoms| Segment::new(atoms, cased)).collect()),
        };
        Self { cased, shape }
    }

    /// Whether the whole text fits.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match &self.shape {
            Shape::Exact(bytes) => text.len() == bytes.len() && self.starts(text, bytes),
            Shape::Prefix(bytes) => self.starts(text, bytes),
            Shape::Suffix(bytes) => {
                text.len().checked_sub(bytes.len()).is_some_and(|start| self.starts(&text[start..], bytes))
            }
            Shape::Contains(literal) => self.find(text, literal).is_some(),
            Shape::Glob(segments) => self.glob(text, segments),
        }
    }

    /// The longest literal without which no text fits, in lower case.
    pub(crate) fn literal(&self) -> Option<Vec<u8>> {
        let bytes = match &self.shape {
            Shape::Exact(bytes) | Shape::Prefix(bytes) | Shape::Suffix(bytes) => &bytes[..],
            Shape::Contains(literal) => &literal.bytes[..],
            Shape::Glob(segments) => (segments.iter().flat_map(|segment| &segment.atoms))
                .filter_map(|atom| if let Atom::Bytes(bytes) = atom { Some(&bytes[..]) } else { None })
                .max_by_key(|bytes| bytes.len())?,
        };
        Some(bytes.to_ascii_lowercase()).filter(|bytes| !bytes.is_empty())
    }

    /// About how many bytes it takes beside its own.
    pub(crate) fn bytes(&self) -> usize {
        match &self.shape {
            Shape::Exact(bytes) | Shape::Prefix(bytes) | Shape::Suffix(bytes) => bytes.len(),
            Shape::Contains(literal) => literal.size(),
            Shape::Glob(segments) => segments.iter().map(Segment::size).sum(),
        }
    }

    fn starts(&self, text: &[u8], bytes: &[u8]) -> bool {
        let Some(head) = text.get(..bytes.len()) else { return false };
        if self.cased { head == bytes } else { head.eq_ignore_ascii_case(bytes) }
    }

    fn find(&self, text: &[u8], literal: &Literal) -> Option<usize> {
        let (text, bytes) = (head(text, limits::TEXT_BYTES), &literal.bytes);
        if let Some(automaton) = &literal.automaton {
            return automaton.find(text).map(|found| found.start());
        }
        if self.cased {
            return memmem::find(text, bytes);
        }
        let Some(&rare) = bytes.get(literal.rare) else { return Some(0) };
        let last = text.len().checked_sub(bytes.len())?;
        memchr2_iter(rare, rare.to_ascii_uppercase(), &text[literal.rare..=last + literal.rare])
            .find(|&start| self.starts(&text[start..], bytes))
    }

    /// Segments between stars, each at its leftmost place: a later place never fits where the leftmost does not.
    fn glob(&self, text: &[u8], segments: &[Segment]) -> bool {
        let Some((first, rest)) = segments.split_first() else { return text.is_empty() };
        let Some(mut at) = self.segment(text, 0, &first.atoms) else { return false };
        let Some((last, middle)) = rest.split_last() else { return at == text.len() };
        for segment in middle {
            let Some(end) = self.leftmost(text, at, segment) else { return false };
            at = end;
        }
        let shortest: usize = last.atoms.iter().map(Atom::shortest).sum();
        let longest: usize = last.atoms.iter().map(Atom::longest).sum();
        let Some(latest) = text.len().checked_sub(shortest) else { return false };
        let earliest = at.max(text.len().saturating_sub(longest));
        (earliest..=latest).any(|start| self.segment(text, start, &last.atoms) == Some(text.len()))
    }

    /// Where the segment's first occurrence from `start` on ends.
    fn leftmost(&self, text: &[u8], mut start: usize, segment: &Segment) -> Option<usize> {
        loop {
            if let Some(literal) = &segment.first {
                start += self.find(text.get(start..)?, literal)?;
            }
            if let Some(end) = self.segment(text, start, &segment.atoms) {
                return Some(end);
            }
            start += 1;
            if start > text.len().min(limits::TEXT_BYTES) {
                return None;
            }
        }
    }

    /// Where the segment ends when it starts at `at`.
    fn segment(&self, text: &[u8], mut at: usize, segment: &[Atom]) -> Option<usize> {
        for atom in segment {
            let rest = text.get(at..)?;
            at += match atom {
                Atom::Bytes(bytes) => self.starts(rest, bytes).then_some(bytes.len())?,
                Atom::One => character(rest)?,
                Atom::Dash => dash(rest)?,
                Atom::Any => 0,
            };
        }
        Some(at)
    }
}

impl Literal {
    fn new(bytes: Vec<u8>, cased: bool) -> Self {
        // Where case counts, the search is linear by itself.
        let long = !cased && bytes.len() > limits::COMPARED_BYTES;
        let mut builder = AhoCorasick::builder();
        let builder = builder.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::ContiguousNFA));
        let automaton = if long { builder.build([&bytes]).ok() } else { None };
        let rare = (0..bytes.len()).min_by_key(|at| commonness(bytes[*at])).unwrap_or_default();
        Self { bytes: bytes.into(), rare, automaton }
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.automaton.as_ref().map_or(0, AhoCorasick::memory_usage)
    }
}

/// How often command lines and paths have a byte, about.
fn commonness(byte: u8) -> u8 {
    const COMMON: &[u8] = b" /etasinor-.lcdpumhbfgy_kvw0123=:\"',";
    let rank = COMMON.iter().position(|common| *common == byte.to_ascii_lowercase());
    rank.map_or(0, |rank| u8::try_from(COMMON.len() - rank).unwrap_or(u8::MAX))
}

impl Segment {
    fn new(atoms: &[Atom], cased: bool) -> Self {
        let first = match atoms.first() {
            Some(Atom::Bytes(bytes)) => Some(Literal::new(bytes.clone(), cased)),
            _ => None,
        };
        Self { atoms: atoms.into(), first }
    }

    fn size(&self) -> usize {
        let atom = |atom: &Atom| size_of::<Atom>() + if let Atom::Bytes(bytes) = atom { bytes.len() } else { 0 };
        self.atoms.iter().map(atom).sum::<usize>() + self.first.as_ref().map_or(0, Literal::size)
    }
}

impl Atom {
    fn shortest(&self) -> usize {
        match self {
            Atom::Bytes(bytes) => bytes.len(),
            Atom::One | Atom::Dash => 1,
            Atom::Any => 0,
        }
    }

    fn longest(&self) -> usize {
        match self {
            Atom::Bytes(bytes) => bytes.len(),
            Atom::One => 4,
            Atom::Dash => 3,
            Atom::Any => 0,
        }
    }
}

/// The beginning of a text, where it is longer than what is looked at.
pub(crate) fn head(text: &[u8], bytes: usize) -> &[u8] {
    text.get(..bytes).unwrap_or(text)
}

/// The length of the first character, or 1 for a byte that starts none.
fn character(text: &[u8]) -> Option<usize> {
    let length = match *text.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let whole = text.get(..length).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
    Some(if whole { length } else { 1 })
}

fn dash(text: &[u8]) -> Option<usize> {
    const DASHES: [&[u8]; 5] = [b"-", b"/", "–".as_bytes(), "—".as_bytes(), "―".as_bytes()];
    DASHES.iter().find(|dash| text.starts_with(dash)).map(|dash| dash.len())
}

/// A number or an address written out on the stack: text patterns compare with them too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    bytes: [u8; Self::LENGTH],
    length: usize,
}

impl Digits {
    /// The longest: an IPv6 address has 45, a float in scientific form 24. A float written out in full may be longer;
    /// it then compares with no text.
    const LENGTH: usize = 64;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self { bytes: [0; Self::LENGTH], length: 0 }
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

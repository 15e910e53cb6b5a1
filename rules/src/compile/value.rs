//! Values of an item to patterns: escapes, wildcards, encodings, expressions, ranges.
//!
//! Takes a scalar and the modifiers; gives one or more [`Pattern`]s. Case is folded here, once. It never sees an event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;

use super::expression::Expression;
use super::modifiers::{Encoding, Kind, Modifiers, Order, Place, RegexFlags, TimePart};
use crate::evaluate::text::{Atom, TextPattern};
use crate::fields::Field;
use crate::limits;
use crate::syntax::yaml::{Scalar, Typed};

/// One value of one item, ready to be compared.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(TextPattern),
    Regex(Box<Expression>),
    Cidr(IpNet),
    Compare(Order, f64),
    Time(TimePart, i64),
    FieldRef { field: Field, place: Place, cased: bool },
}

impl Pattern {
    /// About how many bytes it takes, expressions aside.
    pub(crate) fn bytes(&self) -> usize {
        let own = match self {
            Pattern::Text(text) => text.bytes(),
            Pattern::FieldRef { field, .. } => field.name().len(),
            _ => 0,
        };
        size_of::<Self>() + own
    }
}

/// The patterns that a value stands for.
pub(crate) fn patterns(value: &Scalar, modifiers: &Modifiers) -> Result<Vec<Pattern>, String> {
    if value.raw.len() > limits::PATTERN_BYTES {
        return Err(format!("a value is longer than {} bytes", limits::PATTERN_BYTES));
    }
    let typed = value.typed();
    let pattern = match modifiers.kind {
        Kind::Plain => return plain(value, modifiers),
        Kind::Regex(flags) => Pattern::Regex(Box::new(Expression::new(&value.raw, flags)?)),
        Kind::Cidr => Pattern::Cidr(cidr(&value.raw)?),
        Kind::FieldRef => {
            Pattern::FieldRef { field: Field::new(&value.raw), place: modifiers.place, cased: modifiers.cased }
        }
        Kind::Compare(order) => Pattern::Compare(order, float(typed)?),
        Kind::Time(part) => match typed {
            Typed::Int(number) => Pattern::Time(part, number),
            _ => return Err("a time part compares with a whole number".into()),
        },
        Kind::Exists => return Err("`exists` takes true or false".into()),
    };
    Ok(vec![pattern])
}

fn float(typed: Typed<'_>) -> Result<f64, String> {
    match typed {
        Typed::Int(number) => Ok(number as f64),
        Typed::Float(number) => Ok(number),
        Typed::Text(text) => text.parse().map_err(|_| "a comparison takes a number".to_owned()),
        Typed::Null | Typed::Bool(_) => Err("a comparison takes a number".into()),
    }
}

fn plain(value: &Scalar, modifiers: &Modifiers) -> Result<Vec<Pattern>, String> {
    let as_text = modifiers.place != Place::Whole || modifiers.windash || !modifiers.encodings.is_empty();
    Ok(match value.typed() {
        Typed::Null if as_text => return Err("nothing to look for: a value is missing".into()),
        Typed::Null => vec![Pattern::Null],
        Typed::Bool(value) if !as_text => vec![Pattern::Bool(value)],
        Typed::Int(value) if !as_text => vec![Pattern::Int(value)],
        Typed::Float(value) if !as_text => vec![Pattern::Float(value)],
        _ => texts(&value.raw, modifiers)?,
    })
}

fn texts(raw: &str, modifiers: &Modifiers) -> Result<Vec<Pattern>, String> {
    let mut atoms = atoms(raw);
    if modifiers.windash {
        atoms = dashes(atoms);
    }
    let variants = if modifiers.encodings.is_empty() { vec![atoms] } else { encoded(&atoms, &modifiers.encodings)? };
    variants.into_iter().map(|atoms| text(placed(atoms, modifiers.place), modifiers.cased)).collect()
}

/// Sigma's escapes: a backslash takes the meaning from `*`, `?` and a backslash, and is itself before anything else.
fn atoms(raw: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut literal = String::new();
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => literal.push(characters.next_if(|next| matches!(next, '*' | '?' | '\\')).unwrap_or('\\')),
            '*' | '?' => {
                flush(&mut atoms, &mut literal);
                atoms.push(if character == '*' { Atom::Any } else { Atom::One });
            }
            _ => literal.push(character),
        }
    }
    flush(&mut atoms, &mut literal);
    atoms
}

fn flush(atoms: &mut Vec<Atom>, literal: &mut String) {
    if !literal.is_empty() {
        atoms.push(Atom::Bytes(std::mem::take(literal).into_bytes()));
    }
}

/// Replaces each dash or slash that starts an option.
fn dashes(atoms: Vec<Atom>) -> Vec<Atom> {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut result = Vec::new();
    for atom in atoms {
        let Atom::Bytes(bytes) = atom else {
            result.push(atom);
            continue;
        };
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            if matches!(byte, b'-' | b'/') && !word(before) && word(bytes.get(at + 1)) {
                if start < at {
                    result.push(Atom::Bytes(bytes[start..at].to_vec()));
                }
                result.push(Atom::Dash);
                start = at + 1;
            }
        }
        if start < bytes.len() {
            result.push(Atom::Bytes(bytes[start..].to_vec()));
        }
    }
    result
}

/// The literal under the encodings; `base64offset` gives one variant for each of three alignments.
fn encoded(atoms: &[Atom], encodings: &[Encoding]) -> Result<Vec<Vec<Atom>>, String> {
    let literal = match atoms {
        [Atom::Bytes(bytes)] => bytes.clone(),
        _ => return Err("an encoded value is text without wildcards: write them as `\\*` and `\\?`".into()),
    };
    let mut variants = vec![literal];
    for encoding in encodings {
        let mut next = Vec::new();
        for bytes in variants {
            match encoding {
                Encoding::Base64 => next.push(STANDARD.encode(&bytes).into_bytes()),
                Encoding::Base64Offset => next.extend((0..3).map(|offset| base64_offset(&bytes, offset))),
                _ => next.push(utf16(&bytes, *encoding)?),
            }
        }
        variants = next;
    }
    Ok(variants.into_iter().map(|bytes| vec![Atom::Bytes(bytes)]).collect())
}

/// The characters of the base64 form that do not depend on what stands around the value.
fn base64_offset(bytes: &[u8], offset: usize) -> Vec<u8> {
    let mut padded = vec![b' '; offset];
    padded.extend_from_slice(bytes);
    let encoded = STANDARD.encode(&padded).into_bytes();
    let start = [0, 2, 3][offset % 3];
    let end = encoded.len() - [0, 3, 2][padded.len() % 3];
    encoded.get(start..end).unwrap_or_default().to_vec()
}

fn utf16(bytes: &[u8], encoding: Encoding) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "utf16 must stand before base64".to_owned())?;
    let mark = (encoding == Encoding::Utf16).then_some(0xFEFF_u16);
    let units = mark.into_iter().chain(text.encode_utf16());
    Ok(if encoding == Encoding::Utf16Be {
        units.flat_map(u16::to_be_bytes).collect()
    } else {
        units.flat_map(u16::to_le_bytes).collect()
    })
}

fn placed(mut atoms: Vec<Atom>, place: Place) -> Vec<Atom> {
    if matches!(place, Place::Anywhere | Place::End) {
        atoms.insert(0, Atom::Any);
    }
    if matches!(place, Place::Anywhere | Place::Start) {
        atoms.push(Atom::Any);
    }
    atoms
}

fn text(mut atoms: Vec<Atom>, cased: bool) -> Result<Pattern, String> {
    let ascii = atoms.iter().all(|atom| if let Atom::Bytes(bytes) = atom { bytes.is_ascii() } else { true });
    if cased {
        return Ok(Pattern::Text(TextPattern::new(atoms, true)));
    }
    if !ascii {
        return folded(&atoms);
    }
    for atom in &mut atoms {
        if let Atom::Bytes(bytes) = atom {
            bytes.make_ascii_lowercase();
        }
    }
    Ok(Pattern::Text(TextPattern::new(atoms, false)))
}

/// Letters outside ASCII fold by Unicode's rules, which the regular expression engine knows.
fn folded(atoms: &[Atom]) -> Result<Pattern, String> {
    let mut expression = String::from(r"\A");
    for atom in atoms {
        match atom {
            Atom::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => expression.push_str(&regex::escape(text)),
                Err(_) => return Ok(Pattern::Text(TextPattern::new(atoms.to_vec(), true))),
            },
            Atom::One => expression.push_str("(?:(?s:.)|(?-u:[\\x80-\\xFF]))"),
            Atom::Any => expression.push_str("(?s-u:.*)"),
            Atom::Dash => expression.push_str("[-/–—―]"),
        }
    }
    expression.push_str(r"\z");
    let flags = RegexFlags { ignore_case: true, ..RegexFlags::default() };
    Ok(Pattern::Regex(Box::new(Expression::new(&expression, flags)?)))
}

fn cidr(raw: &str) -> Result<IpNet, String> {
    raw.parse::<IpNet>()
        .or_else(|_| raw.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{}` is not a network: allowed are `10.0.0.0/8`, `fd00::/8`", raw.escape_default()))
}

//! The modifiers after a field's name: `CommandLine|contains|all`.
//!
//! Takes the key of an item; gives the field's name and [`Modifiers`], one meaning for each combination that has one.
//! A modifier that is not known, or that does not go with the others, is an error that says what is allowed.

use crate::error::allowed;

/// What the modifiers of one item ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one word that a rule may say, independent of the others")]
pub(crate) struct Modifiers {
    pub(crate) kind: Kind,
    /// Every value must match, not one of them.
    pub(crate) all: bool,
    pub(crate) cased: bool,
    pub(crate) negated: bool,
    pub(crate) windash: bool,
    /// Values hold placeholders.
    pub(crate) expand: bool,
    pub(crate) place: Place,
    /// In the order written: `wide` before `base64`.
    pub(crate) encodings: Vec<Encoding>,
}

/// How values are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Plain,
    Regex(RegexFlags),
    Cidr,
    Exists,
    FieldRef,
    Compare(Order),
    Time(TimePart),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RegexFlags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

/// Where in the text a value must stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Whole,
    Anywhere,
    Start,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf16Le,
    Utf16Be,
    /// With a byte order mark, little endian.
    Utf16,
    Base64,
    Base64Offset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const KNOWN: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "all",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "exists",
    "fieldref",
    "cased",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "base64",
    "base64offset",
    "wide",
    "utf16",
    "utf16le",
    "utf16be",
    "windash",
    "expand",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

/// Splits a key into the field's name and its modifiers.
pub(crate) fn parse(key: &str) -> Result<(&str, Modifiers), String> {
    let mut words = key.split('|');
    let field = words.next().unwrap_or_default();
    let mut modifiers = Modifiers::default();
    for word in words {
        modifiers.add(word)?;
    }
    modifiers.check()?;
    Ok((field, modifiers))
}

impl Modifiers {
    fn add(&mut self, word: &str) -> Result<(), String> {
        match word {
            "all" => self.all = true,
            "cased" => self.cased = true,
            "neq" => self.negated = true,
            "windash" => self.windash = true,
            "contains" => self.place(Place::Anywhere)?,
            "startswith" => self.place(Place::Start)?,
            "endswith" => self.place(Place::End)?,
            "re" => self.kind(Kind::Regex(RegexFlags::default()))?,
            "i" | "m" | "s" => self.flag(word)?,
            "expand" => self.expand = true,
            _ => match (encoding(word), kind(word)) {
                (Some(encoding), _) => self.encode(encoding)?,
                (None, Some(kind)) => self.kind(kind)?,
                (None, None) => {
                    let known = allowed(KNOWN.iter().copied());
                    return Err(format!("modifier `{}` is not known; allowed are {known}", word.escape_default()));
                }
            },
        }
        Ok(())
    }

    fn place(&mut self, place: Place) -> Result<(), String> {
        if self.place != Place::Whole {
            return Err("only one of contains, startswith, endswith is allowed".into());
        }
        self.place = place;
        Ok(())
    }

    fn kind(&mut self, kind: Kind) -> Result<(), String> {
        if self.kind != Kind::Plain {
            return Err("only one of re, cidr, exists, fieldref, a comparison or a time part is allowed".into());
        }
        self.kind = kind;
        Ok(())
    }

    fn flag(&mut self, word: &str) -> Result<(), String> {
        let Kind::Regex(flags) = &mut self.kind else {
            return Err(format!("`{word}` is allowed after `re` only"));
        };
        match word {
            "i" => flags.ignore_case = true,
            "m" => flags.multi_line = true,
            _ => flags.dot_all = true,
        }
        Ok(())
    }

    fn encode(&mut self, encoding: Encoding) -> Result<(), String> {
        if self.place != Place::Whole {
            return Err("an encoding is allowed before contains, startswith and endswith only".into());
        }
        self.encodings.push(encoding);
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let texts = self.kind == Kind::Plain;
        if !texts && (self.windash || !self.encodings.is_empty()) {
            return Err("windash and encodings are allowed for plain text only".into());
        }
        if !texts && self.kind != Kind::FieldRef && (self.place != Place::Whole || self.cased) {
            return Err("contains, startswith, endswith and cased are allowed for plain text and fieldref only".into());
        }
        if self.encodings.len() > 2 {
            return Err("at most two encodings are allowed, as `wide|base64offset`".into());
        }
        Ok(())
    }
}

fn encoding(word: &str) -> Option<Encoding> {
    Some(match word {
        "wide" | "utf16le" => Encoding::Utf16Le,
        "utf16be" => Encoding::Utf16Be,
        "utf16" => Encoding::Utf16,
        "base64" => Encoding::Base64,
        "base64offset" => Encoding::Base64Offset,
        _ => return None,
    })
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "cidr" => Kind::Cidr,
        "exists" => Kind::Exists,
        "fieldref" => Kind::FieldRef,
        "lt" => Kind::Compare(Order::Less),
        "lte" => Kind::Compare(Order::LessOrEqual),
        "gt" => Kind::Compare(Order::Greater),
        "gte" => Kind::Compare(Order::GreaterOrEqual),
        "minute" => Kind::Time(TimePart::Minute),
        "hour" => Kind::Time(TimePart::Hour),
        "day" => Kind::Time(TimePart::Day),
        "week" => Kind::Time(TimePart::Week),
        "month" => Kind::Time(TimePart::Month),
        "year" => Kind::Time(TimePart::Year),
        _ => return None,
    })
}

//! Lists of values for the placeholders of rules with `expand`: what `%Servers%` stands for here.
//!
//! Takes names with values, from whoever loads rules or from documents with a `placeholders` map; gives the texts that a
//! value with placeholders becomes. It never invents a value: a rule whose placeholder has none is refused.

use std::collections::BTreeMap;

use crate::limits;

/// Values by the name of their placeholder, without percent signs.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    lists: BTreeMap<String, Vec<String>>,
}

impl Placeholders {
    /// No lists: each rule with `expand` is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds values for a placeholder, after those that it has. A value may hold wildcards, as one in a rule may.
    pub fn add(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = String>) {
        self.lists.entry(name.into()).or_default().extend(values);
    }

    /// Every text that a value stands for, when each of its placeholders is one of its values.
    pub(crate) fn expand(&self, raw: &str) -> Result<Vec<String>, String> {
        let mut texts = vec![String::new()];
        let mut rest = raw;
        while let Some((before, name, after)) = next(rest) {
            let Some(values) = self.lists.get(name).filter(|values| !values.is_empty()) else {
                return Err(format!("`expand` needs a list of values for `%{name}%`, and none is given"));
            };
            if texts.len().saturating_mul(values.len()) > limits::PATTERNS {
                return Err(format!("`expand` gives more than {} values", limits::PATTERNS));
            }
            let before = literal(before);
            let longer =
                |text: &String| values.iter().map(|value| format!("{text}{before}{value}")).collect::<Vec<_>>();
            texts = texts.iter().flat_map(longer).collect();
            if texts.iter().map(String::len).sum::<usize>() > limits::FILE_BYTES {
                return Err(format!("`expand` gives more than {} bytes of values", limits::FILE_BYTES));
            }
            rest = after;
        }
        let rest = literal(rest);
        Ok(texts.into_iter().map(|text| text + &rest).collect())
    }
}

/// What stands before the first placeholder, its name, and what stands behind it. `\%` is a plain percent sign.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut open = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, open) {
            (b'%', _) if escaped => {}
            (b'%', Some(start)) if at > start + 1 => {
                return Some((text.get(..start)?, text.get(start + 1..at)?, text.get(at + 1..)?));
            }
            (b'%', _) => open = Some(at),
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    None
}

fn literal(text: &str) -> String {
    text.replace("\\%", "%")
}

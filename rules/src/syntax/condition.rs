//! The condition grammar: `sel and not 1 of filter_*`.
//!
//! Takes the text of a condition and the names of the detection's parts; gives a tree over their positions.
//! Precedence is `not`, `and`, `or`. It never accepts a name that does not exist.

use crate::error::allowed;
use crate::limits;

/// A condition over the parts of a detection, by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Part(usize),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

const GRAMMAR: &str = "allowed are names, `and`, `or`, `not`, brackets, and `1 of`, `any of` or `all of` before `them` \
                       or a name with `*`";

/// Parses one condition; an error says what is wrong with it.
pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Condition, String> {
    if text.len() > limits::CONDITION_BYTES {
        return Err(format!("longer than {} bytes", limits::CONDITION_BYTES));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, names, depth: 0, parts: 0 };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) => Err(format!("did not expect `{token}` here; {GRAMMAR}")),
    }
}

impl Condition {
    /// The same condition over parts that stand `by` places further on.
    pub(crate) fn moved(self, by: usize) -> Self {
        let all = |many: Vec<Self>| many.into_iter().map(|one| one.moved(by)).collect();
        match self {
            Condition::Part(part) => Condition::Part(part + by),
            Condition::All(many) => Condition::All(all(many)),
            Condition::Any(many) => Condition::Any(all(many)),
            Condition::Not(inner) => Condition::Not(Box::new(inner.moved(by))),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<&str>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            _ if word(first) => rest.find(|other| !word(other)).unwrap_or(rest.len()),
            '|' => return Err("aggregations after `|` are not supported: they were replaced by correlations".into()),
            _ => return Err(format!("did not expect `{}` here; {GRAMMAR}", first.escape_default())),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn word(character: char) -> bool {
    character.is_alphanumeric() || "_-*.".contains(character)
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    next: usize,
    names: &'a [&'a str],
    depth: usize,
    /// Named so far.
    parts: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.take("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.not()?];
        while self.take("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn not(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > limits::CONDITION_NESTING {
            return Err(format!("nested more than {} deep", limits::CONDITION_NESTING));
        }
        let condition =
            if self.take("not") { self.not().map(|inner| Condition::Not(Box::new(inner))) } else { self.operand() };
        self.depth -= 1;
        condition
    }

    fn operand(&mut self) -> Result<Condition, String> {
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err("a bracket is not closed".into()) };
        }
        let Some(token) = self.peek() else {
            return Err(format!("ends where a name should stand; {GRAMMAR}"));
        };
        self.next += 1;
        if self.peek().is_some_and(|token| token.eq_ignore_ascii_case("of")) {
            self.next += 1;
            return self.quantified(token);
        }
        match self.names.iter().position(|name| *name == token) {
            Some(part) => self.named(1).map(|()| Condition::Part(part)),
            None => Err(format!("no part is named `{token}`: there are {}", allowed(self.names.iter().copied()))),
        }
    }

    fn named(&mut self, parts: usize) -> Result<(), String> {
        self.parts += parts;
        if self.parts > limits::CONDITION_PARTS {
            return Err(format!("names more than {} parts", limits::CONDITION_PARTS));
        }
        Ok(())
    }

    fn quantified(&mut self, quantifier: &str) -> Result<Condition, String> {
        let every = quantifier.eq_ignore_ascii_case("all");
        if !every && quantifier != "1" && !quantifier.eq_ignore_ascii_case("any") {
            return Err(format!("`{quantifier} of` is not known: allowed are `1 of`, `any of`, `all of`"));
        }
        let Some(pattern) = self.peek() else {
            return Err(format!("`{quantifier} of` needs `them` or a name"));
        };
        self.next += 1;
        let them = pattern.eq_ignore_ascii_case("them");
        let parts: Vec<_> = (self.names.iter().enumerate())
            .filter(|(_, name)| if them { !name.starts_with('_') } else { glob(pattern, name) })
            .map(|(part, _)| Condition::Part(part))
            .collect();
        if parts.is_empty() {
            let names = allowed(self.names.iter().copied());
            return Err(format!("`{quantifier} of {pattern}` names no part: there are {names}"));
        }
        self.named(parts.len())?;
        Ok(one_or(parts, if every { Condition::All } else { Condition::Any }))
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

/// Whether a name fits a pattern with `*`.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(found) = rest.find(piece) else { return false };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last)
}

//! STIX patterns that say one value, or one of several. Takes the text of a pattern; gives its values, each checked, or what in it
//! cannot be expressed as single values. Never guesses: a pattern that asks for more than one thing at once is refused whole.

use super::{Kind, kinds};

/// The object paths that are known.
const PATHS: &str = "file:hashes.MD5, file:hashes.'SHA-1', file:hashes.'SHA-256', file:name, ipv4-addr:value, ipv6-addr:value, \
                     domain-name:value, url:value";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    /// One of `[ ] ( ) , =`.
    Sign(char),
    Text(String),
    /// A path or a keyword.
    Word(&'a str),
}

/// Values of a pattern: `[a = 'x' OR b = 'y'] OR [c IN ('z')]`.
pub(super) fn kinds(pattern: &str) -> Result<Vec<Result<Kind, String>>, String> {
    let tokens = tokens(pattern)?;
    let mut rest = tokens.as_slice();
    let mut found = Vec::new();
    loop {
        rest = observation(rest, &mut found)?;
        match rest {
            [] => return Ok(found),
            [Token::Word("OR"), more @ ..] => rest = more,
            [other, ..] => return Err(unexpected(other)),
        }
    }
}

fn observation<'t, 'a>(
    tokens: &'t [Token<'a>],
    found: &mut Vec<Result<Kind, String>>,
) -> Result<&'t [Token<'a>], String> {
    let [Token::Sign('['), inner @ ..] = tokens else {
        return Err(tokens.first().map_or_else(|| "ends too early".to_owned(), unexpected));
    };
    let mut rest = inner;
    loop {
        rest = comparison(rest, found)?;
        match rest {
            [Token::Sign(']'), more @ ..] => return Ok(more),
            [Token::Word("OR"), more @ ..] => rest = more,
            [other, ..] => return Err(unexpected(other)),
            [] => return Err("ends too early".to_owned()),
        }
    }
}

fn comparison<'t, 'a>(
    tokens: &'t [Token<'a>],
    found: &mut Vec<Result<Kind, String>>,
) -> Result<&'t [Token<'a>], String> {
    match tokens {
        [Token::Word(path), Token::Sign('='), Token::Text(value), rest @ ..] => {
            found.push(of_path(path, value, false)?);
            Ok(rest)
        }
        [Token::Word(path), Token::Word("ISSUBSET"), Token::Text(value), rest @ ..] => {
            found.push(of_path(path, value, true)?);
            Ok(rest)
        }
        [Token::Word(path), Token::Word("IN"), Token::Sign('('), rest @ ..] => {
            let mut rest = rest;
            loop {
                let [Token::Text(value), sign, more @ ..] = rest else {
                    return Err(format!("the list behind `{path} IN` must be texts"));
                };
                found.push(of_path(path, value, false)?);
                rest = more;
                match sign {
                    Token::Sign(',') => {}
                    Token::Sign(')') => return Ok(rest),
                    other => return Err(unexpected(other)),
                }
            }
        }
        [Token::Word(path), Token::Sign('='), ..] if path.contains(':') => Err(format!("`{path}` must equal a text")),
        [Token::Word(path), Token::Word(operator), ..] if path.contains(':') => {
            Err(format!("`{operator}` cannot be expressed; allowed are =, IN and, of addresses, ISSUBSET"))
        }
        [first, ..] => Err(unexpected(first)),
        [] => Err("ends too early".to_owned()),
    }
}

fn unexpected(token: &Token<'_>) -> String {
    match token {
        Token::Sign(sign) => format!("`{sign}` is not expected there"),
        Token::Text(text) => format!("'{}' is not expected there", super::reading::plain(text, 40)),
        Token::Word(word @ ("AND" | "FOLLOWEDBY" | "WITHIN" | "START" | "REPEATS" | "NOT" | "EXISTS")) => {
            format!("`{word}` cannot be expressed: an indicator is one value by itself; OR is allowed")
        }
        Token::Word(word) => format!("`{}` is not expected there", super::reading::plain(word, 40)),
    }
}

fn of_path(path: &str, value: &str, is_subset: bool) -> Result<Result<Kind, String>, String> {
    let is_address = matches!(path, "ipv4-addr:value" | "ipv6-addr:value");
    if is_subset && !is_address {
        return Err(format!("`ISSUBSET` is allowed of addresses, not of `{path}`"));
    }
    Ok(match path {
        _ if is_address => kinds::address_or_network(value),
        "domain-name:value" => kinds::domain(value),
        "url:value" => kinds::url(value),
        "file:name" => kinds::file_name(value),
        _ => match path.strip_prefix("file:hashes.").map(|name| name.trim_matches('\'')) {
            Some("MD5") => kinds::hash(value, 16),
            Some("SHA-1" | "SHA1") => kinds::hash(value, 20),
            Some("SHA-256" | "SHA256") => kinds::hash(value, 32),
            _ => return Err(format!("`{}` is not one of {PATHS}", super::reading::plain(path, 80))),
        },
    })
}

fn tokens(pattern: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = pattern.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            '[' | ']' | '(' | ')' | ',' | '=' => {
                tokens.push(Token::Sign(first));
                after
            }
            '\'' => {
                let (text, after) = quoted(after)?;
                tokens.push(Token::Text(text));
                after
            }
            '!' | '<' | '>' => return Err(format!("`{first}` cannot be expressed; =, IN and ISSUBSET are allowed")),
            _ => {
                let (word, after) = rest.split_at(word_end(rest));
                if word.is_empty() {
                    return Err(format!("`{first}` is not expected there"));
                }
                tokens.push(Token::Word(word));
                after
            }
        }
        .trim_start();
    }
    Ok(tokens)
}

/// Where a word ends: at a sign or a gap, but not inside quotes, which a path has around names with dashes.
fn word_end(text: &str) -> usize {
    let mut is_quoted = false;
    text.find(|letter: char| {
        is_quoted ^= letter == '\'';
        !is_quoted && (letter.is_whitespace() || matches!(letter, '[' | ']' | '(' | ')' | ',' | '=' | '!' | '<' | '>'))
    })
    .unwrap_or(text.len())
}

/// A text after its first quote, and what comes behind it; `\'` and `\\` stand for one letter.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((position, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((value, text.get(position + 1..).unwrap_or_default())),
            '\\' => match letters.next() {
                Some((_, escaped @ ('\'' | '\\'))) => value.push(escaped),
                _ => return Err("a backslash stands before neither ' nor \\".to_owned()),
            },
            letter => value.push(letter),
        }
    }
    Err("a quote does not end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: &str) {
        let told = match kinds(pattern) {
            Ok(kinds) => {
                let words = kinds.into_iter().map(|kind| match kind {
                    Ok(kind) => format!("{} {kind}", kind.word()),
                    Err(why) => format!("no: {why}"),
                });
                words.collect::<Vec<_>>().join("; ")
            }
            Err(why) => format!("error: {why}"),
        };
        assert!(told.starts_with(expected), "{pattern}: {told}");
    }

    #[test]
    fn a_pattern_of_one_value_is_that_value() {
        check("[ipv4-addr:value = '198.51.100.7']", "address 198.51.100.7");
        check("[ ipv4-addr:value='198.51.100.0/24' ]", "network 198.51.100.0/24");
        check("[ipv6-addr:value ISSUBSET '2001:db8::/32']", "network 2001:db8::/32");
        check("[domain-name:value = 'bad.example']", "domain bad.example");
        check("[url:value = 'http://bad.example/it\\'s?a=1']", "url http://bad.example/it's?a=1");
        check("[file:name = 'a b.sh']", "file_name a b.sh");
        check("[file:hashes.MD5 = '0123456789abcdef0123456789abcdef']", "md5 0123456789abcdef0123456789abcdef");
        check(&format!("[file:hashes.'SHA-256' = '{}']", "ab".repeat(32)), "sha256 abab");
    }

    #[test]
    fn alternatives_are_values_of_their_own() {
        let both = "domain a.example; domain b.example";
        check("[domain-name:value = 'a.example' OR domain-name:value = 'b.example']", both);
        check("[domain-name:value = 'a.example'] OR [domain-name:value = 'b.example']", both);
        check("[domain-name:value IN ('a.example', 'b.example')]", both);
        check(
            "[domain-name:value IN ('a', 'b.example')]",
            "no: is one label alone: all names below it would match; domain b",
        );
    }

    #[test]
    fn what_cannot_be_expressed_is_named() {
        check(
            "[domain-name:value = 'a.example' AND url:value = 'http://b.example/']",
            "error: `AND` cannot be expressed",
        );
        check("[domain-name:value = 'a.example'] FOLLOWEDBY [file:name = 'x']", "error: `FOLLOWEDBY` cannot");
        check("[domain-name:value = 'a.example'] WITHIN 5 SECONDS", "error: `WITHIN` cannot");
        check("[NOT domain-name:value = 'a.example']", "error: `NOT` cannot");
        check("[domain-name:value LIKE '%.example']", "error: `LIKE` cannot be expressed; allowed are");
        check("[domain-name:value != 'a.example']", "error: `!` cannot be expressed");
        check("[domain-name:value ISSUBSET 'a.example']", "error: `ISSUBSET` is allowed of addresses");
        check("[process:name = 'x']", "error: `process:name` is not one of file:hashes.MD5");
        check("[file:size = 5]", "error: `file:size` must equal a text");
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        for pattern in [
            "",
            "[",
            "[]",
            "]",
            "[a",
            "[a:b =",
            "['x'",
            "[url:value = 'x",
            "[url:value = 'x\\n']",
            "[url:value IN (",
            "''",
        ] {
            check(pattern, "error: ");
        }
    }
}

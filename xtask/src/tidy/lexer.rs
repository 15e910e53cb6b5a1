//! Parts Rust's text into code and comments. Takes a file's text; gives two texts of the same shape, each with the other part
//! (and the insides of strings) as spaces, so that a search finds code in code only. Never refuses: what it does not know is code.

/// A file's text, parted. Lines and columns are those of the original.
pub(super) struct Parted {
    pub(super) code: String,
    pub(super) comments: String,
}

/// Where the reader is.
#[derive(Clone, Copy)]
enum Within {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
    Letter,
}

/// Parts a text.
pub(super) fn part(text: &str) -> Parted {
    let letters: Vec<char> = text.chars().collect();
    let mut parted = Parted { code: String::with_capacity(text.len()), comments: String::with_capacity(text.len()) };
    let mut within = Within::Code;
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        let (length, next) = step(within, rest, letters[..at].last().copied());
        let comment = matches!(within, Within::LineComment | Within::BlockComment { .. })
            || matches!(next, Within::LineComment | Within::BlockComment { .. });
        let code = matches!(within, Within::Code) && !comment;
        for letter in &rest[..length.min(rest.len())] {
            let keep = |kept: bool| if kept || *letter == '\n' { *letter } else { ' ' };
            parted.code.push(keep(code));
            parted.comments.push(keep(comment));
        }
        within = next;
        at += length;
    }
    parted
}

/// How many letters belong together here, and where the reader is after them.
fn step(within: Within, rest: &[char], before: Option<char>) -> (usize, Within) {
    let starts = |word: &str| word.chars().eq(rest.iter().copied().take(word.len()));
    match within {
        Within::Code => step_in_code(rest, before),
        Within::LineComment if rest[0] == '\n' => (1, Within::Code),
        Within::BlockComment { depth } if starts("*/") => {
            (2, if depth == 1 { Within::Code } else { Within::BlockComment { depth: depth - 1 } })
        }
        Within::BlockComment { depth } if starts("/*") => (2, Within::BlockComment { depth: depth + 1 }),
        Within::Text | Within::Letter if rest[0] == '\\' => (2, within),
        Within::Text if rest[0] == '"' => (1, Within::Code),
        Within::Letter if rest[0] == '\'' => (1, Within::Code),
        Within::RawText { hashes } if rest[0] == '"' && count_hashes(&rest[1..]) >= hashes => {
            (1 + hashes, Within::Code)
        }
        _ => (1, within),
    }
}

fn step_in_code(rest: &[char], before: Option<char>) -> (usize, Within) {
    let second = rest.get(1).copied();
    let in_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    match (rest[0], second) {
        ('/', Some('/')) => (2, Within::LineComment),
        ('/', Some('*')) => (2, Within::BlockComment { depth: 1 }),
        ('"', _) => (1, Within::Text),
        ('r', Some('"' | '#')) if !in_word || before == Some('b') => raw_text(rest),
        // A lifetime has no closing quote after its first letter.
        ('\'', Some('\\')) => (1, Within::Letter),
        ('\'', Some(_)) if rest.get(2) == Some(&'\'') => (1, Within::Letter),
        _ => (1, Within::Code),
    }
}

fn raw_text(rest: &[char]) -> (usize, Within) {
    let hashes = count_hashes(&rest[1..]);
    if rest.get(1 + hashes) == Some(&'"') { (2 + hashes, Within::RawText { hashes }) } else { (1, Within::Code) }
}

fn count_hashes(letters: &[char]) -> usize {
    letters.iter().take_while(|letter| **letter == '#').count()
}

/// The 1-based line of a byte position.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text.as_bytes().iter().take(position).filter(|byte| **byte == b'\n').count() + 1
}

/// The byte positions at which a word stands alone, not as a part of a longer name.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let named = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.match_indices(word).map(|(position, _)| position).filter(move |position| {
        let bytes = text.as_bytes();
        let before = position.checked_sub(1).and_then(|before| bytes.get(before));
        !named(before) && !named(bytes.get(position + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::{part, words};

    fn check(text: &str, code: &str, comments: &str) {
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let parted = part(text);
        assert_eq!((squeeze(&parted.code).as_str(), squeeze(&parted.comments).as_str()), (code, comments));
        assert_eq!(parted.code.chars().count(), text.chars().count());
    }

    #[test]
    fn comments_are_apart_from_code() {
        check("let a = 1; // unsafe\nb", "let a = 1; b", "// unsafe");
        check("a /* x /* y */ z */ b", "a b", "/* x /* y */ z */");
    }

    #[test]
    fn the_inside_of_a_string_is_neither() {
        check(r#"f("a { // \" b", x)"#, r#"f(" , x)"#, "");
        check(r##"f(r#"a " {"#, br"{", x)"##, "f(r#\" , br\" , x)", "");
    }

    #[test]
    fn a_lifetime_is_not_a_letter() {
        check("fn f<'a>(x: &'a str) { '{' '\\'' }", "fn f<'a>(x: &'a str) { ' ' }", "");
    }

    #[test]
    fn a_word_inside_a_longer_name_is_another_word() {
        assert_eq!(words("unsafe_code unsafe", "unsafe").collect::<Vec<_>>(), [12]);
    }
}

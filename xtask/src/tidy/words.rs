//! Words that say that something is not done, and names of places that a clone does not have. Takes any text file; gives where they stand.

use super::lexer::{line_of, words};
use super::{Source, Violation};
use crate::test::RUN_BY_ANOTHER;

/// Words of work that is not done, in code and comments.
const UNDONE: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Code that stands for code that is not there, and tests that do not run.
const UNDONE_CODE: &[&str] = &["todo!", "unimplemented!", "#[ignore"];

/// Places outside of the checkout.
const OUTSIDE: &[&str] = &[
    concat!("shared/", "design"),
    concat!("shared/", "data"),
    concat!(".lib", "rary"),
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/shared"),
    concat!("/wo", "rk/target"),
    concat!("/wo", "rk/wt"),
];

/// Checks a Rust file.
pub(super) fn check_rust(source: &Source<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for word in UNDONE {
        for text in [&source.parted.code, &source.parted.comments] {
            found.extend(words(text, word).map(|position| source.violation(line_of(text, position), undone(word))));
        }
    }
    let code = &source.parted.code;
    for word in UNDONE_CODE {
        for (position, _) in code.match_indices(word) {
            let line = line_of(code, position);
            let runs = source.text.lines().nth(line - 1).is_some_and(|text| text.contains(RUN_BY_ANOTHER));
            if !runs {
                found.push(source.violation(line, undone(word)));
            }
        }
    }
    found.extend(outside(source.path, source.text));
    found
}

/// Checks any other text file. Rules quote what attackers and users type, so in YAML only the comments are ours.
pub(super) fn check_text(path: &str, text: &str) -> Vec<Violation> {
    let comments_only = matches!(path.rsplit_once('.'), Some((_, "yml" | "yaml")));
    let mut found = outside(path, text);
    for (index, line) in text.lines().enumerate() {
        if comments_only && !line.trim_start().starts_with('#') {
            continue;
        }
        let undone_words = UNDONE.iter().filter(|word| words(line, word).next().is_some());
        found.extend(undone_words.map(|word| Violation::new(path, index + 1, undone(word))));
    }
    found
}

fn undone(word: &str) -> String {
    format!("`{word}`: finish it, or say in the architecture's list of gaps what is missing and what it means")
}

fn outside(path: &str, text: &str) -> Vec<Violation> {
    let hits = OUTSIDE.iter().flat_map(|place| text.match_indices(place));
    hits.map(|(position, place)| {
        let what = format!("`{place}` is not in a clone: say the thing itself, or link to what is here");
        Violation::new(path, line_of(text, position), what)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::{check_rust, check_text};

    #[test]
    fn undone_work_is_found_in_comments_and_code() {
        let text = concat!("//! X.\n// TO", "DO: later\nfn f() { todo!() }\n#[ignore]\nfn g() {}\n");
        let lines: Vec<usize> = check_rust(&Source::new("a.rs", text)).iter().map(|one| one.line).collect();
        assert_eq!(lines, [2, 3, 4]);
    }

    #[test]
    fn a_test_that_another_one_starts_does_run() {
        assert!(check_rust(&Source::new("a.rs", "#[ignore = \"run by another test\"]\nfn g() {}\n")).is_empty());
        assert_eq!(check_rust(&Source::new("a.rs", "#[ignore = \"slow\"]\nfn g() {}\n")).len(), 1);
    }

    #[test]
    fn the_same_words_in_a_string_are_text() {
        assert!(check_rust(&Source::new("a.rs", "const A: &str = \"todo! #[ignore]\";\n")).is_empty());
    }

    #[test]
    fn what_a_rule_quotes_is_not_our_work() {
        let quoted = concat!("examples:\n  - {CommandLine: grep TO", "DO}\n");
        assert!(check_text("rules/content/a.yml", quoted).is_empty());
        assert_eq!(check_text("rules/content/a.yml", concat!("# TO", "DO: examples\n")).len(), 1);
    }

    #[test]
    fn a_place_outside_of_the_clone_is_found_in_any_file() {
        let text = concat!("# Title\n\nSee shared/", "design/host.md.\n");
        assert_eq!(check_text("README.md", text)[0].line, 3);
    }
}

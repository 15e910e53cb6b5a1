//! How long things are, and how a file opens. Takes Rust sources; gives what is too long to be read in one go.

use super::lexer::{line_of, words};
use super::{Source, Violation};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

/// File names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "manager", "handler", "data", "info"];

/// Checks one Rust file.
pub(super) fn check(source: &Source<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        found.push(source.violation(lines, format!("{lines} lines, {FILE_LINES} are allowed: cut it by subject")));
    }
    if !source.text.starts_with("//!") {
        let what = "the file does not open with `//!`: say what it is, what it takes and gives, what it never does";
        found.push(source.violation(1, what.to_owned()));
    }
    let stem = source.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem) {
        found.push(source.violation(1, format!("`{stem}` names nothing: name the file after its subject")));
    }
    for function in functions(&source.parted.code) {
        if function.lines > FUNCTION_LINES {
            let what = format!(
                "`fn {}` has {} lines, {FUNCTION_LINES} are allowed: cut it by what its parts do",
                function.name, function.lines
            );
            found.push(source.violation(function.line, what));
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function with a body in a text that holds code only.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for position in words(code, "fn") {
        let rest = code.get(position + 2..).unwrap_or_default();
        let name: String =
            rest.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        if name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(rest) {
            let line = line_of(code, position);
            found.push(Function { name, line, lines: line_of(code, position + 2 + end) - line + 1 });
        }
    }
    found
}

/// Where the body's closing brace is; a declaration without a body has none.
fn body_end(after_fn: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut body = false;
    for (position, letter) in after_fn.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            '{' => {
                body |= depth == 0;
                depth += 1;
            }
            ')' | ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if body && depth == 0 && letter == '}' {
                    return Some(position);
                }
            }
            ';' if depth == 0 && !body => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::{Function, check, functions};

    fn said(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let code =
            "trait T { fn none(&self) -> [u8; 4]; }\nfn one(a: [u8; 2]) -> u8\nwhere\n{\n  if a { b(|x| { c }) }\n}\n";
        assert_eq!(functions(code), [Function { name: "one".to_owned(), line: 2, lines: 5 }]);
    }

    #[test]
    fn a_function_of_sixty_one_lines_is_too_long() {
        let body = |lines: usize| format!("//! Doc.\nfn long() {{\n{}}}\n", "    a();\n".repeat(lines));
        assert!(said("a/src/b.rs", &body(58)).is_empty());
        assert_eq!(
            said("a/src/b.rs", &body(59)),
            ["a/src/b.rs:2: `fn long` has 61 lines, 60 are allowed: cut it by what its parts do"]
        );
    }

    #[test]
    fn a_file_says_what_it_is_and_ends_in_time() {
        assert_eq!(said("a/src/b.rs", "use x;\n").len(), 1);
        assert_eq!(said("a/src/utils.rs", "//! X.\n").len(), 1);
        assert_eq!(
            said("a/src/b.rs", &format!("//! X.\n{}", "\n".repeat(400))),
            ["a/src/b.rs:401: 401 lines, 400 are allowed: cut it by subject"]
        );
    }
}

//! Markdown links to files. Takes a Markdown text and a way to ask whether a path exists; gives the links that lead nowhere.

use std::path::{Component, Path, PathBuf};

use super::Violation;
use super::lexer::line_of;

/// Checks one Markdown file; a link to another site is not followed.
pub(super) fn check(path: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    for (position, _) in text.match_indices("](") {
        let target = text[position + 2..].split([')', ' ', '\n']).next().unwrap_or_default();
        let file = target.split('#').next().unwrap_or_default();
        if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
            continue;
        }
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        if !exists(&normal(&folder.join(file))) {
            let what = format!("the link to `{file}` leads nowhere: correct it or remove it");
            found.push(Violation::new(path, line_of(text, position), what));
        }
    }
    found
}

/// Resolves `.` and `..` by name.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check;

    fn said(text: &str) -> Vec<String> {
        let exists = |path: &Path| path == Path::new("ARCHITECTURE.md");
        check("docs/a.md", text, exists).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_is_relative_to_its_file() {
        assert!(said("see [it](../ARCHITECTURE.md#gaps)").is_empty());
        assert_eq!(
            said("x\n[it](ARCHITECTURE.md)"),
            ["docs/a.md:2: the link to `ARCHITECTURE.md` leads nowhere: correct it or remove it"]
        );
    }

    #[test]
    fn a_link_within_the_page_or_to_a_site_is_not_followed() {
        assert!(said("[a](#gaps) [b](https://example.org/x.md)").is_empty());
    }
}

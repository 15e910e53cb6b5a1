//! The README's table of evasions, made from `tests/evasion.toml`. Takes both texts; gives the README with the table in its place, and
//! the cases that no test begins. Never says more than the table does.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The table's source.
pub(crate) const TABLE: &str = "tests/evasion.toml";
/// Where it stands for people.
pub(crate) const README: &str = "README.md";
const BEGIN: &str = "<!-- evasions: made by `cargo xtask readme` -->\n";
const END: &str = "<!-- end of evasions -->\n";

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    number: u8,
    tried: String,
    told_as: String,
    objects: String,
    tracepoints: String,
}

/// Writes the README's table anew.
pub(crate) fn write(root: &Path) -> Result<()> {
    let (path, table) =
        (root.join(README), fs::read_to_string(root.join(TABLE)).with_context(|| format!("read {TABLE}"))?);
    let text = readme(&fs::read_to_string(&path).context("read README.md")?, &table)?;
    fs::write(path, text).context("write README.md")
}

/// The README with the table as it should be.
pub(crate) fn readme(readme: &str, table: &str) -> Result<String> {
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("README.md has no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("README.md has no line {END:?}"))?;
    let table: Table = toml::from_str(table).with_context(|| format!("read {TABLE}"))?;
    let mut text =
        format!("{before}{BEGIN}\n| | tried | told as | object hooks | tracepoints alone |\n|---|---|---|---|---|\n");
    for Case { number, tried, told_as, objects, tracepoints } in &table.case {
        writeln!(text, "| {number} | {tried} | {told_as} | {objects} | {tracepoints} |")?;
    }
    Ok(format!("{text}\n{END}{after}"))
}

/// The numbers of the cases that no test of `sources` begins.
pub(crate) fn without_test(table: &str, sources: &[String]) -> Result<Vec<u8>> {
    let table: Table = toml::from_str(table).with_context(|| format!("read {TABLE}"))?;
    let begun = |number: u8| sources.iter().any(|text| text.contains(&format!("begin({number}")));
    Ok(table.case.iter().map(|case| case.number).filter(|number| !begun(*number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[case]]\nnumber = 7\ntried = \"a\"\ntold_as = \"b\"\nobjects = \"seen\"\ntracepoints = \"c\"\n";

    #[test]
    fn the_table_stands_between_its_marks_and_nothing_else_changes() {
        let old = format!("before\n{BEGIN}stale\n{END}after\n");
        let new = readme(&old, ONE).expect("a README with marks");
        assert!(new.starts_with("before\n") && new.ends_with("after\n") && !new.contains("stale"), "{new}");
        assert!(new.contains("| 7 | a | b | seen | c |\n"), "{new}");
        assert_eq!(readme(&new, ONE).expect("the same again"), new);
    }

    #[test]
    fn a_case_that_no_test_begins_is_named() {
        let begun = ["let Some(case) = begin(7) else { return };".to_owned()];
        assert_eq!(without_test(ONE, &begun).expect("a table"), Vec::<u8>::new());
        assert_eq!(without_test(ONE, &[]).expect("a table"), vec![7]);
    }
}

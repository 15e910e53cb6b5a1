//! What a test program printed, counted. Takes the text of Rust's test harness; gives passed, failed and skipped. A test says
//! that it cannot run here with a line `skipped: <what is missing>`, and passes; it is counted as skipped, never as passed.

use super::RUN_BY_ANOTHER;

/// The result of some tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Each test that could not run here, and why.
    pub(crate) skipped: Vec<Skip>,
}

/// A test that could not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) test: String,
    pub(crate) why: String,
}

impl Count {
    /// One check that is no test of the harness.
    pub(crate) fn one(success: bool) -> Self {
        Self { passed: usize::from(success), failed: usize::from(!success), skipped: Vec::new() }
    }

    /// Adds another count to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }
}

/// Counts what a test program printed; one that fails without saying which test did counts as one failure.
pub(crate) fn count(text: &str, success: bool) -> Count {
    let mut count = Count::default();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            name.clone_into(&mut section);
        } else if let Some(why) = line.trim_start().strip_prefix("skipped: ") {
            skip(&mut count.skipped, &section, why);
        } else if let Some(result) = line.strip_prefix("test result: ") {
            count.passed += number(result, "passed");
            count.failed += number(result, "failed");
            section.clear();
        } else if let Some(name) = ignored(line) {
            skip(&mut count.skipped, name, "ignored");
        }
    }
    let passed_as_skipped = count.skipped.iter().filter(|skip| skip.why != "ignored").count();
    count.passed = count.passed.saturating_sub(passed_as_skipped);
    if !success && count.failed == 0 {
        count.failed = 1;
    }
    count
}

/// A test that says twice why it cannot run is one test.
fn skip(skipped: &mut Vec<Skip>, test: &str, why: &str) {
    if test.is_empty() || skipped.iter().all(|skip| skip.test != test) {
        skipped.push(Skip { test: test.to_owned(), why: why.trim().to_owned() });
    }
}

fn ignored(line: &str) -> Option<&str> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    (result.starts_with("ignored") && !result.contains(RUN_BY_ANOTHER)).then_some(name)
}

fn number(result: &str, what: &str) -> usize {
    let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| *word == what).unwrap_or(0);
    at.checked_sub(1).and_then(|before| words.get(before)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Count, Skip, count};

    const TEXT: &str = "running 4 tests
test exec ... ok
test connect ... ok
test slow ... ignored
test torn ... FAILED

successes:

---- connect stdout ----
skipped: no BPF on this host
skipped: no cgroup2

successes:
    connect

failures:

---- torn stdout ----
assertion failed

failures:
    torn

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn a_test_that_cannot_run_here_is_not_counted_as_passed() {
        let skip = |test: &str, why: &str| Skip { test: test.to_owned(), why: why.to_owned() };
        let skipped = vec![skip("slow", "ignored"), skip("connect", "no BPF on this host")];
        assert_eq!(count(TEXT, false), Count { passed: 1, failed: 1, skipped });
    }

    #[test]
    fn the_results_of_several_programs_add_up() {
        let two = "test result: ok. 3 passed; 0 failed; 0 ignored\ntest result: ok. 4 passed; 0 failed; 0 ignored\n";
        assert_eq!(count(two, true).passed, 7);
    }

    #[test]
    fn a_test_that_another_one_starts_is_not_skipped() {
        assert!(count("test inside ... ignored, run by another test\n", true).skipped.is_empty());
    }

    #[test]
    fn a_program_that_dies_is_a_failure() {
        assert_eq!(count("running 1 test\nended by signal 11\n", false).failed, 1);
    }
}

//! What a kernel under test printed on its console, understood. Takes the text between the marks of `init.sh`; gives the results of
//! the tests, the agent's hooks there, which of them tests saw at work, and what each program cost.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The whole of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// `uname -r`; empty: it did not come so far.
    pub(super) release: String,
    /// What the tests printed, and the status that they ended with, if they ended.
    pub(super) tests: String,
    pub(super) status: Option<i32>,
    /// What the agent's check said.
    pub(super) check: Option<Check>,
    /// Hooks whose records tests saw.
    pub(super) seen: BTreeSet<String>,
    pub(super) programs: Vec<Cost>,
}

/// Of the agent's check, what matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Check {
    pub(super) hooks: Vec<Hook>,
    pub(super) refusal: String,
}

/// One hook of the check.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Hook {
    pub(super) name: String,
    pub(super) noun: String,
    pub(super) tier: String,
    pub(super) attached: bool,
    pub(super) programs: Vec<String>,
    pub(super) refusals: Vec<String>,
}

/// What one program cost in the tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Cost {
    pub(crate) name: String,
    /// Instructions that the verifier looked at; 0: this kernel does not say.
    pub(super) verified: u64,
    pub(super) runs: u64,
    pub(super) nanoseconds: u64,
}

/// Reads a console. A part that never ended, because the kernel died in it, has no status.
pub(super) fn read(console: &str) -> Said {
    let mut said = Said::default();
    let mut part = String::new();
    for line in console.lines().map(str::trim_end) {
        let Some(mark) = line.strip_prefix("mayfly: ") else {
            match part.as_str() {
                "tests" => test(&mut said, line),
                "check" if line.starts_with('{') => said.check = serde_json::from_str(line).ok(),
                _ => {}
            }
            continue;
        };
        match mark.split(' ').collect::<Vec<_>>()[..] {
            ["kernel", release] => release.clone_into(&mut said.release),
            ["begin", begun] => begun.clone_into(&mut part),
            ["end", "tests", status] => {
                said.status = status.parse().ok();
                part.clear();
            }
            _ => part.clear(),
        }
    }
    said
}

/// What the programs cost, where the tests printed to nobody's console.
pub(crate) fn costs(printed: &str) -> Vec<Cost> {
    let mut said = Said::default();
    printed.lines().for_each(|line| test(&mut said, line));
    said.programs
}

fn test(said: &mut Said, line: &str) {
    said.tests.push_str(line);
    said.tests.push('\n');
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["seen", hook] => {
            said.seen.insert(hook.to_owned());
        }
        ["program", name, verified, runs, nanoseconds] => {
            let number = |text: &str| text.parse().unwrap_or(0);
            let (verified, runs, nanoseconds) = (number(verified), number(runs), number(nanoseconds));
            said.programs.push(Cost { name: name.to_owned(), verified, runs, nanoseconds });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, read};

    const CONSOLE: &str = "SeaBIOS\r\nmayfly: kernel 6.1.0-50-cloud-amd64\r\nmayfly: begin check\r\n\
        {\"node\":\"n\",\"hooks\":[{\"name\":\"exec\",\"noun\":\"process\",\"tier\":\"lsm\",\"attached\":false,\"programs\":[],\"refusals\":[\"no\"]}],\"refusal\":\"\"}\r\n\
        mayfly: end check 0\r\nmayfly: begin tests\r\ntest a ... ok\r\nprogram exec 1200 3 4500\r\nseen exec\r\nmayfly: end tests 101\r\n";

    #[test]
    fn a_console_is_read_between_its_marks() {
        let said = read(CONSOLE);
        assert_eq!((said.release.as_str(), said.status), ("6.1.0-50-cloud-amd64", Some(101)));
        assert!(said.tests.starts_with("test a ... ok\n"));
        assert!(said.seen.contains("exec"));
        let cost = Cost { name: "exec".to_owned(), verified: 1200, runs: 3, nanoseconds: 4500 };
        assert_eq!(said.programs, [cost]);
        let check = said.check.expect("the check's answer");
        assert_eq!((check.hooks[0].tier.as_str(), check.hooks[0].attached), ("lsm", false));
    }

    #[test]
    fn a_kernel_that_dies_in_the_tests_has_no_status() {
        let said = read("mayfly: kernel 6\nmayfly: begin tests\ntest a ... ok\nKernel panic\n");
        assert_eq!(said.status, None);
        assert!(said.tests.ends_with("Kernel panic\n"));
    }
}

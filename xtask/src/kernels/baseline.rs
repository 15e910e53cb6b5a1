//! What each program costs the verifier of each kernel, held against what it cost when somebody last looked. Takes `ebpf/verifier.toml`
//! and the costs that a kernel told; gives the programs that grew by more than a fifth. Kernels before 5.16 do not tell the cost.
//!
//! The cost of one kernel says nothing of another's: each has a table of its own, and a kernel without one is not judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::said::Cost;

/// By how much a program may grow: five of it may become six.
const BEFORE: u64 = 5;
const AFTER: u64 = 6;

const HEAD: &str = "# Instructions that the verifier looks at in each program, by kernel: a program that costs a fifth more fails the tests. Written by
# `cargo xtask kernels --keep-costs`, and for the kernel of this machine by `cargo xtask test --keep-costs`.
";

/// Instructions by program, by kernel.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    path: PathBuf,
    kernels: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Baseline {
    /// The one of a checkout; an empty one where there is none.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join("ebpf/verifier.toml");
        let text = if path.is_file() { fs::read_to_string(&path)? } else { String::new() };
        let kernels = toml::from_str(&text).with_context(|| format!("read {}", path.display()))?;
        Ok(Self { path, kernels })
    }

    /// Whether a kernel is judged.
    pub(crate) fn knows(&self, kernel: &str) -> bool {
        self.kernels.contains_key(kernel)
    }

    /// What is wrong with the costs of a kernel, a line a program: it grew, or nobody kept what it may cost.
    pub(crate) fn judge(&self, kernel: &str, costs: &[Cost]) -> Vec<String> {
        let Some(before) = self.kernels.get(kernel) else { return Vec::new() };
        let told = costs.iter().filter(|cost| cost.verified > 0);
        told.filter_map(|cost| match before.get(&cost.name) {
            Some(before) if cost.verified * BEFORE <= before * AFTER => None,
            Some(before) => Some(format!(
                "{kernel}: {} costs the verifier {} instructions, {before} before: make it cheaper, or keep that with --keep-costs",
                cost.name, cost.verified
            )),
            None => Some(format!("{kernel}: nothing says what {} may cost: keep it with --keep-costs", cost.name)),
        })
        .collect()
    }

    /// Keeps what the programs of a kernel cost now, in place of what they cost before.
    pub(crate) fn keep(&mut self, kernel: &str, costs: &[Cost]) -> Result<()> {
        let told = costs.iter().filter(|cost| cost.verified > 0).map(|cost| (cost.name.clone(), cost.verified));
        let table: BTreeMap<String, u64> = told.collect();
        if table.is_empty() {
            return Ok(());
        }
        self.kernels.insert(kernel.to_owned(), table);
        let text = format!("{HEAD}\n{}", toml::to_string(&self.kernels).context("write a table")?);
        fs::write(&self.path, text).with_context(|| format!("write {}", self.path.display()))
    }
}

/// A kernel that is none of Debian's is known by the two numbers of its line.
pub(crate) fn line_of(release: &str) -> String {
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(name: &str, verified: u64) -> Cost {
        Cost { name: name.to_owned(), verified, runs: 0, nanoseconds: 0 }
    }

    #[test]
    fn a_program_may_grow_by_a_fifth_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("ebpf")).expect("a folder in it");
        let mut baseline = Baseline::read(folder.path()).expect("none is an empty one");
        assert!(!baseline.knows("6.1"));
        assert!(baseline.judge("6.1", &[cost("exec", 7)]).is_empty(), "a kernel without a table is not judged");
        baseline.keep("6.1", &[cost("exec", 1000), cost("untold", 0)]).expect("write it");
        let kept = Baseline::read(folder.path()).expect("read it again");
        assert_eq!(kept, baseline);
        assert!(kept.judge("6.1", &[cost("exec", 1200), cost("untold", 0)]).is_empty());
        let wrong = kept.judge("6.1", &[cost("exec", 1201), cost("new", 1)]);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("exec costs the verifier 1201 instructions, 1000 before"), "{wrong:?}");
    }

    #[test]
    fn a_release_is_of_the_line_of_its_first_two_numbers() {
        assert_eq!(line_of("6.18.44-fc-v657"), "6.18");
    }
}

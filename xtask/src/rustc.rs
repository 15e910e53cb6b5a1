//! The compiler that cargo uses. Takes what `rustc` says about itself; gives its version, its folder and its LLVM.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The compiler in use.
pub(crate) struct Rustc {
    /// As in `1.95.0`.
    pub(crate) release: String,
    /// As in `22`.
    pub(crate) llvm: u32,
    /// Where it is installed.
    pub(crate) sysroot: PathBuf,
}

impl Rustc {
    /// Asks `rustc`.
    pub(crate) fn find() -> Result<Self> {
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
        let verbose = ask(&["-vV"])?;
        let (release, llvm) = parse(&verbose)?;
        Ok(Self { release, llvm, sysroot })
    }

    /// Where the sources of `core` belong.
    pub(crate) fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust")
    }
}

fn ask(arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&program)
        .args(arguments)
        .output()
        .with_context(|| format!("start {}", program.to_string_lossy()))?;
    if !output.status.success() {
        bail!("rustc {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("rustc printed something that is not UTF-8")
}

fn parse(verbose: &str) -> Result<(String, u32)> {
    let field = |name: &str| {
        let line = verbose.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.with_context(|| format!("`rustc -vV` says no `{name}`"))
    };
    let major = field("LLVM version")?.split('.').next().unwrap_or_default();
    let llvm = major.parse().with_context(|| format!("the LLVM version of rustc, `{major}`, is no number"))?;
    Ok((field("release")?.to_owned(), llvm))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_version_of_a_stable_compiler_is_read() {
        let said = "rustc 1.95.0 (59807616e 2026-04-14)\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        let (release, llvm) = parse(said).expect("both fields are there");
        assert_eq!((release.as_str(), llvm), ("1.95.0", 22));
    }

    #[test]
    fn a_compiler_without_llvm_is_named_as_such() {
        let error = parse("release: 1.95.0\nhost: x\n").expect_err("the LLVM version is absent");
        assert_eq!(error.to_string(), "`rustc -vV` says no `LLVM version`");
    }
}

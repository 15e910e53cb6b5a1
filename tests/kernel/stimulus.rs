//! A program that makes one system call, for calls that no safe library makes: `stimulus.c`, compiled once for this run, or the one that
//! `MAYFLY_STIMULUS` names, where there is no compiler. Takes words; gives the process's number and what the call answered.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What was done.
pub(crate) struct Done {
    /// By which process.
    pub(crate) pid: u32,
    /// What the kernel answered: a negative errno where it refused.
    pub(crate) result: i32,
    /// To which process, or else another number that it said.
    pub(crate) other: u32,
}

/// Runs it.
pub(crate) fn stimulus(words: &[&str]) -> Done {
    let mut command = Command::new(program());
    command.args(words);
    run(command)
}

/// Runs it as it was prepared.
pub(crate) fn run(mut command: Command) -> Done {
    let child = command.stdout(Stdio::piped()).spawn().expect("start the stimulus");
    let pid = child.id();
    let output = child.wait_with_output().expect("the stimulus ends");
    assert!(output.status.success(), "the stimulus failed: {:?}", output.status);
    let text = String::from_utf8(output.stdout).expect("it writes numbers");
    let mut numbers = text.split_whitespace().map(|word| word.parse::<i32>().expect("it writes numbers"));
    let result = numbers.next().expect("it writes a number");
    Done { pid, result, other: numbers.next().map_or(0, i32::unsigned_abs) }
}

/// The program's place.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var_os("MAYFLY_STIMULUS").map_or_else(compiled, PathBuf::from))
}

fn compiled() -> PathBuf {
    let program = std::env::temp_dir().join(format!("mayfly-stimulus-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernel/stimulus.c");
    let status = Command::new("gcc").args(["-O1", "-static", "-pthread", "-o"]).arg(&program).arg(source).status();
    assert!(status.expect("start gcc").success(), "gcc could not compile the stimulus");
    program
}

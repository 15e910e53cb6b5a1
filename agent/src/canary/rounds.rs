//! The agent's side of the canary: starts it, asks for a round, and waits for its records. Takes a program and folders; gives for each
//! record that was to come whether the call was made and whether it came. A canary that is gone or hangs is started anew.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{SUBCOMMAND, Sighted};

/// All calls of a round together take milliseconds; a node that is so slow has other troubles, and is told.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the call to its record in the pipeline: rings are read every few milliseconds.
const ARRIVAL: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// All of an answer.
const ANSWER_BYTES: u64 = 16 << 10;

/// Why there was no round.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// The canary could not be started.
    #[error("start the canary {program}")]
    Start {
        /// What was started.
        program: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It did not answer.
    #[error("hear from the canary")]
    Answer(#[source] io::Error),
    /// It answered something else.
    #[error("the canary answered {line:?}")]
    Word {
        /// What it said.
        line: String,
    },
}

/// One record that a round was to bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The hook that it speaks for.
    pub hook: String,
    /// What it shows.
    pub number: u16,
    /// It came.
    pub came: bool,
    /// Why the call could not be made; empty where it was.
    pub refusal: String,
}

/// A round: what was tried, in the order of the calls.
pub type Round = Vec<Tried>;

/// Asks for rounds.
pub struct Rounds {
    /// The agent's own binary.
    program: PathBuf,
    /// A folder that is the canary's alone.
    folder: PathBuf,
    /// The root of the version 2 cgroup tree.
    cgroups: PathBuf,
    /// What the reader of the rings sees of it.
    sighted: Sighted,
    /// How long records are waited for.
    arrival: Duration,
    /// Set: the agent ends, and nobody reads records any more.
    stop: Arc<AtomicBool>,
    running: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Rounds {
    /// The canary is started with the first round.
    pub fn new(program: PathBuf, folder: PathBuf, cgroups: PathBuf, sighted: Sighted, stop: Arc<AtomicBool>) -> Self {
        Self { program, folder, cgroups, sighted, arrival: ARRIVAL, stop, running: None }
    }

    /// Makes one round, and waits until its records came or the time is over.
    pub fn make(&mut self) -> Result<Round, CanaryError> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.start()?,
        };
        let before = self.sighted.counts();
        let answer = running.input.write_all(b"\n").map_err(CanaryError::Answer).and_then(|()| running.answer(b"end"));
        match answer.and_then(|lines| lines.iter().map(|line| tried(line)).collect()) {
            Ok(round) => {
                self.running = Some(running);
                Ok(self.arrived(&before, round))
            }
            Err(error) => {
                self.sighted.adopt(0);
                running.end();
                Err(error)
            }
        }
    }

    fn start(&self) -> Result<Running, CanaryError> {
        let failed = |cause| CanaryError::Start { program: self.program.clone(), cause };
        let mut command = Command::new(&self.program);
        command.arg(SUBCOMMAND).arg(&self.folder).arg(&self.cgroups);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::Error::other("it has no input and output")));
        };
        let mut running = Running { child, input, output: BufReader::new(output) };
        if let Err(error) = running.answer(b"ready") {
            running.end();
            return Err(error);
        }
        self.sighted.adopt(running.child.id());
        Ok(running)
    }

    /// Waits for the records of the calls that were made.
    fn arrived(&self, before: &[u64], mut round: Round) -> Round {
        let end = Instant::now() + self.arrival;
        loop {
            for tried in &mut round {
                let known = before.get(usize::from(tried.number)).copied().unwrap_or(0);
                tried.came = tried.refusal.is_empty() && self.sighted.count(tried.number) > known;
            }
            let over = Instant::now() >= end || self.stop.load(Ordering::Relaxed);
            if over || round.iter().all(|tried| tried.came || !tried.refusal.is_empty()) {
                return round;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

impl Running {
    /// The lines before the one that is asked for.
    fn answer(&mut self, last: &[u8]) -> Result<Vec<String>, CanaryError> {
        let end = Instant::now() + PATIENCE;
        let (mut lines, mut left) = (Vec::new(), ANSWER_BYTES);
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\n") {
                self.wait(end).map_err(CanaryError::Answer)?;
                let room = self.output.fill_buf().map_err(CanaryError::Answer)?;
                let taken = room.iter().position(|byte| *byte == b'\n').map_or(room.len(), |at| at + 1);
                left = left.saturating_sub(taken as u64);
                if taken == 0 || left == 0 {
                    return Err(CanaryError::Answer(io::ErrorKind::UnexpectedEof.into()));
                }
                line.extend_from_slice(&room[..taken]);
                self.output.consume(taken);
            }
            line.pop();
            if line == last {
                return Ok(lines);
            }
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
    }

    /// Waits until there is something to read: what is in the buffer already needs no waiting.
    fn wait(&self, end: Instant) -> io::Result<()> {
        if !self.output.buffer().is_empty() {
            return Ok(());
        }
        let left = PollTimeout::try_from(end.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::ZERO);
        let mut waited = [PollFd::new(self.output.get_ref().as_fd(), PollFlags::POLLIN)];
        match poll(&mut waited, left) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// It ends when its input does; one that hangs is killed.
    fn end(mut self) {
        drop(self.input);
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            tracing::debug!(%error, "the canary could not be ended");
        }
    }
}

/// A line of the answer: a hook, the number that its record shows, and `ok` or why not.
fn tried(line: &str) -> Result<Tried, CanaryError> {
    let word = || CanaryError::Word { line: line.to_owned() };
    let (hook, rest) = line.split_once(' ').ok_or_else(word)?;
    let (number, outcome) = rest.split_once(' ').ok_or_else(word)?;
    let (hook, number) = (hook.to_owned(), number.parse().map_err(|_| word())?);
    Ok(Tried { hook, number, came: false, refusal: if outcome == "ok" { String::new() } else { outcome.to_owned() } })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A round with a program that answers these lines, and of which nothing is ever seen.
    fn check(folder: &Path, lines: &str) -> String {
        let (written, program) = (folder.join("written"), folder.join("answers"));
        fs::write(&written, format!("#!/bin/sh\necho ready\nread line\nprintf '{lines}'\n")).expect("write a script");
        // Not by this process: a child of another test would hold it open for writing, and nobody may execute it then.
        let mut install = std::process::Command::new("install");
        let installed = install.arg("--mode=700").arg(written).arg(&program).status().expect("let it run");
        assert!(installed.success());
        let mut rounds =
            Rounds::new(program, folder.join("ground"), folder.to_owned(), Sighted::default(), Arc::default());
        rounds.arrival = Duration::from_millis(1);
        match rounds.make() {
            Ok(round) => {
                let lines: Vec<String> =
                    round.iter().map(|it| format!("{} {} {} {}", it.hook, it.number, it.came, it.refusal)).collect();
                lines.join("\n")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_was_refused_is_not_waited_for_and_what_did_not_come_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(check(folder.path(), "exec 2 not permitted\\nend\\n"), "exec 2 false not permitted");
        assert_eq!(check(folder.path(), "exec 2 ok\\nend\\n"), "exec 2 false ");
    }

    #[test]
    fn a_canary_that_ends_or_says_something_else_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(check(folder.path(), ""), "hear from the canary");
        assert_eq!(check(folder.path(), "nonsense\\nend\\n"), "the canary answered \"nonsense\"");
    }
}

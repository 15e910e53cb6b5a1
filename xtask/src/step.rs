//! One step of the build, shown to a person: a spinner on a terminal, plain lines elsewhere. Takes commands; gives their
//! output, and keeps it in a file. Never hides a failure: the end of the output is part of the error.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Lines of a failed command that are shown; the whole is in the log file.
const SHOWN_ON_FAILURE: usize = 80;

/// No command of ours takes longer, on a slow machine and with nothing compiled.
const LONGEST: Duration = Duration::from_hours(1);

/// How often a long step says on plain output that it lives.
const HEARTBEAT: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(20);

/// How long the output of a command is read after its end.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// A step under way.
pub(crate) struct Step {
    title: String,
    started: Instant,
    bar: Option<ProgressBar>,
    log: PathBuf,
}

/// What a command printed.
pub(crate) struct Printed {
    /// Both streams, line by line, in the order in which they came.
    pub(crate) text: String,
    /// Whether it ended with success.
    pub(crate) success: bool,
}

impl Step {
    /// Says that a step begins. Its commands' output goes to a file named after it in `logs`.
    pub(crate) fn begin(logs: &Path, title: &str) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("create {}", logs.display()))?;
        let log = logs.join(format!("{}.log", file_name(title)));
        File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let bar = std::io::stderr().is_terminal().then(|| spinner(title));
        if bar.is_none() {
            eprintln!("{title} …");
        }
        Ok(Self { title: title.to_owned(), started: Instant::now(), bar, log })
    }

    /// Shows what the step is at.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(shorten(text)),
            None => eprintln!("  {text}"),
        }
    }

    /// Ends the step with a word on its result and gives the time that it took.
    pub(crate) fn end(self, result: &str) -> Duration {
        let took = self.started.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: {result} ({:.1} s)", self.title, took.as_secs_f64());
        took
    }

    /// Runs a command to its end; a failure is an error that holds the last lines.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String> {
        let shown = describe(command);
        let printed = self.try_run(command)?;
        if printed.success {
            return Ok(printed.text);
        }
        bail!("`{shown}` failed:\n{}\nThe whole output is in {}", tail(&printed.text), self.log.display())
    }

    /// Runs a command to its end; failing is a result like another.
    pub(crate) fn try_run(&self, command: &mut Command) -> Result<Printed> {
        self.run_within(command, LONGEST)
    }

    /// Runs a command, and kills it when it takes longer than it may.
    pub(crate) fn run_within(&self, command: &mut Command, limit: Duration) -> Result<Printed> {
        let shown = describe(command);
        let log = fs::OpenOptions::new().append(true).open(&self.log).context("open the log of the step")?;
        let sink = Arc::new(Mutex::new(Sink { log, text: String::new(), last: String::new() }));
        lock(&sink).log_line(&format!("$ {shown}"));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start `{shown}`"))?;
        let stdout = child.stdout.take().context("the standard output of a command")?;
        let stderr = child.stderr.take().context("the error output of a command")?;
        let readers = [read(stdout, Arc::clone(&sink)), read(stderr, Arc::clone(&sink))];
        let success = self.wait(&mut child, &sink, limit)?;
        // A process that the command left behind may hold its output open for ever: it is given a moment, not more.
        let patience = Instant::now();
        while patience.elapsed() < AFTERWARDS && !readers.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(POLL);
        }
        let text = std::mem::take(&mut lock(&sink).text);
        Ok(Printed { text, success })
    }

    fn wait(&self, child: &mut Child, sink: &Mutex<Sink>, limit: Duration) -> Result<bool> {
        let started = Instant::now();
        let mut told = started;
        loop {
            if let Some(status) = child.try_wait().context("wait for a command")? {
                if let Some(signal) = status.signal() {
                    lock(sink).take(&format!("ended by signal {signal}"));
                }
                return Ok(status.success());
            }
            if started.elapsed() > limit {
                child.kill().context("kill a command that takes too long")?;
                child.wait().context("wait for a command that was killed")?;
                lock(sink).take(&format!("killed: it took longer than {} s", limit.as_secs()));
                return Ok(false);
            }
            match &self.bar {
                Some(bar) => bar.set_message(shorten(&lock(sink).last)),
                None if told.elapsed() > HEARTBEAT => {
                    told = Instant::now();
                    eprintln!("  {} s: {}", self.started.elapsed().as_secs(), shorten(&lock(sink).last));
                }
                None => {}
            }
            std::thread::sleep(POLL);
        }
    }
}

struct Sink {
    log: File,
    text: String,
    last: String,
}

impl Sink {
    fn take(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        // Cargo's messages for programs say nothing to a person.
        if !line.starts_with('{') {
            line.clone_into(&mut self.last);
        }
        self.log_line(line);
    }

    fn log_line(&mut self, line: &str) {
        // A log that cannot be written (a full disk) must not stop the step: the text is still in memory.
        drop(writeln!(self.log, "{line}"));
    }
}

fn lock(sink: &Mutex<Sink>) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(stream: impl Read + Send + 'static, sink: Arc<Mutex<Sink>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            lock(&sink).take(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    })
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let mut last = VecDeque::with_capacity(SHOWN_ON_FAILURE);
    for line in text.lines() {
        if last.len() == SHOWN_ON_FAILURE {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn spinner(title: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(title.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn shorten(line: &str) -> String {
    line.chars().filter(|letter| !letter.is_control()).take(160).collect()
}

fn file_name(title: &str) -> String {
    title.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{SHOWN_ON_FAILURE, Step, file_name, shorten, tail};

    fn step(title: &str) -> Step {
        Step::begin(&std::env::temp_dir().join(format!("xtask-{}", std::process::id())), title)
            .expect("a log in the temporary folder")
    }

    #[test]
    fn both_streams_and_the_status_of_a_command_are_kept() {
        let printed =
            step("both").try_run(Command::new("sh").args(["-c", "echo a; echo b >&2; exit 3"])).expect("sh starts");
        assert!(!printed.success);
        assert!(printed.text.contains("a\n") && printed.text.contains("b\n"));
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let printed =
            step("slow").run_within(Command::new("sleep").arg("60"), Duration::from_millis(50)).expect("sleep starts");
        assert!(!printed.success);
        assert_eq!(printed.text, "killed: it took longer than 0 s\n");
    }

    #[test]
    fn a_failure_shows_the_end_of_a_long_output() {
        let lines: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
        let text = lines.join("\n");
        assert_eq!(tail(&text).lines().count(), SHOWN_ON_FAILURE);
        assert!(tail(&text).ends_with("line 999"));
    }

    #[test]
    fn a_title_becomes_a_file_name() {
        assert_eq!(file_name("kernel programs/clippy"), "kernel-programs-clippy");
    }

    #[test]
    fn escapes_in_a_line_do_not_reach_the_terminal() {
        assert_eq!(shorten("\u{1b}[31mred"), "[31mred");
    }
}

//! A process that is held by a descriptor: signals go to it and to no other that has its pid later.
//!
//! Takes a process key; gives a handle after the start time behind the descriptor was compared with the key's, or the reason
//! why not. Signals nothing that is protected: the host's first process, the runtimes, the agent.

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::v1::ProcessKey;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::origin::process::TICK_NS;
use crate::origin::seed;

/// A signal takes microseconds to be acted on, unless the process sleeps in the kernel where nothing reaches it.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

/// A line of fifty-two numbers and a name.
const STAT_BYTES: usize = 2048;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs or waits.
    Running,
    /// It is stopped (`T`).
    Stopped,
    /// It has ended, whether or not its parent has looked.
    Gone,
}

impl State {
    /// As it stands in results.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Stopped => "stopped",
            State::Gone => "gone",
        }
    }
}

/// Why a process is not held.
#[derive(Debug, thiserror::Error)]
pub enum NotHeld {
    /// It has ended.
    #[error("process {pid} has ended")]
    Gone {
        /// Its pid.
        pid: u32,
    },
    /// Another process has its pid.
    #[error("pid {pid} is another process now: it began at tick {found}, not {asked}")]
    Another {
        /// The pid.
        pid: u32,
        /// When the process that has it began.
        found: u64,
        /// When the one that was asked for began.
        asked: u64,
    },
    /// It is protected.
    #[error("process {pid} is protected: {why}")]
    Protected {
        /// Its pid.
        pid: u32,
        /// What it is.
        why: String,
    },
    /// The kernel refused.
    #[error("open a descriptor of process {pid}")]
    Kernel {
        /// Its pid.
        pid: u32,
        /// In its words.
        #[source]
        cause: io::Error,
    },
}

/// Who is never stopped, killed or cut off.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The mount of `/proc`.
    pub proc: PathBuf,
    /// Executables of the host. In a container the same path is the container's own file, and protects nobody.
    pub never_touch: Vec<PathBuf>,
}

impl Guard {
    /// Why a process is protected; `None`: it is not.
    pub fn protects(&self, pid: u32) -> Option<String> {
        if pid <= 2 {
            return Some("it is the host's first process".to_owned());
        }
        if pid == std::process::id() {
            return Some("it is this agent".to_owned());
        }
        let host = seed::mount_namespace(&self.proc, 1);
        let own = seed::mount_namespace(&self.proc, pid);
        if host.is_some() && own.is_some() && host != own {
            return None;
        }
        let link = self.proc.join(pid.to_string()).join("exe");
        let executable = fs::read_link(&link).ok()?;
        let text = executable.to_string_lossy();
        // An upgraded runtime runs on from the file that was removed.
        let path = Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text));
        // One call for each that is listed, links and all: the process that is to be stopped runs meanwhile.
        let runs = file(&link);
        let is = |listed: &&PathBuf| path == listed.as_path() || (runs.is_some() && file(listed) == runs);
        let listed = self.never_touch.iter().find(is)?;
        Some(format!("it runs {}", listed.display()))
    }
}

/// Which file a path leads to: its device and inode.
fn file(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// A process, held.
#[derive(Debug)]
pub struct Held {
    key: ProcessKey,
    descriptor: OwnedFd,
    folder: PathBuf,
}

impl Held {
    /// Takes hold of a process for reading.
    pub fn take(proc: &Path, key: ProcessKey) -> Result<Self, NotHeld> {
        let pid = key.pid;
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(NotHeld::Gone { pid })?;
        let descriptor = pidfd_open(raw, PidfdFlags::empty()).map_err(|error| match error {
            rustix::io::Errno::SRCH => NotHeld::Gone { pid },
            other => NotHeld::Kernel { pid, cause: other.into() },
        })?;
        // The descriptor first, then the start: whatever takes the pid in between began later.
        let found = seed::start_tick(proc, pid).ok_or(NotHeld::Gone { pid })?;
        let asked = key.start_ns / TICK_NS;
        if found != asked {
            return Err(NotHeld::Another { pid, found, asked });
        }
        Ok(Self { key, descriptor, folder: proc.join(pid.to_string()) })
    }

    /// Takes hold of a process to signal it.
    pub fn take_to_signal(guard: &Guard, key: ProcessKey) -> Result<Self, NotHeld> {
        if let Some(why) = guard.protects(key.pid) {
            return Err(NotHeld::Protected { pid: key.pid, why });
        }
        Self::take(&guard.proc, key)
    }

    /// Its key.
    pub fn key(&self) -> ProcessKey {
        self.key
    }

    /// Its folder in `/proc`: of this process only as long as [`Held::state`] is not `Gone` afterwards.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it does now.
    pub fn state(&self) -> State {
        let Some((letter, tick)) = state_letter(&self.folder) else { return State::Gone };
        match letter {
            _ if tick != self.key.start_ns / TICK_NS => State::Gone,
            b'T' | b't' => State::Stopped,
            b'Z' | b'X' | b'x' => State::Gone,
            _ => State::Running,
        }
    }

    /// Stops it, and looks whether it stopped.
    pub fn stop(&self) -> io::Result<State> {
        pidfd_send_signal(&self.descriptor, Signal::STOP)?;
        Ok(self.until(State::Stopped))
    }

    /// Lets it go on, and looks whether it does.
    pub fn resume(&self) -> io::Result<State> {
        pidfd_send_signal(&self.descriptor, Signal::CONT)?;
        Ok(self.until(State::Running))
    }

    /// Ends it, and looks whether it ended.
    pub fn kill(&self) -> io::Result<State> {
        pidfd_send_signal(&self.descriptor, Signal::KILL)?;
        Ok(self.until(State::Gone))
    }

    fn until(&self, wanted: State) -> State {
        for _ in 0..LOOKS {
            let state = self.state();
            if state == wanted || state == State::Gone {
                return state;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        self.state()
    }
}

/// The state's letter and the start's tick, of the process that has the folder now.
fn state_letter(folder: &Path) -> Option<(u8, u64)> {
    // The kernel gives all of it to one read that has room for it.
    let mut room = [0; STAT_BYTES];
    let length = fs::File::open(folder.join("stat")).ok()?.read(&mut room).ok()?;
    let stat = room.get(..length)?;
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let text = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let letter = *fields.next()?.as_bytes().first()?;
    Some((letter, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    const PROC: &str = "/proc";

    fn child() -> (Child, ProcessKey) {
        let child = Command::new("sleep").arg("60").spawn().expect("sleep is on every machine");
        let key = seed::one(Path::new(PROC), child.id()).expect("the child runs").key;
        (child, key)
    }

    #[test]
    fn a_process_is_stopped_resumed_and_killed_and_each_is_looked_at() {
        let (mut child, key) = child();
        let guard = Guard { proc: PathBuf::from(PROC), never_touch: Vec::new() };
        let held = Held::take_to_signal(&guard, key).expect("it is ours");
        assert_eq!(held.stop().expect("it is ours"), State::Stopped);
        assert_eq!(held.resume().expect("it is ours"), State::Running);
        assert_eq!(held.kill().expect("it is ours"), State::Gone);
        child.wait().expect("it was ours");
        assert_eq!(held.state(), State::Gone);
        assert!(matches!(Held::take(Path::new(PROC), key), Err(NotHeld::Gone { .. })));
    }

    #[test]
    fn a_pid_with_another_start_is_not_held() {
        let (mut child, key) = child();
        let other = ProcessKey { start_ns: key.start_ns + 5 * TICK_NS, ..key };
        assert!(matches!(Held::take(Path::new(PROC), other), Err(NotHeld::Another { .. })));
        child.kill().expect("it is ours");
        child.wait().expect("it was ours");
    }

    #[test]
    fn the_first_process_the_agent_and_the_listed_are_protected() {
        let (mut child, key) = child();
        let sleep = fs::read_link(format!("/proc/{}/exe", key.pid)).expect("the child runs");
        let guard = Guard { proc: PathBuf::from(PROC), never_touch: vec![sleep] };
        assert!(guard.protects(1).is_some());
        assert!(guard.protects(std::process::id()).is_some());
        assert!(guard.protects(key.pid).is_some_and(|why| why.starts_with("it runs ")));
        assert!(matches!(Held::take_to_signal(&guard, key), Err(NotHeld::Protected { .. })));
        child.kill().expect("it is ours");
        child.wait().expect("it was ours");
    }
}

//! Taking what goes away: the facts of a process, its files and its program's bytes, then the sealed recorder.
//!
//! Takes processes that are held; gives artifacts in the order of volatility, hashed while they are read, and the reason for
//! each that could not be had. Reads only; what it does to the processes (a stop before it) is the caller's to say.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde_json::json;

use super::artifact::{Artifacts, Label};
use super::facts;
use super::held::{Held, State};
use super::manifest::Recording;
use super::memory;
use super::outside::Recorder;
use super::secret::{self, HashKey, KeyOf};

/// Files without a name of one process whose bytes are taken.
const NAMELESS_FILES: usize = 16;
/// Programs that run a file that is named in their arguments.
const INTERPRETERS: [&str; 14] =
    ["sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "python", "perl", "ruby", "node", "php", "lua", "pwsh"];

/// How much is taken.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Of one artifact. The recorder is bounded by the log's own settings.
    pub artifact_bytes: u64,
    /// Of one process's memory that is looked through for access keys.
    pub memory_bytes: u64,
    /// How much before the moment is sealed.
    pub before: Duration,
}

/// What a capture gave beside its artifacts.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Access keys in the processes.
    pub access_keys: Vec<KeyOf>,
    /// The part of the log that was sealed.
    pub recording: Recording,
    /// What was changed on the node by the capture itself.
    pub side_effects: Vec<String>,
}

/// Captures processes. The recorder is fixed first, which costs nothing, and written last.
pub fn capture(
    processes: &[Held],
    recorder: &dyn Recorder,
    span: Duration,
    bounds: &Bounds,
    key: &HashKey,
    artifacts: &mut Artifacts,
) -> Gathered {
    let sealed = recorder.seal(span);
    let mut gathered = Gathered::default();
    for process in processes {
        volatile(process, key, bounds, artifacts, &mut gathered);
    }
    for process in processes {
        programs(process, artifacts);
    }
    gathered.access_keys.sort();
    gathered.access_keys.dedup();
    match sealed {
        Ok(sealed) => {
            let recording = sealed.recording();
            if recording.last_position > 0 {
                gathered.recording = recording;
                let (first, last) = (recording.first_position, recording.last_position);
                let label = Label {
                    artifact_id: "recorder.seg".to_owned(),
                    kind: "recorder",
                    name: format!("events {first} to {last}"),
                    media_type: "application/vnd.mayfly.segment",
                    method: format!("the last {} s of the node's log, sealed", span.as_secs()),
                };
                artifacts.write(label, |out, _| sealed.write_to(out).map(|()| None));
            } else {
                artifacts.fail("recorder", "events", "the log holds no event of that time");
            }
        }
        Err(error) => artifacts.fail("recorder", "events", &error.to_string()),
    }
    gathered
}

/// What ends with the process, or changes while it runs.
fn volatile(process: &Held, key: &HashKey, bounds: &Bounds, artifacts: &mut Artifacts, gathered: &mut Gathered) {
    let (folder, pid) = (process.folder(), process.key().pid);
    let name = format!("process {pid}");
    let label = |kind: &'static str, method: &str| Label {
        artifact_id: format!("{pid}-{kind}.json"),
        kind,
        name: name.clone(),
        media_type: "application/json",
        method: method.to_owned(),
    };
    match facts::files(folder) {
        Ok(files) => {
            let partial = ended(process);
            let value = json!({ "process": process.key().pid, "startNs": process.key().start_ns, "files": files });
            let bytes = serde_json::to_vec_pretty(&value).expect("plain values are JSON");
            artifacts.write(label("process_facts", "read /proc"), |out, _| {
                io::Write::write_all(out, &bytes)?;
                Ok(partial)
            });
        }
        Err(error) => artifacts.fail("process_facts", &name, &reason(&error)),
    }
    match facts::open_files(folder) {
        Ok(files) => {
            artifacts.json(label("open_files", "read /proc/<pid>/fd and fdinfo"), &files);
            match facts::sockets(folder, &files) {
                Ok(sockets) => artifacts.json(label("sockets", "read /proc/<pid>/net"), &sockets),
                Err(error) => artifacts.fail("sockets", &name, &reason(&error)),
            }
            nameless(folder, pid, &files, artifacts);
        }
        Err(error) => artifacts.fail("open_files", &name, &reason(&error)),
    }
    let mut keys = Vec::new();
    match facts::read(&folder.join("environ")) {
        Ok(environ) => {
            keys.extend(secret::keys_of_environment(&environ, key));
            let method = "read /proc/<pid>/environ; values of secrets are replaced by their keyed hash";
            artifacts.json(label("environment", method), &secret::environment(&environ, key));
        }
        Err(error) => artifacts.fail("environment", &name, &reason(&error)),
    }
    match memory::look(folder, bounds.memory_bytes, key) {
        Ok(found) => {
            keys.extend(found.keys);
            let value = json!({
                "process": pid, "startNs": process.key().start_ns, "algorithm": "HMAC-SHA256", "keyId": key.id(),
                "accessKeys": keys, "memoryBytesLooked": found.looked, "memoryBytesLeft": found.left,
            });
            let method = "environment and writable memory were looked through; only keyed hashes are kept";
            artifacts.json(label("access_keys", method), &value);
        }
        Err(error) => artifacts.fail("access_keys", &name, &reason(&error)),
    }
    gathered.access_keys.extend(keys.into_iter().map(|key| KeyOf { pid, key }));
}

/// Why a part of `/proc` cannot be read, in words: the folder of a process goes with it.
fn reason(error: &io::Error) -> String {
    let gone = error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32);
    if gone { "the process had ended".to_owned() } else { error.to_string() }
}

/// A process that ended while its facts were read gave what was left of them.
fn ended(process: &Held) -> Option<String> {
    (process.state() == State::Gone).then(|| "the process ended while it was read".to_owned())
}

/// Files whose name is gone: memfds and deleted ones. Their bytes go with the process.
fn nameless(folder: &Path, pid: u32, files: &[facts::OpenFile], artifacts: &mut Artifacts) {
    for file in files.iter().filter(|file| file.is_nameless()).take(NAMELESS_FILES) {
        let facts::Bytes::Text(target) = &file.target else { continue };
        let label = Label {
            artifact_id: format!("{pid}-open-{}", file.descriptor),
            kind: "open_file",
            name: target.clone(),
            media_type: "application/octet-stream",
            method: format!("read /proc/{pid}/fd/{}", file.descriptor),
        };
        match open_regular(&folder.join("fd").join(file.descriptor.to_string())) {
            Ok(Some(opened)) => artifacts.read(label, opened),
            Ok(None) => {}
            Err(error) => artifacts.fail("open_file", target, &error.to_string()),
        }
    }
}

/// The program, also where its file is deleted or was never one, and the script that it was given.
fn programs(process: &Held, artifacts: &mut Artifacts) {
    let (folder, pid) = (process.folder(), process.key().pid);
    let path = std::fs::read_link(folder.join("exe")).map(|path| path.to_string_lossy().into_owned());
    let name = path.unwrap_or_else(|_| format!("process {pid}"));
    let opened = File::open(folder.join("exe")).and_then(|file| match process.state() {
        // The folder could be another process's by now: its program would be a false exhibit.
        State::Gone => Err(io::Error::other("the process has ended")),
        State::Running | State::Stopped => Ok(file),
    });
    match opened {
        Ok(file) => {
            let label = Label {
                artifact_id: format!("{pid}-executable"),
                kind: "executable",
                name: name.clone(),
                media_type: "application/octet-stream",
                method: format!("read /proc/{pid}/exe: the very file that runs, whatever its name says now"),
            };
            artifacts.read(label, file);
        }
        Err(error) => artifacts.fail("executable", &name, &reason(&error)),
    }
    let arguments = facts::read(&folder.join("cmdline")).unwrap_or_default();
    let Some(script) = script(&name, &arguments) else { return };
    match open_inside(folder, &script) {
        Ok(Some(file)) => {
            let label = Label {
                artifact_id: format!("{pid}-script"),
                kind: "script",
                name: script.display().to_string(),
                media_type: "application/octet-stream",
                method: format!("read below /proc/{pid}/root"),
            };
            artifacts.read(label, file);
        }
        Ok(None) => {}
        Err(error) => artifacts.fail("script", &script.display().to_string(), &error.to_string()),
    }
}

/// The file that an interpreter was given: its first argument that is no option. With `-c` there is none.
fn script(executable: &str, arguments: &[u8]) -> Option<PathBuf> {
    let base = Path::new(executable).file_name()?.to_str()?;
    let base = base.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    if !INTERPRETERS.contains(&base) {
        return None;
    }
    let arguments: Vec<&[u8]> = arguments.split(|&byte| byte == 0).skip(1).collect();
    for argument in arguments {
        if matches!(argument, b"-c" | b"-e" | b"-m" | b"-s" | b"-") || argument.is_empty() {
            return None;
        }
        // busybox is called `busybox sh script`.
        let applet = base == "busybox" && INTERPRETERS.iter().any(|name| name.as_bytes() == argument);
        if !argument.starts_with(b"-") && !applet {
            return Some(PathBuf::from(String::from_utf8_lossy(argument).into_owned()));
        }
    }
    None
}

/// A file as the process sees it: below its own root, from its own directory. A link cannot lead out of that root.
fn open_inside(folder: &Path, path: &Path) -> io::Result<Option<File>> {
    let root = rustix::fs::open(folder.join("root"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let whole = std::fs::read_link(folder.join("cwd"))?.join(path);
    let below = whole.strip_prefix("/").unwrap_or(&whole);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(rustix::fs::openat2(&root, below, flags, Mode::empty(), inside)?);
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Opens what is a regular file; a pipe or a device in its place would hold the reader, or do something when it is read.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() || kind.is_fifo() {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(Some(File::from(rustix::fs::open(path, flags, Mode::empty())?)))
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;

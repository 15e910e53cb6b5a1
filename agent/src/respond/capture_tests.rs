//! Tests of captures: a child of this process in, what was taken and what was not out.

use std::fs;
use std::process::{Child, Command, Stdio};

use proto::hash_secret::HashSecret;
use sha2::{Digest, Sha256};

use super::*;
use crate::origin::seed;
use crate::respond::artifact::Hashing;
use crate::respond::outside::Sealed;

/// A recorder that holds two events.
struct Two;

impl Recorder for Two {
    fn seal(&self, _: Duration) -> io::Result<Box<dyn Sealed>> {
        Ok(Box::new(Two))
    }
}

impl Sealed for Two {
    fn recording(&self) -> Recording {
        Recording { first_position: 7, last_position: 8, from_ns: 1, to_ns: 2 }
    }

    fn write_to(&self, out: &mut Hashing) -> io::Result<()> {
        io::Write::write_all(out, b"two events")
    }
}

fn held(child: &Child) -> Held {
    let key = seed::one(Path::new("/proc"), child.id()).expect("the child runs").key;
    Held::take(Path::new("/proc"), key).expect("the child runs")
}

fn take(processes: &[Held], folder: &Path) -> (Artifacts, Gathered) {
    let mut artifacts = Artifacts::new(folder.to_path_buf(), 64 << 20);
    let bounds = Bounds { artifact_bytes: 64 << 20, memory_bytes: 4 << 20, before: Duration::from_mins(5) };
    let key = HashKey::shared(&HashSecret::of(b"a deployment"));
    let gathered = capture(processes, &Two, bounds.before, &bounds, &key, &mut artifacts);
    (artifacts, gathered)
}

fn end(mut child: Child) {
    child.kill().expect("it is ours");
    child.wait().expect("it was ours");
}

#[test]
fn a_process_is_captured_with_its_program_and_without_its_secrets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = Command::new("sleep")
        .arg("60")
        .env("AWS_ACCESS_KEY_ID", "ASIA1234567890ABCDEF")
        .env("DB_PASSWORD", "hunter2hunter2")
        .spawn()
        .expect("sleep is on every machine");
    let (artifacts, gathered) = take(&[held(&child)], folder.path());
    let kinds: Vec<&str> = artifacts.taken.iter().map(|taken| taken.kind.as_str()).collect();
    let order = ["process_facts", "open_files", "sockets", "environment", "access_keys", "executable", "recorder"];
    assert_eq!(kinds, order, "{:?}", artifacts.failures);
    assert!(artifacts.failures.is_empty() && gathered.recording.first_position == 7);
    let program = fs::read(format!("/proc/{}/exe", child.id())).expect("the child runs");
    let taken = artifacts.taken.iter().find(|taken| taken.kind == "executable").expect("it was taken");
    assert_eq!(taken.sha256, hex::encode(Sha256::digest(&program)));
    for file in fs::read_dir(folder.path()).expect("it is there").flatten() {
        let bytes = fs::read(file.path()).expect("it is there");
        for secret in [&b"ASIA1234567890ABCDEF"[..], b"hunter2hunter2"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{:?}", file.file_name());
        }
    }
    let hash = HashKey::shared(&HashSecret::of(b"a deployment")).hash(b"ASIA1234567890ABCDEF");
    assert!(
        gathered
            .access_keys
            .iter()
            .any(|of| of.pid == child.id() && of.key.hash == hash && of.key.place == "environ AWS_ACCESS_KEY_ID")
    );
    end(child);
}

#[test]
fn a_deleted_program_and_a_deleted_open_file_are_captured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (program, input) = (folder.path().join("dropped"), folder.path().join("input"));
    // Not by this process: a child that another test starts meanwhile would hold it open for writing, and nobody may execute it then.
    let copied = Command::new("cp").arg("/bin/sleep").arg(&program).status().expect("cp is on every machine");
    assert!(copied.success());
    fs::write(&input, b"what was read").expect("it can be written");
    let stdin = fs::File::open(&input).expect("it is there");
    let child = Command::new(&program).arg("60").stdin(stdin).spawn().expect("it was copied");
    fs::remove_file(&program).expect("it is there");
    fs::remove_file(&input).expect("it is there");
    let out = tempfile::tempdir().expect("a temporary folder");
    let (artifacts, _) = take(&[held(&child)], out.path());
    let of = |kind: &str| artifacts.taken.iter().find(|taken| taken.kind == kind).expect("it was taken");
    assert_eq!(of("executable").size, fs::metadata("/bin/sleep").expect("it is there").len());
    assert!(of("executable").name.ends_with("dropped (deleted)"));
    let open = fs::read(out.path().join(&of("open_file").artifact_id)).expect("it was taken");
    assert_eq!(open, b"what was read");
    end(child);
}

#[test]
fn the_script_of_an_interpreter_is_captured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("run.sh"), b"read line\n").expect("it can be written");
    let mut child = Command::new("sh");
    child.arg("run.sh").current_dir(folder.path()).stdin(Stdio::piped());
    let child = child.spawn().expect("a shell is on every machine");
    let held = held(&child);
    while fs::read_link(held.folder().join("exe")).is_ok_and(|exe| exe == std::env::current_exe().expect("it runs")) {
        std::thread::yield_now();
    }
    let out = tempfile::tempdir().expect("a temporary folder");
    let (artifacts, _) = take(&[held], out.path());
    let script = artifacts.taken.iter().find(|taken| taken.kind == "script").expect("it was taken");
    assert_eq!(fs::read(out.path().join(&script.artifact_id)).expect("it was taken"), b"read line\n");
    end(child);
}

#[test]
fn a_process_that_has_ended_leaves_failures_with_reasons_and_the_recording() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = Command::new("sleep").arg("60").spawn().expect("sleep is on every machine");
    let held = held(&child);
    end(child);
    let (artifacts, gathered) = take(&[held], folder.path());
    assert_eq!(artifacts.taken.iter().map(|taken| taken.kind.as_str()).collect::<Vec<_>>(), ["recorder"]);
    assert!(artifacts.failures.len() >= 4 && artifacts.failures.iter().all(|failure| !failure.reason.is_empty()));
    assert_eq!(gathered.recording.last_position, 8);
}

#[test]
fn only_a_file_that_an_interpreter_was_given_is_a_script() {
    let check = |executable: &str, line: &str| {
        let arguments = line.replace(' ', "\0");
        script(executable, arguments.as_bytes()).map_or("-".to_owned(), |path| path.display().to_string())
    };
    assert_eq!(check("/usr/bin/python3.11", "python3 -u /srv/x.py a"), "/srv/x.py");
    assert_eq!(check("/bin/busybox", "busybox sh x.sh"), "x.sh");
    assert_eq!(check("/bin/bash", "bash -c id"), "-");
    assert_eq!(check("/bin/bash", "-bash"), "-");
    assert_eq!(check("/bin/cat", "cat /etc/passwd"), "-");
}

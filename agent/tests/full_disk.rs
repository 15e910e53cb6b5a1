//! A disk that is really full: a small file system in memory, filled to its last byte. What the agent keeps waits for room, what cannot be
//! kept says so, and nothing is sent that is not whole. Needs root to mount it; says so and passes where there is none.
#![allow(missing_docs, reason = "tests are named as sentences")]

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use agent::clock::Clock;
use agent::deliver::spool::{Artifact, Spool};
use agent::log::{Log, LogOptions};
use proto::v1::event::Body;
use proto::v1::{Event, FileUnlink};

/// A file system of one MiB, gone at the end.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Nothing where it cannot be mounted, which is then said.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "mayfly-test"]).arg(folder.path()).status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        println!("skipped: a small file system cannot be mounted here (needs root)");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes until not one byte more fits.
    fn fill(&self) {
        let mut file = fs::File::create(self.path("ballast")).expect("a file");
        for size in [65_536, 4_096, 512, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path("ballast")).expect("it is ours");
    }

    fn log(&self, clock: &Clock) -> Log {
        let options = LogOptions {
            folder: self.path("log"),
            max_bytes: 1 << 30,
            max_age: Duration::from_hours(1),
            block_bytes: 4 << 10,
            block_age: Duration::from_millis(200),
            level: 1,
            awaits_sender: true,
        };
        Log::open(options, [7; 16], clock).expect("it opens")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "{} stays mounted", self.folder.path().display());
    }
}

fn append(log: &Log, clock: &Clock, count: u64) {
    for number in 0..count {
        let now = clock.now();
        let path = format!("/tmp/{number:0>100}").into_bytes();
        let body = Some(Body::FileUnlink(FileUnlink { path, ..FileUnlink::default() }));
        log.append(&mut Event { time_ns: now.wall_ns, boot_ns: now.boot_ns, body, ..Event::default() });
    }
    log.close_block();
}

/// How far a sender would get after `position`, block by block without a hole.
fn sendable(log: &Log, mut position: u64) -> u64 {
    log.sync();
    while let Some(block) = log.block_after(position).expect("it can be read") {
        assert_eq!(block.first_position, position + 1, "a hole");
        position += u64::from(block.count);
    }
    position
}

#[test]
fn events_wait_for_room_on_a_full_disk_and_none_is_lost() {
    let Some(disk) = SmallDisk::mount() else { return };
    let clock = Clock::standing(1_790_000_000_000_000_000, 1_000_000_000_000);
    let log = disk.log(&clock);
    append(&log, &clock, 100);
    assert_eq!(sendable(&log, 0), 100);
    disk.fill();
    for _ in 0..20 {
        append(&log, &clock, 100);
    }
    assert!(log.counters().write_failures > 0, "the disk took all of it");
    assert!(sendable(&log, 0) < 2_100, "what is not on disk is not sent");
    // Nor does it stop because the place that the collector has reached cannot be noted.
    log.acknowledge(50);
    disk.make_room();
    log.tick();
    log.close_block();
    assert_eq!(sendable(&log, 0), 2_100);
    assert_eq!(log.counters().dropped_events, 0);
    log.finish();
    drop(log);

    let again = disk.log(&clock);
    assert_eq!(sendable(&again, 0), 2_100, "and the next agent has them all");
}

#[test]
fn a_capture_that_does_not_fit_is_not_sent_and_the_error_names_the_file_and_the_reason() {
    let Some(disk) = SmallDisk::mount() else { return };
    let spool = Spool::open(disk.path("captures"), 1 << 30).expect("it opens");
    let folder = spool.begin("one").expect("a folder");
    fs::write(folder.join("executable"), b"bytes").expect("it fits");
    let artifact = Artifact {
        artifact_id: "executable".to_owned(),
        kind: "executable".to_owned(),
        name: "/tmp/x".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        size: 5,
        sha256: String::new(),
    };
    disk.fill();
    let error = spool.commit("one", b"{}", std::slice::from_ref(&artifact)).expect_err("there is no room");
    let said = format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
    assert!(said.contains(folder.to_str().expect("a name")) && said.contains("No space left on device"), "{said}");
    assert!(spool.waiting().is_empty(), "half a capture is sent");
    disk.make_room();
    spool.commit("one", b"{}", &[artifact]).expect("there is room");
    let waiting = spool.waiting();
    assert_eq!(waiting.len(), 1);
    assert_eq!(read(&waiting[0].folder), b"bytes");
}

fn read(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("executable")).expect("it is there")
}

//! Bytes that change between what a sensor reads and what the kernel reads: what is told is what the kernel did.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;

use agent::decode::Body;

use super::begin;
use crate::stimulus::stimulus;
use crate::watch::{bytes, folder};

/// Fewer than the connections that wait for somebody to accept them.
const TIMES: i32 = 100;

/// Which of the two it can have been, by how often the program itself says that it was the first.
fn happened(first: i32) -> [bool; 2] {
    assert!((0..=TIMES).contains(&first), "{first}");
    [first > 0, first < TIMES]
}

#[test]
fn a_path_that_changes_under_way_is_told_as_the_file_that_was_opened() {
    let Some((watch, _)) = begin(6) else { return };
    let (_keep, folder) = folder();
    let files = ["a", "b"].map(|name| folder.join(name));
    for file in &files {
        fs::write(file, b"").expect("write");
    }
    let inodes = files.each_ref().map(|file| fs::metadata(file).expect("it is there").ino());
    let words = files.each_ref().map(|file| file.to_str().expect("a plain path"));
    let done = stimulus(&["flip_open", words[0], words[1], &TIMES.to_string()]);
    watch.settle(&folder);
    for (number, opened) in happened(done.result).into_iter().enumerate() {
        let told = |path: &[u8], inode: u64| {
            watch.count(|record| match &record.body {
                Body::FileOpen(open) if record.header.pid == done.pid && open.fixed.object.inode == inode => {
                    open.path == path
                }
                _ => false,
            })
        };
        assert_eq!(told(bytes(&files[number]), inodes[number]) > 0, opened);
        assert_eq!(told(bytes(&files[1 - number]), inodes[number]), 0, "the other file's name");
    }
}

#[test]
fn an_address_that_changes_under_way_is_told_as_the_one_that_was_reached() {
    let Some((watch, _)) = begin(7) else { return };
    let (_keep, folder) = folder();
    let listener = TcpListener::bind("0.0.0.0:0").expect("listen");
    let port = listener.local_addr().expect("it has an address").port();
    let done = stimulus(&["flip_connect", &port.to_string(), &TIMES.to_string()]);
    watch.settle(&folder);
    for (last, reached) in [1, 2].into_iter().zip(happened(done.result)) {
        let told = watch.count(|record| match &record.body {
            Body::Connect(connect) if record.header.pid == done.pid && connect.established == 1 => {
                connect.flow.remote[..4] == [127, 0, 0, last]
            }
            _ => false,
        });
        assert_eq!(told > 0, reached, "127.0.0.{last}");
    }
}

#[test]
fn an_argument_that_changes_under_way_is_told_as_the_program_got_it() {
    let Some((watch, _)) = begin(8) else { return };
    for _ in 0..20 {
        let done = stimulus(&["flip_exec"]);
        let word = if done.result == 1 { b"\0flipped\0a\0" } else { b"\0flipped\0b\0" };
        watch.exec(done.pid, |_, exec| {
            let again = exec.arguments.windows(9).any(|part| part == b"\0flipped\0");
            again.then(|| assert!(exec.arguments.ends_with(word), "{:?}", exec.arguments.escape_ascii().to_string()))
        });
    }
}

//! What a ring of `io_uring` does, told as what it is and whose it is, also where a thread of the kernel does it for the process.

use std::fs;
use std::net::TcpListener;

use agent::decode::{Body, Change, Record};
use ebpf_common::header::flag;

use super::begin;
use crate::stimulus::{Done, stimulus};
use crate::watch::{Watch, bytes, folder, whole};

/// `IORING_SETUP_SQPOLL`: the kernel looks for requests by itself.
const BY_THE_KERNEL: &str = "2";
/// Of the flags of an open, how it is to be used: for reading alone.
const ACCESS_MODE: u32 = 0o3;
const READ_ONLY: u32 = 0;
/// Of `io_uring_register`: what the ring may do from now on, and that it begins.
const RESTRICTIONS: u32 = 11;
const ENABLE_RINGS: u32 = 12;
/// What a device's own driver is asked.
const COMMAND: u32 = 46;
/// What a kernel answers that does not know a request.
const UNKNOWN_REQUEST: i32 = -22;

/// From 5.12 on the kernel's threads for a ring are the process's own.
fn has_an_owner() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel has a release");
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 12)
}

fn reads_a_key(watch: &Watch, how: &[&str]) {
    let (_keep, folder) = folder();
    let key = folder.join(".ssh/id_rsa");
    fs::create_dir(folder.join(".ssh")).expect("make a folder");
    fs::write(&key, b"key").expect("write");
    let words = [&["uring_open", key.to_str().expect("a plain path")], how].concat();
    let done = stimulus(&words);
    if done.result == UNKNOWN_REQUEST {
        return println!("skipped: needs a ring of this kind");
    }
    assert_eq!(done.result, 3, "three bytes");
    watch.find("the open by a ring", |record| match &record.body {
        Body::FileOpen(open)
            if whole(open.path, open.directory, open.name) == bytes(&key)
                && open.fixed.flags & ACCESS_MODE == READ_ONLY =>
        {
            assert!(record.header.pid == done.pid || !has_an_owner(), "{} is not {}", record.header.pid, done.pid);
            assert_ne!(open.fixed.object.inode != 0, record.has(flag::ATTEMPT), "the file, or only its name");
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_file_read_through_a_ring_is_opened_by_its_owner() {
    let Some((watch, _)) = begin(1) else { return };
    reads_a_key(watch, &[]);
}

#[test]
fn a_file_read_by_the_kernels_own_thread_is_opened_by_the_rings_owner() {
    let Some((watch, _)) = begin(2) else { return };
    reads_a_key(watch, &[BY_THE_KERNEL]);
}

#[test]
fn a_connection_through_a_ring_is_told_with_its_end() {
    let Some((watch, _)) = begin(3) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen on the loopback");
    let port = listener.local_addr().expect("it has an address").port();
    let done = stimulus(&["uring_connect", &port.to_string()]);
    assert_eq!(done.result, 5, "five bytes");
    watch.find("the connect by a ring", |record| match &record.body {
        Body::Connect(connect) if connect.flow.remote_port == port => {
            assert_eq!(connect.established, 1);
            assert!(record.header.pid == done.pid || !has_an_owner());
            Some(())
        }
        _ => None,
    });
}

#[test]
fn names_changed_through_a_ring_are_told() {
    let Some((watch, _)) = begin(4) else { return };
    let (_keep, folder) = folder();
    let [old, new] = ["old", "new"].map(|name| folder.join(name));
    fs::write(&old, b"").expect("write");
    let words = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
    let renamed = stimulus(&["uring_rename", &words(&old), &words(&new)]);
    let removed = stimulus(&["uring_unlink", &words(&new)]);
    if [&renamed, &removed].iter().any(|done| done.result == UNKNOWN_REQUEST) {
        return println!("skipped: needs rings that change names");
    }
    let by = |done: &Done, pid: u32| pid == done.pid || !has_an_owner();
    watch.find("the rename by a ring", |record| match &record.body {
        Body::FileRename(rename) if rename.name == bytes(&old) => {
            (rename.new_name == bytes(&new) && by(&renamed, record.header.pid)).then_some(())
        }
        _ => None,
    });
    watch.find("the unlink by a ring", |record| match &record.body {
        Body::FileUnlink(unlink) if whole(unlink.path, unlink.directory, unlink.name) == bytes(&new) => {
            by(&removed, record.header.pid).then_some(())
        }
        _ => None,
    });
}

#[test]
fn a_ring_that_is_restricted_and_then_begun_is_told_by_both_words() {
    let Some((watch, _)) = begin(5) else { return };
    let done = stimulus(&["uring_restricted"]);
    if done.result < 0 {
        return println!("skipped: needs rings that can be restricted");
    }
    for (opcode, count) in [(RESTRICTIONS, 2), (ENABLE_RINGS, 0)] {
        watch.find("a ring that is changed", |record| match &record.body {
            Body::Kernel(Change::UringRegister(changed))
                if record.header.pid == done.pid && changed.opcode == opcode =>
            {
                assert_eq!((changed.count, changed.result, changed.descriptor), (count, 0, done.result));
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn a_command_for_a_device_is_told_with_the_device_and_the_commands_number() {
    let Some((watch, _)) = begin(5) else { return };
    let (_keep, folder) = folder();
    let done = stimulus(&["uring_command", "/dev/null", "77"]);
    if done.result == UNKNOWN_REQUEST {
        return println!("skipped: needs rings that take commands");
    }
    let is_command = |record: &Record<'_>| match &record.body {
        Body::Kernel(Change::UringRequest(request)) if record.header.pid == done.pid => {
            (request.fixed.opcode == COMMAND).then_some((request.fixed.command, request.texts[0] == b"/dev/null"))
        }
        _ => None,
    };
    assert_eq!(watch.find("the command", is_command), (77, true));
    watch.settle(&folder);
    assert_eq!(watch.count(|record| is_command(record).is_some()), 1, "the same again is counted");
}

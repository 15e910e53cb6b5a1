//! A file that is given the blocks of another, on a filesystem that can: no byte of it is written.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use agent::decode::Body;
use ebpf_common::Kind;
use ebpf_common::header::flag;

use super::begin;
use crate::watch::{bytes, folder};

/// The smallest that `mkfs.btrfs` makes.
const SIZE: u64 = 128 << 20;

#[test]
fn a_file_that_was_given_anothers_blocks_is_told_as_copied_from_it() {
    let Some((watch, _)) = begin(19) else { return };
    let (_keep, folder) = folder();
    let image = folder.join("image");
    File::create(&image).and_then(|file| file.set_len(SIZE)).expect("make an image");
    let made =
        Command::new("mkfs.btrfs").arg("--quiet").arg(&image).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !made.is_ok_and(|status| status.success()) {
        return println!("skipped: needs mkfs.btrfs");
    }
    fs::create_dir(folder.join("mounted")).expect("make a folder");
    // The mount and its loop device end with the namespace.
    let script = "cd \"$0\" && mount -o loop image mounted && cd mounted && echo x > source && exec cp --reflink=always source clone";
    let mut command = Command::new("unshare");
    let mut child = command.args(["-m", "sh", "-c", script]).arg(&folder).spawn().expect("start unshare");
    let pid = child.id();
    if !child.wait().expect("it ends").success() {
        return println!("skipped: needs btrfs");
    }
    let [source, clone] = ["source", "clone"].map(|name| folder.join("mounted").join(name));
    watch.find("the clone", |record| match &record.body {
        Body::FileChange(change) if change.kind == Kind::FileCopied && record.header.pid == pid => {
            assert_eq!((change.path, change.other), (bytes(&clone), bytes(&source)));
            assert!(change.fixed.first != change.fixed.object.inode && change.fixed.object.inode != 0);
            assert_eq!(record.header.flags & (flag::PATH_TRUNCATED | flag::SECOND_TRUNCATED), 0);
            Some(())
        }
        _ => None,
    });
}

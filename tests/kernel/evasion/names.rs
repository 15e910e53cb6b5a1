//! Files that are reached, or named, so that a watcher gets them wrong.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use agent::decode::{Body, FileOpen};
use ebpf_common::header::flag;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

use super::begin;
use crate::stimulus::stimulus;
use crate::watch::{Watch, bytes, folder};

fn opened<T>(watch: &Watch, inode: u64, question: impl Fn(&FileOpen<'_>, u32) -> Option<T>) -> T {
    watch.find(&format!("an open of inode {inode}"), |record| match &record.body {
        Body::FileOpen(open) if open.fixed.object.inode == inode => question(open, record.header.flags),
        _ => None,
    })
}

/// `O_ACCMODE`, and what it leaves of the flags of an open for reading alone.
const ACCESS_MODE: u32 = 0o3;
const READ_ONLY: u32 = 0;

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("it is there").ino()
}

#[test]
fn a_descriptor_that_changes_its_folder_at_once_does_not_change_the_path() {
    let Some((watch, _)) = begin(9) else { return };
    let (_keep, folder) = folder();
    let [right, wrong] = ["right", "wrong"].map(|name| folder.join(name));
    fs::create_dir(&right).expect("make a folder");
    fs::create_dir(&wrong).expect("make a folder");
    let mut through = std::os::fd::OwnedFd::from(File::open(&right).expect("open a folder"));
    let file = openat(through.as_fd(), "file", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRUSR).expect("make a file");
    nix::unistd::dup2(File::open(&wrong).expect("open a folder"), &mut through).expect("put another in its place");
    let found = fs::metadata(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("it is open").ino();
    opened(watch, found, |open, _| {
        // Numbers of inodes are used again: a file of another test may have had this one.
        open.path.starts_with(bytes(&folder)).then(|| assert_eq!(open.path, bytes(&right.join("file"))))
    });
}

/// Makes a file that many folders deep, from folder to folder because no call takes such a name, and holds what is told of it.
fn deep(watch: &Watch, folder: &Path, name: &str, levels: usize) {
    let mut here = std::os::fd::OwnedFd::from(File::open(folder).expect("open a folder"));
    for _ in 0..levels {
        nix::sys::stat::mkdirat(&here, name, Mode::S_IRWXU).expect("make a folder");
        here = openat(here.as_fd(), name, OFlag::O_DIRECTORY, Mode::empty()).expect("enter it");
    }
    let file = openat(here.as_fd(), "leaf", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRUSR).expect("make a file");
    let found = nix::sys::stat::fstat(&file).expect("it is open").st_ino;
    opened(watch, found, |open, flags| {
        assert_ne!(flags & flag::PATH_TRUNCATED, 0);
        assert!(open.path.ends_with(format!("/{name}/{name}/leaf").as_bytes()));
        assert!(open.fixed.path_components > 5);
        assert_ne!((open.fixed.object.device, open.fixed.object.mount_id), (0, 0));
        Some(())
    });
}

#[test]
fn a_path_that_is_too_long_says_so_and_its_end_is_right() {
    let Some((watch, _)) = begin(10) else { return };
    let (_keep, folder) = folder();
    for name in ["a", &"b".repeat(250)] {
        deep(watch, &folder, name, 300);
    }
}

#[test]
fn a_path_through_many_mounts_says_that_it_is_too_long_and_its_end_is_right() {
    let Some((watch, _)) = begin(11) else { return };
    let (_keep, folder) = folder();
    // Each mount stands in the one before; the shell's own folder is what the next is mounted on.
    let script = "cd \"$0\" && name=$(printf 'm%.0s' $(seq 100)) && for i in $(seq 40); do mkdir $name && mount -t tmpfs none $name && cd $name \
                  || exit 1; done; echo x > leaf; exit 7";
    let mut command = Command::new("unshare");
    let mut child = command.args(["-m", "sh", "-c", script]).arg(&folder).spawn().expect("start unshare");
    assert_eq!(child.wait().expect("it ends").code(), Some(7));
    watch.find("the file behind forty mounts", |record| match &record.body {
        Body::FileOpen(open) if open.path.ends_with(format!("/{}/leaf", "m".repeat(100)).as_bytes()) => {
            assert!(record.has(flag::PATH_TRUNCATED));
            assert_ne!((open.fixed.object.inode, open.fixed.object.mount_id), (0, 0));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_file_opened_by_its_handle_is_the_file() {
    let Some((watch, _)) = begin(17) else { return };
    let (_keep, folder) = folder();
    let path = folder.join("hidden");
    fs::write(&path, b"h").expect("write");
    let done = stimulus(&["handle", &path.display().to_string()]);
    assert!(done.result >= 0, "no handles here: {}", done.result);
    opened(watch, inode(&path), |open, _| (open.fixed.by_handle == 1).then_some(()));
}

#[test]
fn unusual_ways_to_open_a_file_end_at_the_file() {
    let Some((watch, _)) = begin(18) else { return };
    let (_keep, folder) = folder();
    let root = File::open(&folder).expect("open a folder");
    let how = OpenHow::new()
        .flags(OFlag::O_CREAT | OFlag::O_WRONLY)
        .mode(Mode::S_IRUSR)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let within = openat2(root.as_fd(), "/../../inside", how).expect("open within a root");
    drop(within);
    opened(watch, inode(&folder.join("inside")), |open, _| (open.path == bytes(&folder.join("inside"))).then_some(()));

    let named = folder.join("again");
    fs::write(&named, b"").expect("write");
    let only = openat(root.as_fd(), "again", OFlag::O_PATH, Mode::empty()).expect("a path");
    File::options().append(true).open(format!("/proc/self/fd/{}", only.as_raw_fd())).expect("open it through it");
    opened(watch, inode(&named), |open, _| {
        (open.path == bytes(&named) && open.fixed.flags & 0o2000 != 0).then_some(())
    });

    let nameless =
        openat(root.as_fd(), ".", OFlag::O_TMPFILE | OFlag::O_WRONLY, Mode::S_IRUSR).expect("a nameless file");
    let from = format!("/proc/self/fd/{}", nameless.as_raw_fd());
    let to = folder.join("linked");
    nix::unistd::linkat(nix::fcntl::AT_FDCWD, &from[..], nix::fcntl::AT_FDCWD, &to, AtFlags::AT_SYMLINK_FOLLOW)
        .expect("name it");
    let descriptor = if watch.sees_objects("open") { 0 } else { nameless.as_raw_fd() };
    opened(watch, inode(&to), |open, _| (open.fixed.result == descriptor).then_some(()));
    watch.find("the name that it was given", |record| match &record.body {
        Body::FileLink(link) => (link.new_name == bytes(&to) && link.name == from.as_bytes()).then_some(()),
        _ => None,
    });
}

#[test]
fn a_file_that_nobody_writes_to_is_told_as_changed() {
    let Some((watch, _)) = begin(19) else { return };
    let (_keep, folder) = folder();
    let path = folder.join("changed");
    fs::write(&path, [0; 4096]).expect("write");
    let plain = folder.join("plain");
    fs::write(&plain, [0; 4096]).expect("write");
    assert_eq!(stimulus(&["map", &path.display().to_string(), &plain.display().to_string()]).result, 0);
    let source = File::open(&plain).expect("open");
    let target = File::options().write(true).open(&path).expect("open");
    nix::fcntl::copy_file_range(&source, None, &target, None, 9).expect("copy");
    nix::unistd::truncate(&path, 7).expect("cut");
    for kind in [ebpf_common::Kind::FileMapped, ebpf_common::Kind::FileCopied, ebpf_common::Kind::FileSize] {
        watch.find(&format!("{kind:?}"), |record| match &record.body {
            Body::FileChange(change) if change.kind == kind => {
                (change.path == bytes(&path) || change.name == bytes(&path)).then_some(())
            }
            _ => None,
        });
    }
}

#[test]
fn another_name_of_a_sensitive_file_does_not_hide_it() {
    let Some((watch, _)) = begin(20) else { return };
    let (_keep, folder) = folder();
    let secrets = folder.join(".ssh");
    fs::create_dir(&secrets).expect("make a folder");
    let key = secrets.join("id_evasion");
    fs::write(&key, b"k").expect("write");
    let (soft, hard) = (folder.join("soft"), folder.join("hard"));
    symlink(&key, &soft).expect("link");
    fs::hard_link(&key, &hard).expect("link");
    fs::read(&soft).expect("read through the link");
    let reads = |open: &FileOpen<'_>| open.fixed.flags & ACCESS_MODE == READ_ONLY && open.path == bytes(&key);
    opened(watch, inode(&key), |open, _| reads(open).then_some(()));
    watch.find("the hard link, by which the inode has another name", |record| match &record.body {
        Body::FileLink(link) => (link.name == bytes(&key) && link.new_name == bytes(&hard)).then_some(()),
        _ => None,
    });
    fs::read(&hard).expect("read by the other name");
    opened(watch, inode(&hard), |open, _| {
        (open.path == bytes(&hard)).then(|| assert!(open.fixed.candidates != 0 && open.name == bytes(&key), "{open:?}"))
    });
    shown_elsewhere(watch, &folder, "id_evasion");
    let over = folder.join("over");
    fs::write(&over, b"o").expect("write");
    fs::rename(&over, &key).expect("put it in the key's place");
    watch.find("the rename over it", |record| match &record.body {
        Body::FileRename(rename) => (rename.name == bytes(&over) && rename.new_name == bytes(&key)).then_some(()),
        _ => None,
    });
    fs::read(&key).expect("read what took its place");
    opened(watch, inode(&key), |open, _| reads(open).then_some(()));
}

/// A folder of secrets that is mounted under another name, in a mount namespace of its own, and a key read there.
fn shown_elsewhere(watch: &Watch, folder: &Path, key: &str) {
    let script = "mkdir \"$0/elsewhere\" && mount --bind \"$0/.ssh\" \"$0/elsewhere\" && cat \"$0/elsewhere/$1\"";
    let mut command = Command::new("unshare");
    let done = command.args(["-m", "sh", "-c", script]).arg(folder).arg(key).stdout(Stdio::null()).status();
    assert!(done.expect("start unshare").success());
    let elsewhere = folder.join("elsewhere").join(key);
    let secret = format!(".ssh/{key}");
    watch.find("the key below the mount", |record| match &record.body {
        Body::FileOpen(open) if open.path == bytes(&elsewhere) => {
            assert!(open.fixed.candidates != 0 && open.name.ends_with(secret.as_bytes()), "{open:?}");
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_file_with_two_names_of_which_none_is_sensitive_is_no_news() {
    let Some((watch, _)) = begin(20) else { return };
    let (_keep, folder) = folder();
    let [one, other] = ["one", "other"].map(|name| folder.join(name));
    fs::write(&one, b"1").expect("write");
    fs::hard_link(&one, &other).expect("link");
    fs::read(&other).expect("read");
    watch.settle(&folder);
    let told = watch.count(|record| matches!(&record.body, Body::FileOpen(open) if open.path == bytes(&other)));
    assert_eq!(told, 0);
}

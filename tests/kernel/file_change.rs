//! Files linked, made, cut, given away, given other times and attributes, mapped, copied to and opened by handle.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use agent::decode::{Body, FileChange, FileRename};
use ebpf_common::Kind;
use ebpf_common::record::file::{object, times};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;

use crate::stimulus::stimulus;
use crate::watch::{Watch, bytes, folder, watch};

/// The first change of a kind at a path, however the path was told.
fn change<T>(watch: &Watch, kind: Kind, path: &Path, question: impl Fn(&FileChange<'_>) -> Option<T>) -> T {
    watch.find(&format!("{kind:?} of {}", path.display()), |record| match &record.body {
        Body::FileChange(change)
            if change.kind == kind && (change.path == bytes(path) || change.name == bytes(path)) =>
        {
            question(change)
        }
        _ => None,
    })
}

fn link<T>(watch: &Watch, new: &Path, question: impl Fn(&Body<'_>, &FileRename<'_>) -> Option<T>) -> T {
    watch.find(&format!("a link at {}", new.display()), |record| match &record.body {
        Body::FileLink(link) | Body::FileSymlink(link) if link.new_name == bytes(new) => question(&record.body, link),
        _ => None,
    })
}

fn run(program: &str, arguments: &[&Path]) {
    assert!(Command::new(program).args(arguments).status().expect("start a program").success(), "{program}");
}

#[test]
fn a_hard_link_and_a_symbolic_link_are_told_with_both_names() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let (old, hard, soft) = (folder.join("old"), folder.join("hard"), folder.join("soft"));
    fs::write(&old, b"").expect("write");
    fs::hard_link(&old, &hard).expect("link");
    symlink("../old", &soft).expect("link");
    link(watch, &hard, |body, link| {
        assert!(matches!(body, Body::FileLink(_)));
        assert_eq!((link.name, link.fixed.result), (bytes(&old), 0));
        Some(())
    });
    link(watch, &soft, |body, link| {
        assert!(matches!(body, Body::FileSymlink(_)));
        assert_eq!((link.name, link.directory, link.fixed.result), (&b"../old"[..], &b""[..], 0));
        Some(())
    });
}

#[test]
fn a_folder_a_device_and_a_whiteout_are_told_as_they_are_made() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let (made, device) = (folder.join("made"), folder.join("whiteout"));
    fs::create_dir(&made).expect("make a folder");
    fs::create_dir(&made).expect_err("it is there");
    mknod(&device, SFlag::S_IFCHR, Mode::empty(), 0).expect("make a device");
    let kind = change(watch, Kind::FileMade, &made, |change| Some(change.fixed.first & 0o170_000));
    assert_eq!(kind, 0o040_000);
    change(watch, Kind::FileMade, &device, |change| {
        assert_eq!((change.fixed.first & 0o170_000, change.fixed.second), (0o020_000, 0));
        Some(())
    });
    // Its object, once somebody opens it, says the same.
    File::options().write(true).open(&device).expect_err("no driver has this number");
    run("chown", &[Path::new("7:8"), &device]);
    change(watch, Kind::FileOwner, &device, |change| {
        assert_eq!((change.fixed.first, change.fixed.second), (7, 8));
        Some(())
    });
    watch.settle(&folder);
    let told = watch.count(|record| match &record.body {
        Body::FileChange(change) => change.kind == Kind::FileMade && change.name == bytes(&made),
        _ => false,
    });
    assert_eq!(told, 1, "a folder that is there already is no news");
}

#[test]
fn a_cut_file_is_told_by_name_and_by_descriptor() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("file");
    let file = File::create(&path).expect("make a file");
    file.set_len(77).expect("by descriptor");
    nix::unistd::truncate(&path, 5).expect("by name");
    let inode = file.metadata().expect("it is there").ino();
    change(watch, Kind::FileSize, &path, |change| {
        (change.fixed.first == 77 && change.fixed.object.inode == inode).then_some(())
    });
    change(watch, Kind::FileSize, &path, |change| (change.fixed.first == 5 && change.path.is_empty()).then_some(()));
}

#[test]
fn times_that_somebody_chose_are_told_and_marked() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("old");
    let file = File::create(&path).expect("make a file");
    let (accessed, modified) = (TimeSpec::new(1, 5), TimeSpec::new(946_684_800, 7));
    utimensat(nix::fcntl::AT_FDCWD, &path, &accessed, &modified, UtimensatFlags::FollowSymlink).expect("set times");
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(9);
    file.set_modified(moment).expect("set one time by descriptor");
    change(watch, Kind::FileTimes, &path, |change| {
        let expected = (times::ACCESSED | times::MODIFIED, 1_000_000_005, 946_684_800_000_000_007);
        ((change.fixed.flags, change.fixed.first, change.fixed.second) == expected).then_some(())
    });
    change(watch, Kind::FileTimes, &path, |change| {
        (change.fixed.flags == times::MODIFIED && change.fixed.second == 9_000_000_000 && !change.path.is_empty())
            .then_some(())
    });
}

#[test]
fn an_attribute_is_told_when_it_is_set_and_when_it_is_removed() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("file");
    fs::write(&path, b"").expect("write");
    let done = stimulus(&["xattr", &path.display().to_string()]);
    assert_eq!(done.result, 0);
    change(watch, Kind::FileAttribute, &path, |change| {
        (change.other == b"trusted.mayfly" && change.fixed.first == 3 && change.fixed.flags == 0).then_some(())
    });
    change(watch, Kind::FileAttribute, &path, |change| {
        (change.other == b"trusted.mayfly" && change.fixed.flags == 1).then_some(())
    });
}

#[test]
fn a_file_that_is_mapped_to_be_written_is_told_once_and_one_that_is_only_read_is_not() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let (written, read) = (folder.join("written"), folder.join("read"));
    fs::write(&written, [0; 4096]).expect("write");
    fs::write(&read, [0; 4096]).expect("write");
    let done = stimulus(&["map", &written.display().to_string(), &read.display().to_string()]);
    assert_eq!(done.result, 0);
    let inode = fs::metadata(&written).expect("it is there").ino();
    change(watch, Kind::FileMapped, &written, |change| {
        assert_eq!((change.fixed.object.inode, change.fixed.first, change.fixed.object.marks), (inode, 4096, 0));
        Some(())
    });
    watch.settle(&folder);
    let told = |path: &Path| {
        watch.count(|record| match &record.body {
            Body::FileChange(change) => change.kind == Kind::FileMapped && change.path == bytes(path),
            _ => false,
        })
    };
    assert_eq!((told(&written), told(&read)), (1, 0), "the stimulus maps each twice");
}

#[test]
fn bytes_that_the_kernel_puts_into_a_file_are_told_with_their_source() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let [from, copied, spliced] = ["from", "copied", "spliced"].map(|name| folder.join(name));
    fs::write(&from, b"bytes").expect("write");
    let (source, target) = (File::open(&from).expect("open"), File::create(&copied).expect("make"));
    nix::fcntl::copy_file_range(&source, None, &target, None, 5).expect("copy");
    let (pipe, end) = nix::unistd::pipe().expect("a pipe");
    nix::unistd::write(&end, b"bytes").expect("write");
    let target = File::create(&spliced).expect("make");
    nix::fcntl::splice(&pipe, None, &target, None, 5, nix::fcntl::SpliceFFlags::empty()).expect("splice");
    let inode = source.metadata().expect("it is there").ino();
    change(watch, Kind::FileCopied, &copied, |change| {
        assert_eq!((change.other, change.fixed.first, change.fixed.result), (bytes(&from), inode, 5));
        Some(())
    });
    let other = change(watch, Kind::FileCopied, &spliced, |change| Some(change.other.len()));
    assert_eq!(other, 0, "a pipe has no path");
}

#[test]
fn a_handle_is_told_when_it_is_taken_and_when_it_is_used() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("plain");
    fs::write(&path, b"p").expect("write");
    let done = stimulus(&["handle", &path.display().to_string()]);
    assert!(done.result >= 0, "the filesystem of {} gives no handles: {}", folder.display(), done.result);
    change(watch, Kind::FileHandle, &path, |_| Some(()));
    let inode = fs::metadata(&path).expect("it is there").ino();
    watch.find("the open by handle", |record| match &record.body {
        Body::FileOpen(open) if open.fixed.by_handle == 1 && record.header.pid == done.pid => {
            assert_eq!((open.fixed.object.inode, open.fixed.flags & 3), (inode, 0));
            assert!(open.path.ends_with(b"plain"));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_file_of_the_writable_layer_is_marked_and_one_of_the_image_is_not() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let script = "mount -t tmpfs none \"$0\" && cd \"$0\" && mkdir lower upper work merged && echo x > lower/shipped \
                  && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged \
                  && echo y > merged/dropped && exec flock -n merged/shipped true";
    let mut command = Command::new("unshare");
    assert!(command.args(["-m", "sh", "-c", script]).arg(&folder).status().expect("start unshare").success());
    let merged = folder.join("merged/dropped");
    watch.find("the file in the writable layer", |record| match &record.body {
        Body::FileOpen(open) if open.path == bytes(&merged) => {
            assert_eq!((open.fixed.object.marks, open.fixed.created), (object::UPPER_LAYER, 1));
            Some(())
        }
        _ => None,
    });
}

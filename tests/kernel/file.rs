//! Files opened and changed by this process.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use agent::decode::{Body, FileOpen, Record};
use ebpf_common::header::flag;

use crate::watch::{Watch, bytes, folder, watch, whole};

fn open<T>(watch: &Watch, path: &Path, question: impl Fn(&FileOpen<'_>) -> Option<T>) -> T {
    watch.find(&format!("an open of {}", path.display()), |record| match &record.body {
        Body::FileOpen(open) if open.path == bytes(path) => question(open),
        _ => None,
    })
}

/// `O_ACCMODE`, and what it leaves of the flags of an open for reading alone.
const ACCESS_MODE: u32 = 0o3;
const READ_ONLY: u32 = 0;

/// What another program says of a file: the first word of its answer.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("start a program");
    let text = String::from_utf8(output.stdout).expect("it says it in words");
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn mount_id(path: &Path) -> String {
    said(Command::new("findmnt").args(["-n", "-o", "ID", "--target"]).arg(path))
}

/// As `FS_IOC_GETVERSION` has it.
fn generation(path: &Path) -> String {
    said(Command::new("lsattr").args(["-v", "-d"]).arg(path))
}

fn only_reads(open: &FileOpen<'_>) -> bool {
    open.fixed.flags & ACCESS_MODE == READ_ONLY
}

#[test]
fn an_open_that_makes_a_file_says_so() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("made");
    let file = File::create(&path).expect("make a file");
    let facts = file.metadata().expect("it is there");
    open(watch, &path, |open| {
        let object = &open.fixed.object;
        assert_eq!((open.fixed.created, object.inode, object.mode), (1, facts.ino(), facts.mode()));
        assert_eq!((object.links, object.marks), (1, 0));
        assert_eq!(object.mount_id.to_string(), mount_id(&path));
        // A filesystem in memory has one and does not tell.
        let generation = generation(&path);
        assert!(generation.is_empty() || object.generation.to_string() == generation);
        assert_eq!(open.fixed.flags & 0o1103, 0o1101, "write, create, truncate");
        assert!(open.fixed.result >= 0);
        Some(())
    });
    File::options().append(true).open(&path).expect("open it again");
    open(watch, &path, |open| (open.fixed.created == 0).then_some(()));
}

#[test]
fn a_relative_name_is_told_as_the_file_that_was_opened() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    fs::create_dir(folder.join("real")).expect("make a folder");
    std::os::unix::fs::symlink("real", folder.join("link")).expect("make a link");
    let script = "echo x > link/../link/file";
    Command::new("sh").args(["-c", script]).current_dir(&folder).status().expect("start a shell");
    let created = open(watch, &folder.join("real/file"), |open| Some(open.fixed.created));
    assert_eq!(created, 1);
}

#[test]
fn a_sensitive_file_is_told_when_it_is_only_read_and_another_is_not() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let secrets = folder.join(".ssh");
    fs::create_dir(&secrets).expect("make a folder");
    let (key, plain) = (secrets.join("id_test"), folder.join("plain"));
    fs::write(&key, b"k").expect("write");
    fs::write(&plain, b"p").expect("write");
    let alias = folder.join("alias");
    std::os::unix::fs::symlink(&key, &alias).expect("make a link");
    fs::read(&plain).expect("read");
    fs::read(&alias).expect("read through the link");
    let class = open(watch, &key, |open| {
        only_reads(open).then(|| watch.kernel.sensitive().class(open.path, open.fixed.candidates).map(str::to_owned))
    });
    assert_eq!(class.as_deref(), Some("ssh_key"));
    watch.settle(&folder);
    let told = watch.count(|record| match &record.body {
        Body::FileOpen(open) => open.path == bytes(&plain) && only_reads(open),
        _ => false,
    });
    assert_eq!(told, 0);
}

#[test]
fn a_refused_open_is_told_with_its_name() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("let others in");
    let secret = folder.join("secret");
    fs::write(&secret, b"s").expect("write");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("keep others out");
    let script = format!("exec setpriv --reuid=65534 --clear-groups cat {}", secret.display());
    Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status().expect("start a shell");
    watch.find("the refused open", |record| match &record.body {
        Body::FileOpen(open) if open.name == bytes(&secret) => {
            assert_eq!((open.fixed.result, record.header.uid, open.path), (-13, 65534, &b""[..]));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_removed_name_is_told_with_its_outcome() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("gone");
    fs::write(&path, b"").expect("write");
    fs::remove_file(&path).expect("remove it");
    fs::remove_file(&path).expect_err("it is gone");
    let told = |record: &Record<'_>| match &record.body {
        Body::FileUnlink(unlink) if whole(unlink.path, unlink.directory, unlink.name) == bytes(&path) => {
            Some((record.has(flag::ATTEMPT), unlink.fixed.result))
        }
        _ => None,
    };
    let (attempt, result) = watch.find("the unlink", told);
    assert_eq!(result, 0);
    if !attempt {
        watch.find("the unlink of nothing", |record| (told(record)?.1 == -2).then_some(()));
    }
}

#[test]
fn a_relative_name_is_told_with_its_folder() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    fs::write(folder.join("near"), b"").expect("write");
    Command::new("rm").arg("near").current_dir(&folder).status().expect("start rm");
    watch.find("the unlink", |record| match &record.body {
        Body::FileUnlink(unlink) => {
            (whole(unlink.path, unlink.directory, unlink.name) == bytes(&folder.join("near"))).then_some(())
        }
        _ => None,
    });
}

#[test]
fn a_rename_is_told_with_both_names() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let (old, new) = (folder.join("old"), folder.join("new"));
    fs::write(&old, b"").expect("write");
    fs::rename(&old, &new).expect("rename it");
    watch.find("the rename", |record| match &record.body {
        Body::FileRename(rename) if rename.name == bytes(&old) => {
            assert_eq!((rename.new_name, rename.fixed.result), (bytes(&new), 0));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn a_changed_mode_is_told_by_name_and_by_descriptor() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("file");
    let file = File::create(&path).expect("make a file");
    fs::set_permissions(&path, Permissions::from_mode(0o4755)).expect("by name");
    file.set_permissions(Permissions::from_mode(0o640)).expect("by descriptor");
    watch.find("the chmod", |record| match &record.body {
        Body::FileChmod(chmod) if whole(chmod.path, chmod.directory, chmod.name) == bytes(&path) => {
            (chmod.fixed.mode & 0o7777 == 0o4755).then(|| assert_eq!(chmod.fixed.result, 0))
        }
        _ => None,
    });
    watch.find("the fchmod", |record| match &record.body {
        Body::FileChmod(chmod) if chmod.path == bytes(&path) => {
            (chmod.fixed.mode & 0o7777 == 0o640).then(|| assert_eq!(chmod.fixed.result, 0))
        }
        _ => None,
    });
}

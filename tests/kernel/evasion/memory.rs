//! Code that runs without an exec: memory made executable, of no file, of a file without a name, of a library that is not the image's.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, str};

use agent::decode::{Body, Privilege, Record};
use ebpf_common::header::flag;
use ebpf_common::record::Executable;
use ebpf_common::record::privilege::memory;

use super::begin;
use crate::stimulus::{Done, stimulus};
use crate::watch::{Watch, bytes, folder};

const WRITE: u32 = 2;
/// Magic number of a filesystem in memory.
const TMPFS: u32 = 0x0102_1994;
/// Marks of a file.
const FILE: u32 = flag::MEMFD | flag::DELETED | flag::UPPER_LAYER;

fn told<T>(watch: &Watch, pid: u32, what: &str, ask: impl Fn(&Executable, &[u8], &Record<'_>) -> Option<T>) -> T {
    watch.find(what, |record| match &record.body {
        Body::Privilege(Privilege::Executable(made)) if record.header.pid == pid => {
            ask(&made.fixed, made.texts[0], record)
        }
        _ => None,
    })
}

fn times(watch: &Watch, pid: u32) -> usize {
    watch.count(|record| record.header.pid == pid && matches!(record.body, Body::Privilege(Privilege::Executable(_))))
}

fn done(words: &[&str]) -> Done {
    let done = stimulus(words);
    assert_eq!(done.result, 0, "{words:?}");
    done
}

#[test]
fn memory_of_no_file_is_told_once_for_a_process_and_marked_where_it_can_be_written() {
    let Some((watch, _)) = begin(16) else { return };
    let (_keep, folder) = folder();
    let at_once = done(&["executable_at_once", "5"]);
    told(watch, at_once.pid, "memory to be written and executed", |made, path, _| {
        assert_eq!((made.memory, made.protection & WRITE, path), (memory::ANONYMOUS, WRITE, &b""[..]));
        Some(())
    });
    let later = done(&["executable_later", "5"]);
    told(watch, later.pid, "memory made executable", |made, _, record| {
        assert_eq!((made.protection & WRITE, made.length), (0, 4096));
        assert!(made.address != 0, "{made:?}");
        let at_the_end_of_the_call = record.has(flag::FIELD_MISSING);
        assert_eq!(made.memory, if at_the_end_of_the_call { memory::UNKNOWN } else { memory::ANONYMOUS });
        Some(())
    });
    watch.settle(&folder);
    assert_eq!((times(watch, at_once.pid), times(watch, later.pid)), (1, 1), "the others are counted");
}

#[test]
fn a_file_without_a_name_that_is_loaded_is_told_as_what_it_is() {
    let Some((watch, _)) = begin(16) else { return };
    let (_keep, folder) = folder();
    let removed = folder.join("removed.so");
    for (path, mark) in [("", flag::MEMFD), (removed.to_str().expect("a plain path"), flag::DELETED)] {
        let done = done(&["executable_nameless", path]);
        told(watch, done.pid, "a nameless file", |made, path, record| {
            assert_eq!((record.header.flags & FILE, made.memory, made.object.links), (mark, memory::FILE, 0));
            let name: &[u8] = if mark == flag::MEMFD { b"/memfd:library" } else { bytes(&removed) };
            assert_eq!(path, name);
            Some(())
        });
    }
}

#[test]
fn a_library_is_told_that_was_written_and_then_made_executable() {
    let Some((watch, _)) = begin(16) else { return };
    let (_keep, folder) = folder();
    let library = folder.join("whole.so");
    fs::write(&library, [0; 4096]).expect("write");
    let done = done(&["executable_overwritten", library.to_str().expect("a plain path")]);
    told(watch, done.pid, "a library that was changed in memory", |made, path, record| {
        let known = made.memory == memory::FILE;
        assert_eq!(known, path == bytes(&library));
        assert_ne!(known, record.has(flag::FIELD_MISSING), "the file, or that it is not known");
        Some(())
    });
}

#[test]
fn a_library_in_shared_memory_is_told() {
    let Some((watch, _)) = begin(16) else { return };
    let keep = tempfile::tempdir_in("/dev/shm").expect("make a folder in memory");
    let library = keep.path().join("library.so");
    fs::write(&library, [0; 4096]).expect("write");
    let done = done(&["executable_file", library.to_str().expect("a plain path")]);
    told(watch, done.pid, "a library in memory", |made, path, record| {
        assert_eq!((made.memory, made.filesystem, path), (memory::FILE, TMPFS, bytes(&library)));
        assert_eq!(record.header.flags & FILE, 0, "it has a name, and no overlay");
        Some(())
    });
}

#[test]
fn the_libraries_of_an_image_are_no_news() {
    let Some((watch, _)) = begin(16) else { return };
    let (_keep, folder) = folder();
    let mut child = Command::new("/bin/true").spawn().expect("start it");
    let pid = child.id();
    child.wait().expect("it ends");
    watch.exec(pid, |_, _| Some(()));
    watch.settle(&folder);
    let told = watch.count(|record| match &record.body {
        Body::Privilege(Privilege::Executable(made)) => record.header.pid == pid && made.fixed.memory == memory::FILE,
        _ => false,
    });
    assert_eq!(told, 0);
}

/// A library that this process has, to be dropped somewhere.
fn library() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").expect("the kernel tells it");
    let path = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("libgcc_s"));
    path.map(PathBuf::from)
}

#[test]
fn a_library_that_was_dropped_in_the_writable_layer_is_told_when_the_loader_takes_it() {
    let Some((watch, _)) = begin(16) else { return };
    let Some(library) = library() else {
        return println!("skipped: needs a program with libraries of its own");
    };
    let (_keep, folder) = folder();
    // In a mount namespace of its own; the working folder of an overlay must not be on another overlay.
    let script = "cd \"$0\" && mkdir lower work merged && mount -t tmpfs work work && mkdir work/u work/w \
                  && mount -t overlay overlay -o lowerdir=lower,upperdir=work/u,workdir=work/w merged \
                  && cp \"$1\" merged/dropped.so && LD_PRELOAD=\"$0/merged/dropped.so\" exec -a preloaded /bin/true";
    let mut command = Command::new("unshare");
    command.args(["-m", "bash", "-c", script]).arg(&folder).arg(&library).process_group(0);
    let mut child = command.spawn().expect("start unshare");
    let pid = child.id();
    if !child.wait().expect("it ends").success() {
        return println!("skipped: needs overlays");
    }
    let dropped = folder.join("merged/dropped.so");
    told(watch, pid, "the library that was dropped", |made, path, record| {
        (path == bytes(&dropped)).then(|| {
            assert_eq!((record.header.flags & FILE, made.protection & WRITE), (flag::UPPER_LAYER, 0));
            assert!(str::from_utf8(path).is_ok() && made.object.inode != 0);
        })
    });
}

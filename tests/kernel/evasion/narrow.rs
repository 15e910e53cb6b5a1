//! System calls of 32 bits: the kernel traces none of them as such, its objects are the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use agent::decode::Body;

use super::begin;
use crate::watch::{bytes, folder};

/// Where the program is loaded: header and code first, then the path.
const BASE: u32 = 0x0804_8000;
const HEADERS: u32 = 52 + 32;
const PATH: u32 = BASE + 0x100;

/// A program of 32 bits for Linux on x86 that opens `path` for writing, making it, and ends with 0 where that worked.
fn program(path: &Path) -> Vec<u8> {
    let halves = |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let words = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let size = 0x200;
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // An executable for the 80386 of version 1, its begin, its one segment; no sections.
    bytes.extend([halves(&[2, 3]), words(&[1, BASE + HEADERS, 52, 0, 0]), halves(&[52, 32, 1, 0, 0, 0])].concat());
    // Loaded from the file's begin, to be read, written and run.
    bytes.extend(words(&[1, 0, BASE, BASE, size, size, 7, 0x1000]));
    // open(PATH, O_WRONLY | O_CREAT, 0600), then exit with its sign.
    bytes.extend([&[0xb8][..], &5_u32.to_le_bytes(), &[0xbb], &PATH.to_le_bytes()].concat());
    bytes.extend([&[0xb9][..], &0o101_u32.to_le_bytes(), &[0xba], &0o600_u32.to_le_bytes()].concat());
    bytes.extend([0xcd, 0x80, 0x89, 0xc3, 0xc1, 0xeb, 0x1f, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]);
    bytes.resize((PATH - BASE) as usize, 0);
    bytes.extend(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
    bytes.resize(size as usize, 0);
    bytes
}

#[test]
fn a_file_made_by_a_program_of_32_bits_is_told() {
    let Some((watch, _)) = begin(21) else { return };
    let (_keep, folder) = folder();
    let (made, narrow) = (folder.join("made"), folder.join("narrow"));
    fs::write(&narrow, program(&made)).expect("write a program");
    fs::set_permissions(&narrow, fs::Permissions::from_mode(0o755)).expect("let it run");
    let Ok(mut child) = Command::new(&narrow).stdout(Stdio::null()).spawn() else {
        return println!("skipped: needs a kernel that runs programs of 32 bits");
    };
    let pid = child.id();
    assert!(child.wait().expect("it ends").success());
    watch.exec(pid, |_, exec| (exec.path == bytes(&narrow)).then_some(()));
    watch.find("the open of 32 bits", |record| match &record.body {
        Body::FileOpen(open) if record.header.pid == pid && open.path == bytes(&made) => Some(()),
        _ => None,
    });
}

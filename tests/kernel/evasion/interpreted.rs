//! Programs that another program runs: the kernel's record of an exec names both.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::begin;
use crate::watch::{bytes, folder};

#[test]
fn a_script_of_a_script_of_a_script_is_told_with_all_of_them() {
    let Some((watch, _)) = begin(15) else { return };
    let (_keep, folder) = folder();
    let names = ["one", "two", "three", "four"].map(|name| folder.join(name));
    let shell = Path::new("/bin/sh").canonicalize().expect("there is a shell");
    for (number, name) in names.iter().enumerate() {
        let interpreter = names.get(number + 1).map_or(shell.as_path(), |next| next.as_path());
        fs::write(name, format!("#!{}\n", interpreter.display())).expect("write a script");
        fs::set_permissions(name, fs::Permissions::from_mode(0o755)).expect("make it a program");
    }
    let mut child = Command::new("./one").current_dir(&folder).spawn().expect("start the script");
    let pid = child.id();
    child.wait().expect("it ends");
    watch.exec(pid, |_, exec| {
        assert_eq!((exec.path, exec.script, exec.directory), (bytes(&shell), &b"./one"[..], bytes(&folder)));
        let arguments: Vec<&[u8]> = exec.arguments.split(|byte| *byte == 0).collect();
        assert!(names[1..].iter().all(|name| arguments.contains(&bytes(name))), "{}", exec.arguments.escape_ascii());
        Some(())
    });
}

#[test]
fn a_program_given_to_the_loader_is_told_with_it() {
    let Some((watch, _)) = begin(15) else { return };
    let name = if cfg!(target_arch = "aarch64") { "/lib/ld-linux-aarch64.so.1" } else { "/lib64/ld-linux-x86-64.so.2" };
    let loader = Path::new(name).canonicalize().expect("there is a loader");
    let shell = Path::new("/bin/bash").canonicalize().expect("there is a bash");
    let mut command = Command::new(&loader);
    let mut child = command.arg(&shell).args(["-c", ":"]).stdout(Stdio::null()).spawn().expect("start the loader");
    let pid = child.id();
    child.wait().expect("it ends");
    watch.exec(pid, |_, exec| {
        assert_eq!((exec.path, exec.script), (bytes(&loader), &b""[..]));
        assert!(exec.arguments.split(|byte| *byte == 0).any(|word| word == bytes(&shell)));
        Some(())
    });
}

//! A program that looks like another one: its name and arguments are what it says, its file is what the kernel executed.

use std::path::Path;
use std::process::{Command, Stdio};

use super::begin;
use crate::watch::bytes;

#[test]
fn a_false_name_does_not_hide_the_file() {
    let Some((watch, _)) = begin(13) else { return };
    let program = Path::new("/bin/bash").canonicalize().expect("there is a bash");
    // The shell takes a kernel thread's name for its first argument, and gives itself that short name as soon as it runs.
    let script = "exec -a '[kworker/0:1]' bash -c 'printf kworker > /proc/self/comm; printf hidden'";
    let mut child = Command::new("bash").args(["-c", script]).stdout(Stdio::null()).spawn().expect("start a shell");
    let pid = child.id();
    child.wait().expect("it ends");
    watch.exec(pid, |_, exec| {
        let arguments = exec.arguments.strip_prefix(b"[kworker/0:1]\0-c\0")?;
        assert!(arguments.ends_with(b"printf hidden\0"));
        assert_eq!(exec.path, bytes(&program));
        assert_eq!(exec.comm(), b"bash");
        Some(())
    });
}

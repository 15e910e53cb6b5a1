//! Lists of arguments that are too long to keep: begin and end, how long they are, and the hash of all while the process is there.

use std::process::{Command, Stdio};

use agent::clock::Clock;
use agent::decode::Exec;
use agent::observe::Observer;
use agent::origin::{Origin, Settings};
use ebpf_common::header::flag;
use ebpf_common::record::process::{MAX_ARGUMENTS, MAX_ARGUMENTS_END};
use proto::v1::event::Body as Wire;
use sha2::{Digest, Sha256};

use super::begin;

/// What a shell is to do that waits for its standard input to end, and has arguments that it does not look at.
const WAIT: [&str; 4] = ["sh", "-c", "read line", "name"];
/// The kernel takes none that is longer, with the zero byte that ends it.
const LONGEST: usize = 128 * 1024 - 1;

#[test]
fn arguments_that_are_too_long_to_keep_are_known_by_begin_end_length_and_hash() {
    let Some((watch, _)) = begin(12) else { return };
    let many: Vec<String> = (0..2000).map(|number| format!("argument-{number}")).collect();
    let one = vec!["a".repeat(LONGEST - "the end".len()) + "the end"];
    for given in [many, one] {
        let mut command = Command::new(WAIT[0]);
        let mut child = command.args(&WAIT[1..]).args(&given).stdin(Stdio::piped()).spawn().expect("start a shell");
        let words = WAIT.iter().copied().chain(given.iter().map(String::as_str));
        let whole = words.flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
        let told = watch.exec(child.id(), |record, exec| {
            holds(exec, &whole);
            assert!(record.has(flag::ARGUMENTS_TRUNCATED));
            let mut events = Vec::new();
            Observer::new(Origin::new(Settings::default())).observe(record, &Clock::system(), &mut events);
            events.pop()
        });
        drop(child.stdin.take());
        child.wait().expect("it ends");
        let Some(Wire::Exec(exec)) = told.body else { panic!("an exec is told as something else: {told:?}") };
        assert_eq!(exec.arguments_sha256, Sha256::digest(&whole).to_vec());
        assert!(exec.arguments_truncated && whole.ends_with(&[&exec.arguments_end[..], b"\0"].concat()));
    }
}

fn holds(exec: &Exec<'_>, whole: &[u8]) {
    assert_eq!((exec.arguments.len(), exec.arguments_end.len()), (MAX_ARGUMENTS, MAX_ARGUMENTS_END));
    assert_eq!(exec.fixed.argument_bytes as usize, whole.len());
    assert!(whole.starts_with(exec.arguments) && whole.ends_with(exec.arguments_end));
}

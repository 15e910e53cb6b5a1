//! The attack's actors, one program: the vulnerable shop, the instance metadata service, the attacker's host, and the payloads that it
//! serves; and the trials of what stops a program. Everything runs in network namespaces that a test made; nothing here attacks anything else. A payload is this very
//! program with a few bytes behind it, so that what was dropped and what ran from memory have hashes of their own.
#![forbid(unsafe_code)]

mod host;
mod http;
mod metadata;
mod payload;
mod shop;
mod trials;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("stage: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    if let Some(kind) = payload::Kind::of_this_program()? {
        return payload::run(kind);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["shop", listen, seconds] => shop::serve(address(listen)?, seconds.parse().context("lifetime in seconds")?),
        ["metadata", listen, role, credentials] => metadata::serve(address(listen)?, role, credentials),
        ["host", listen, folder] => host::serve(address(listen)?, folder.as_ref()),
        ["exploit", target, command] => shop::exploit(address(target)?, command),
        ["connect", target] => connect(address(target)?),
        ["trials", from @ ("file" | "memory"), times, hold, program, arguments @ ..] => {
            let hold = Duration::from_millis(hold.parse().context("milliseconds")?);
            trials::run(times.parse().context("how often")?, hold, *from == "memory", program, arguments)
        }
        _ => bail!("usage: stage shop|metadata|host|exploit|connect|trials …"),
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().with_context(|| format!("not an address with a port: {text}"))
}

/// Whether a connection can be made within a second: the exit code says it.
fn connect(target: SocketAddr) -> Result<()> {
    std::net::TcpStream::connect_timeout(&target, Duration::from_secs(1))?;
    Ok(())
}

//! As much HTTP/1.1 as the actors need: one request a connection, bounded. Not for anything real.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// A request's first line and body.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// Reads one request of at most 64 KiB.
pub(crate) fn read(stream: &mut TcpStream) -> Result<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let head = loop {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0 && bytes.len() < 65_536, "no complete request");
        bytes.extend_from_slice(&piece[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut words = text.split_ascii_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let wanted = length(&text).min(65_536);
    let mut body = bytes.split_off(head + 4);
    while body.len() < wanted {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0, "body ends early");
        body.extend_from_slice(&piece[..read]);
    }
    Ok(Request { method, path, body })
}

fn length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// Answers 200 with `body`.
pub(crate) fn answer(stream: &mut TcpStream, body: &[u8]) -> Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    Ok(())
}

/// Sends one request; gives the answer's body.
pub(crate) fn ask(target: SocketAddr, method: &str, path: &str, header: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream =
        TcpStream::connect_timeout(&target, Duration::from_secs(2)).with_context(|| format!("connect to {target}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n",
        target.ip(),
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(64 << 20).read_to_end(&mut answer)?;
    let start = answer.windows(4).position(|four| four == b"\r\n\r\n").context("answer without a head")?;
    Ok(answer.split_off(start + 4))
}

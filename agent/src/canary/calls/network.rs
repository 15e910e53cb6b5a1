//! Sockets in the canary's own network, where the kernel grants it one: else on the machine's loopback, and without questions for names,
//! which somebody there might answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::super::ground::Ground;
use super::told;

/// A connection that begins as TLS does: what follows is no such hello, and is read by nobody.
const HELLO: [u8; 16] = [22, 3, 1, 0, 11, 1, 0, 0, 7, 3, 3, 0, 0, 0, 0, 0];

/// The port of names.
const DNS: u16 = 53;
/// A question for the address of `canary`.
const QUESTION: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06canary\0\0\x01\0\x01";

pub(super) fn connect(_: &Ground<'_>) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut out = TcpStream::connect(listener.local_addr()?)?;
    let (mut taken, _) = listener.accept()?;
    out.write_all(&HELLO)?;
    let mut heard = [0; HELLO.len()];
    taken.read_exact(&mut heard)
}

/// To another port each time: of a known flow only the first datagram is told.
pub(super) fn send_a_datagram(_: &Ground<'_>) -> io::Result<()> {
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(b"canary", peer.local_addr()?).map(drop)
}

/// Nobody is there to answer, and nobody has to be.
pub(super) fn ask_for_a_name(ground: &Ground<'_>) -> io::Result<()> {
    ground.apart()?;
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(QUESTION, (Ipv4Addr::LOCALHOST, DNS)).map(drop)
}

pub(super) fn connect_within(ground: &Ground<'_>) -> io::Result<()> {
    let name = ground.file("socket");
    let _listener = UnixListener::bind(&name)?;
    UnixStream::connect(&name).map(drop)
}

/// Nothing is sent and nothing read.
pub(super) fn make_a_raw_socket(_: &Ground<'_>) -> io::Result<()> {
    told(socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp).err())
}

//! Sockets made, bound, set to listen and connected.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use agent::decode::{Body, SocketCall};
use ebpf_common::Kind;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::stimulus::stimulus;
use crate::watch::{Watch, bytes, folder, watch};

fn call<T>(watch: &Watch, pid: u32, kind: Kind, question: impl Fn(&SocketCall<'_>) -> Option<T>) -> T {
    watch.find(&format!("{kind:?} of {pid}"), |record| match &record.body {
        Body::Socket(call) if call.kind == kind && record.header.pid == pid => question(call),
        _ => None,
    })
}

const UNIX: u16 = 1;
const PACKET: u16 = 17;
const VSOCK: u16 = 40;

#[test]
fn a_listener_is_told_with_its_port_when_it_is_bound_and_when_it_listens() {
    let Some(watch) = watch() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("it has an address").port();
    for kind in [Kind::SocketBind, Kind::SocketListen] {
        call(watch, std::process::id(), kind, |call| {
            (call.fixed.flow.local_port == port && call.fixed.flow.local[..4] == [127, 0, 0, 1]).then(|| {
                assert_eq!((call.fixed.result, call.fixed.kind, call.fixed.flow.protocol), (0, 1, 6));
            })
        });
    }
}

#[test]
fn a_listener_that_was_never_bound_is_told_once_with_the_port_that_it_got() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let made = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("a socket");
    nix::sys::socket::listen(&made, nix::sys::socket::Backlog::new(1).expect("one")).expect("listen");
    let address: nix::sys::socket::SockaddrIn =
        nix::sys::socket::getsockname(std::os::fd::AsRawFd::as_raw_fd(&made)).expect("it has an address");
    let of = |call: &SocketCall<'_>| (call.fixed.flow.local_port == address.port()).then_some(());
    call(watch, std::process::id(), Kind::SocketListen, of);
    watch.settle(&folder);
    let told = watch.count(|record| match &record.body {
        Body::Socket(call) => call.kind == Kind::SocketListen && of(call).is_some(),
        _ => false,
    });
    assert_eq!(told, 1);
}

#[test]
fn a_bound_datagram_socket_is_told() {
    let Some(watch) = watch() else { return };
    let bound = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let port = bound.local_addr().expect("it has an address").port();
    call(watch, std::process::id(), Kind::SocketBind, |call| {
        (call.fixed.flow.local_port == port && call.fixed.flow.protocol == 17).then_some(())
    });
}

#[test]
fn a_connection_to_a_unix_socket_is_told_with_the_address_that_the_kernel_has() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let path = folder.join("socket");
    let _listener = UnixListener::bind(&path).expect("listen");
    std::os::unix::fs::symlink("socket", folder.join("alias")).expect("link");
    UnixStream::connect(folder.join("alias")).expect("connect through a link");
    for kind in [Kind::SocketBind, Kind::SocketListen, Kind::SocketConnect] {
        call(watch, std::process::id(), kind, |call| {
            let address = call.address.split(|byte| *byte == 0).next()?;
            (call.fixed.flow.family == UNIX && address == bytes(&path)).then_some(())
        });
    }
}

#[test]
fn a_connection_to_an_abstract_name_is_told() {
    let Some(watch) = watch() else { return };
    let name = format!("mayfly-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _listener = UnixListener::bind_addr(&address).expect("listen");
    UnixStream::connect_addr(&address).expect("connect");
    let expected = [&[0][..], name.as_bytes()].concat();
    call(watch, std::process::id(), Kind::SocketConnect, |call| (call.address == expected).then_some(()));
}

#[test]
fn a_raw_and_a_packet_socket_are_told_and_an_ordinary_one_is_not() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let ordinary = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("a socket");
    socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp).expect("a raw socket");
    socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), SockProtocol::EthAll).expect("a packet socket");
    let own = std::process::id();
    call(watch, own, Kind::SocketMade, |call| {
        ((call.fixed.flow.family, call.fixed.kind, call.fixed.flow.protocol) == (2, 3, 1)).then_some(())
    });
    call(watch, own, Kind::SocketMade, |call| {
        (call.fixed.flow.family == PACKET && call.fixed.result >= 0).then_some(())
    });
    drop(ordinary);
    watch.settle(&folder);
    let told = watch.count(|record| match &record.body {
        Body::Socket(call) => call.kind == Kind::SocketMade && record.header.pid == own && call.fixed.kind == 1,
        _ => false,
    });
    assert_eq!(told, 0);
}

#[test]
fn a_connection_to_a_vsock_is_told_with_its_outcome() {
    let Some(watch) = watch() else { return };
    // The host's side of a virtual machine, at a port where nobody is.
    let done = stimulus(&["vsock", "2", "4242"]);
    assert!(done.result < 0);
    call(watch, done.pid, Kind::SocketConnect, |call| {
        assert_eq!((call.fixed.flow.family, call.fixed.result), (VSOCK, done.result));
        assert_eq!(call.address.get(2..10), Some(&[&4242_u32.to_ne_bytes()[..], &2_u32.to_ne_bytes()].concat()[..]));
        Some(())
    });
}

#[test]
fn every_destination_of_one_call_is_told() {
    let Some(watch) = watch() else { return };
    let peers = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").expect("bind").local_addr().expect("an address").port());
    let done = stimulus(&["sendmmsg", &peers[0].to_string(), &peers[1].to_string()]);
    assert_eq!(done.result, 2);
    for port in peers {
        watch.find("the datagram", |record| match &record.body {
            Body::Datagram(datagram) if record.header.pid == done.pid => {
                (datagram.flow.remote_port == port).then_some(())
            }
            _ => None,
        });
    }
}

//! Connections and datagrams over the loopback.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use agent::decode::Body;
use ebpf_common::header::flag;
use ebpf_common::record::Flow;

use crate::watch::{Watch, folder, watch};

fn address(bytes: [u8; 16], family: u16) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    if family == 2 { IpAddr::from([a, b, c, d]) } else { Ipv6Addr::from(bytes).into() }
}

fn ends(flow: &Flow) -> (SocketAddr, SocketAddr) {
    let end = |bytes, port| SocketAddr::new(address(bytes, flow.family), port);
    (end(flow.local, flow.local_port), end(flow.remote, flow.remote_port))
}

/// A client sends 1000 bytes, gets 300, and both close, the client first.
fn talk(watch: &Watch, host: &str) {
    let listener = TcpListener::bind((host, 0)).expect("listen on the loopback");
    let server = listener.local_addr().expect("it has an address");
    let mut outgoing = TcpStream::connect(server).expect("connect to it");
    let client = outgoing.local_addr().expect("it has an address");
    let (mut incoming, _) = listener.accept().expect("accept it");
    outgoing.write_all(&[1; 1000]).expect("send");
    incoming.read_exact(&mut [0; 1000]).expect("receive");
    incoming.write_all(&[2; 300]).expect("send");
    outgoing.read_exact(&mut [0; 300]).expect("receive");
    drop(outgoing);
    assert_eq!(incoming.read(&mut [0; 1]).expect("receive the end"), 0);
    drop(incoming);

    let own = std::process::id();
    let socket = watch.find("the connect", |record| match &record.body {
        Body::Connect(connect) if ends(&connect.flow) == (client, server) => {
            assert_eq!((record.header.pid, connect.established, connect.error), (own, 1, 0));
            Some(connect.socket)
        }
        _ => None,
    });
    let accepted = watch.find("the accept", |record| match &record.body {
        Body::Accept(accept) if ends(&accept.flow) == (server, client) => {
            assert_eq!(record.header.pid, own);
            Some(accept.socket)
        }
        _ => None,
    });
    for (local, remote, wanted, sent, received) in
        [(client, server, socket, 1000, 300), (server, client, accepted, 300, 1000)]
    {
        watch.find("the close", |record| match &record.body {
            Body::Close(close) if ends(&close.flow) == (local, remote) => {
                assert_eq!((close.sent, close.received, close.socket), (sent, received, wanted), "{local}");
                assert_eq!((record.header.pid, record.has(flag::OUTGOING)), (own, local == client));
                assert_ne!(close.begun_ns, 0);
                Some(())
            }
            _ => None,
        });
    }
}

#[test]
fn a_connection_is_told_from_both_sides_with_its_bytes() {
    let Some(watch) = watch() else { return };
    talk(watch, "127.0.0.1");
}

#[test]
fn a_connection_over_ipv6_is_told_from_both_sides_with_its_bytes() {
    let Some(watch) = watch() else { return };
    if TcpListener::bind(("::1", 0)).is_err() {
        println!("skipped: needs IPv6 on the loopback");
        return;
    }
    talk(watch, "::1");
}

#[test]
fn a_refused_connection_is_told_with_its_error() {
    let Some(watch) = watch() else { return };
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen on the loopback");
        listener.local_addr().expect("it has an address")
    };
    TcpStream::connect(closed).expect_err("nobody listens");
    watch.find("the refused connect", |record| match &record.body {
        Body::Connect(connect) if ends(&connect.flow).1 == closed => {
            assert_eq!((record.header.pid, connect.established, connect.error), (std::process::id(), 0, 111));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn many_datagrams_to_one_peer_are_one_record() {
    let Some(watch) = watch() else { return };
    let (_keep, folder) = folder();
    let peers = ["127.0.0.1:0", "127.0.0.2:0"].map(|at| UdpSocket::bind(at).expect("bind on the loopback"));
    let peers = peers.each_ref().map(|peer| peer.local_addr().expect("it has an address"));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind on the loopback");
    for _ in 0..5 {
        for peer in peers {
            socket.send_to(b"x", peer).expect("send");
        }
    }
    let connected = UdpSocket::bind("127.0.0.1:0").expect("bind on the loopback");
    connected.connect("127.0.0.3:53").expect("set the peer");
    let to = |record: &agent::decode::Record<'_>, peer: SocketAddr| match &record.body {
        Body::Datagram(datagram) if record.header.pid == std::process::id() => {
            (ends(&datagram.flow).1 == peer).then_some(datagram.connected)
        }
        _ => None,
    };
    for peer in peers {
        assert_eq!(watch.find("the first datagram", |record| to(record, peer)), 0);
    }
    let set = "127.0.0.3:53".parse().expect("an address");
    assert_eq!(watch.find("the connected socket", |record| to(record, set)), 1);
    watch.settle(&folder);
    for peer in peers {
        assert_eq!(watch.count(|record| to(record, peer).is_some()), 1);
    }
}
